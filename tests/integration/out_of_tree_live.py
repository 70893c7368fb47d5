#!/usr/bin/env python3
"""Plugins that were built outside the tree with the SDK's headers alone, a log storage in C and a
state machine in C++, are put in a directory and used by a node that only its config tells about
them: a stream kept by the one, a counter run by the other."""
import os

import harness

PARTITIONS = 3


def out_of_tree_live(lab):
    plugins = lab.path("plugins")
    built = lab.run([os.path.join(lab.source_dir, "out_of_tree/build.sh"), plugins], deadline_s=300)
    harness.check(built.status == 0, lambda: str(built))
    lab.step("built " + " and ".join(sorted(os.listdir(plugins))))

    node = lab.node()
    node.plugin_dirs.append(plugins)
    node.sections["log_storage.foreign"] = {"plugin": "ram_log", "volatile": "accept"}
    node.sections["state_machine.counter"] = {"plugin": "counter", "limit": "5"}
    node.start()

    # A stream on the C log storage.
    lines = harness.make_lines(harness.records_wanted(50_000), lab.seed)
    lab.cli(node, "topic", "create", "stream", "--partitions", PARTITIONS, "--log-storage", "foreign")
    shown = lab.cli(node, "--json", "topic", "describe", "stream").json()
    harness.check_equal(shown["log_storage"], "foreign", "the topic's log storage")
    lab.produce(node, "stream", lines)
    found = [value for p in range(PARTITIONS) for _, value in lab.consume(node, "stream", p)]
    harness.check(sorted(found) == sorted(lines), "the stream on ram_log isn't what was produced")
    lab.step(f"{len(lines)} records through the log storage in C")

    # The counter, on either log storage. A batch isn't a number: each entry adds one, and the
    # answer is the sum.
    for topic, storage in (("count", "main"), ("count-foreign", "foreign")):
        lab.cli(node, "topic", "create", topic, "--state-machine", "counter", "--log-storage", storage)
        for expected in range(1, 6):
            acked_log = lab.path("acked")
            lab.cli(node, "produce", topic, "--acked-log", acked_log, stdin=b"tick\n")
            harness.check_equal(harness.read_acked_log(acked_log), [(0, expected, 1)],
                                f"{topic}: answer to entry {expected}")
        refused = lab.try_cli(node, "produce", topic, "--timeout", "5s", stdin=b"tick\n")
        harness.check(refused.status == 1 and b"the counter has reached its limit" in refused.err,
                      lambda: str(refused))
        replica = next(r for r in lab.status(node)["replicas"] if r["topic"] == topic)
        harness.check_equal(replica["end_offset"], 5, f"{topic}: entries that the counter applied")
        lab.step(f"{topic}: counts to its limit of 5, kept by '{storage}'")

    node.kill()
    node.start()
    replica = harness.until(
        lambda: next((r for r in lab.status(node)["replicas"] if r["topic"] == "count"
                      and r["end_offset"] == 5), None), "the counter is replayed from its log")
    harness.check_equal(replica["role"], "leader", "the counter's role")
    refused = lab.try_cli(node, "produce", "count", "--timeout", "5s", stdin=b"tick\n")
    harness.check_equal(refused.status, 1, "the counter at its limit, after a restart")
    lab.step("after SIGKILL the counter on segment_wal has its sum again")
    node.stop()

    # Without the directory, the config's plugins don't exist.
    node.plugin_dirs.remove(plugins)
    status, text = node.start_refused()
    harness.check_equal(status, 2, "exit status without the plugins")
    harness.check("ram_log" in text and "counter" in text, lambda: f"not named: {text}")
    lab.step("without the directory: exit status 2, both named")


harness.main(out_of_tree_live)
