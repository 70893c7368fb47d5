#!/usr/bin/env python3
"""SIGKILL at random moments loses nothing that was acknowledged, and stores nothing twice: a producer
retries while its node is killed and started again, and again, also while it is starting."""
import threading

import harness
import verify

PARTITIONS = 8
KILLS = 12
PACE = 2000  # lines that are written at once


class Feeder:
    """Writes lines to a producer until it is told to stop; remembers what it wrote."""

    def __init__(self, pipe, seed):
        self.lines = []
        self._pipe, self._seed = pipe, seed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        round_number = 0
        try:
            while not self._stop.is_set():
                round_number += 1
                lines = harness.make_lines(PACE, self._seed + round_number)
                self.lines += lines
                self._pipe.write(b"".join(line + b"\n" for line in lines))
                self._pipe.flush()
            self._pipe.close()
        except (BrokenPipeError, ValueError):
            pass  # the producer is gone; the test finds out why

    def finish(self):
        self._stop.set()
        self._thread.join(harness.DEADLINE_S)
        harness.check(not self._thread.is_alive(), "the producer doesn't read its input")
        return self.lines


def size(path):
    try:
        with open(path, "rb") as file:
            return file.seek(0, 2)
    except FileNotFoundError:
        return 0


def await_progress(producer, acked_log, more):
    """Until `more` bytes of acknowledgements were added."""
    goal = size(acked_log) + more
    harness.until(lambda: size(acked_log) >= goal or not producer.running(),
                  "records are acknowledged", 120)
    harness.check(producer.running(), lambda: f"the producer has given up: {producer.end()}")


def killed_while_starting(lab, node):
    """Starts the node and kills it a random moment later, ready or not."""
    node.launch()
    node.runs_for(lab.random.uniform(0, 0.05))
    ready = any(line.endswith("is ready") for line in node.lines())
    node.kill()
    return "ready" if ready else "starting"


def node_dies(lab, node):
    lab.cli(node, "topic", "create", "t", "--partitions", PARTITIONS)
    acked_log = lab.path("acked")
    producer = lab.background_cli("producer", node, "--json", "produce", "t", "--acks", "all",
                                  "--timeout", "120s", "--acked-log", acked_log,
                                  stdin=harness.subprocess.PIPE)
    feeder = Feeder(producer.stdin, lab.seed)
    for kill in range(1, KILLS + 1):
        await_progress(producer, acked_log, lab.random.randrange(1, 200_000))
        node.kill()
        during = ""
        if kill % 3 == 0:
            during = f", once more while {killed_while_starting(lab, node)}"
        took = node.start()
        lab.step(f"kill {kill} of {KILLS} after {size(acked_log)} bytes of acknowledgements"
                 f"{during}; ready after {took:.2f} s")
    await_progress(producer, acked_log, 1)
    lines = feeder.finish()
    ended = producer.end(180)
    harness.check(ended.status == 0, lambda: str(ended))
    summary = ended.json()
    harness.check(summary["resent_batches"] > 0, "no batch was sent twice: the kills hit nothing")
    acked = harness.read_acked_log(acked_log)
    stored = [lab.consume(node, "t", p, deadline_s=120) for p in range(PARTITIONS)]
    verify.check_all_there(lines, acked, stored, PARTITIONS)
    lab.step(f"{len(acked)} records through {KILLS} kills, {summary['resent_batches']} batches sent "
             "again: all there, none twice, in order")


def producer_dies_too(lab, node):
    for attempt in range(3):
        topic = f"both-{attempt}"
        lab.cli(node, "topic", "create", topic, "--partitions", PARTITIONS)
        acked_log = lab.path(topic + ".acked")
        producer = lab.background_cli(topic, node, "produce", topic, "--acked-log", acked_log,
                                      stdin=harness.subprocess.PIPE)
        feeder = Feeder(producer.stdin, lab.seed + 1000 * attempt)
        await_progress(producer, acked_log, lab.random.randrange(1, 500_000))
        first, second = (node, producer) if lab.random.random() < 0.5 else (producer, node)
        first.kill()
        second.kill()
        lines = feeder.finish()
        node.start()
        acked = harness.read_acked_log(acked_log)
        stored = [lab.consume(node, topic, p, deadline_s=120) for p in range(PARTITIONS)]
        verify.check_acknowledged(lines, acked, stored, PARTITIONS)
        verify.check_order(acked, PARTITIONS)
        # What is stored and wasn't acknowledged was sent at least, each line at most once.
        sent = harness.collections.Counter(lines)
        found = harness.collections.Counter(value for part in stored for _, value in part)
        harness.check(not found - sent, lambda: f"never sent, or twice: {list(found - sent)[:3]}")
        lab.step(f"node and producer killed: {len(acked)} acknowledged records are there, of "
                 f"{found.total()} stored")


def crash_loop(lab):
    node = lab.node(stable_port=True)
    node.start()
    node_dies(lab, node)
    producer_dies_too(lab, node)
    node.stop()


harness.main(crash_loop)
