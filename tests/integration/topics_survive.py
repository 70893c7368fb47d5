#!/usr/bin/env python3
"""Hundreds of partitions survive SIGKILL and all serve again, producer ids aren't given out twice, and
a deleted topic stays deleted and gives its space back."""
import os
import time

import harness

TOPICS = 20
PARTITIONS = 20


def bytes_used(folder):
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # it may go while one looks
    return total


def leaders(lab, node):
    return sum(r["role"] == "leader" and r["topic"] != "" for r in lab.status(node)["replicas"])


def await_leaders(lab, node, count):
    harness.until(lambda: leaders(lab, node) == count, f"{count} partitions have leaders")


def produce_to_each(lab, node, text):
    """A record into each partition; each run is a new producer, whose numbers begin at 0: with an id
    that another one had, its records would be taken for that one's, and not be stored."""
    producers = [lab.background_cli(f"{text}-{t}", node, "produce", f"topic-{t}", "--key-separator",
                                    "|", stdin=harness.subprocess.PIPE) for t in range(TOPICS)]
    for t, producer in enumerate(producers):
        for k in range(200):
            producer.stdin.write(b"key-%d|%s %d\n" % (k, text.encode(), t))
        producer.stdin.close()
    for producer in producers:
        harness.check(producer.end().status == 0, lambda: str(producer.end()))


def check_records(lab, node, runs):
    for t in range(TOPICS):
        out = lab.cli(node, "consume", f"topic-{t}", "--until-end").out
        harness.check_equal(len(out.splitlines()), 200 * runs, f"records of topic-{t}")


def topics_survive(lab):
    node = lab.node()
    node.sections["log_storage.main"].update({
        "segment_wal.journal_file_size": "4MiB", "segment_wal.checkpoint_bytes": "4MiB",
        "segment_wal.segment_size": "1MiB"})
    node.start()
    began = time.monotonic()
    for t in range(TOPICS):
        lab.cli(node, "topic", "create", f"topic-{t}", "--partitions", PARTITIONS)
    await_leaders(lab, node, TOPICS * PARTITIONS)
    lab.step(f"{TOPICS} topics, {TOPICS * PARTITIONS} partitions made in "
             f"{time.monotonic() - began:.2f} s")
    produce_to_each(lab, node, "first")
    node.kill()
    took = node.start()
    await_leaders(lab, node, TOPICS * PARTITIONS)
    lab.step(f"killed and started again: ready after {took:.2f} s")
    check_records(lab, node, 1)
    produce_to_each(lab, node, "second")
    took = node.restart()
    lab.step(f"stopped and started again: ready after {took:.2f} s")
    produce_to_each(lab, node, "third")
    check_records(lab, node, 3)
    lab.step("all partitions take and give records; no producer id came twice")

    # Deleted: gone, with its bytes, also after starts.
    before = bytes_used(node.storage_dir())
    lab.cli(node, "topic", "create", "big", "--partitions", 4)
    megabytes = 48
    lab.produce(node, "big", [bytes([97 + i % 26]) * 500_000 for i in range(2 * megabytes)])
    full = bytes_used(node.storage_dir())
    harness.check(full - before > megabytes * 500_000, "the big topic's bytes aren't on the disk")
    lab.cli(node, "topic", "delete", "big")
    lab.cli(node, "topic", "delete", "topic-0")
    names = [topic["name"] for topic in lab.cli(node, "--json", "topic", "list").json()]
    harness.check("big" not in names and "topic-0" not in names, "deleted topics are listed")
    node.kill()
    node.start()
    names = [topic["name"] for topic in lab.cli(node, "--json", "topic", "list").json()]
    harness.check_equal(sorted(names), sorted(f"topic-{t}" for t in range(1, TOPICS)),
                        "topics after deleting two, and SIGKILL")
    await_leaders(lab, node, (TOPICS - 1) * PARTITIONS)
    ended = lab.try_cli(node, "produce", "big", "--timeout", "2s", stdin=b"x\n")
    harness.check(ended.status == 1 and b"big" in ended.err, lambda: str(ended))
    node.restart()
    # A few journal files stay for use again; 48 MB don't.
    used = harness.until(lambda: (now := bytes_used(node.storage_dir())) < before + 16_000_000 and now,
                         f"the deleted topics' {(full - before) / 1e6:.0f} MB are given back", 20)
    lab.step(f"two topics deleted, and gone after SIGKILL: {before / 1e6:.1f} MB before, "
             f"{full / 1e6:.1f} MB with the big topic, {used / 1e6:.1f} MB now")
    lab.cli(node, "topic", "create", "big", "--partitions", 4)
    for p in range(4):
        harness.check_equal(lab.consume(node, "big", p), [], "records of a new topic of the old name")
    lab.produce(node, "big", [b"new"])
    node.stop()
    lab.step("a new topic of the old name is empty")


harness.main(topics_survive)
