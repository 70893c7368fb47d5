#!/usr/bin/env python3
"""What is produced is what is consumed: a million lines of any bytes, in order per partition, equal
overall; with and without keys; with segment_wal across a restart, and with memory, by one line of
the config."""
import time

import harness
import verify

PARTITIONS = 4


def murmur2(data):
    """As Kafka's clients choose the partition of a key."""
    mask = 0xffffffff
    m = 0x5bd1e995
    h = (0x9747b28c ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)


def produce(lab, node, topic, path, acked_log, *words):
    began = time.monotonic()
    summary = lab.cli(node, "--json", "produce", topic, "--file", path, "--acks", "all",
                      "--acked-log", acked_log, *words, deadline_s=300).json()
    took = time.monotonic() - began
    lab.step(f"produced {summary['acknowledged']} records into {topic}: "
             f"{summary['acknowledged'] / took:,.0f} records/s, {summary['bytes'] / took / 1e6:.1f} MB/s,"
             f" {summary['batches']} batches")
    return harness.read_acked_log(acked_log)


def consume(lab, node, topic):
    began = time.monotonic()
    stored = [lab.consume(node, topic, p, deadline_s=300) for p in range(PARTITIONS)]
    took = time.monotonic() - began
    count = sum(map(len, stored))
    lab.step(f"consumed {count} records of {topic}: {count / took:,.0f} records/s")
    return stored


def keyless(lab, node, path, lines):
    lab.cli(node, "topic", "create", "keyless", "--partitions", PARTITIONS)
    acked = produce(lab, node, "keyless", path, lab.path("keyless.acked"))
    stored = consume(lab, node, "keyless")
    verify.check_all_there(lines, acked, stored, PARTITIONS)
    if len(lines) > 50000:
        harness.check(all(stored), "keyless records weren't spread over the partitions")
    return stored


def keyed(lab, node, lines):
    sent = [b"%s|%s" % (b"key-%d" % (number % 1000), line.replace(b"|", b"/"))
            for number, line in enumerate(lines)]
    path = lab.path("keyed.lines")
    harness.write_lines(path, sent)
    lab.cli(node, "topic", "create", "keyed", "--partitions", PARTITIONS)
    acked = produce(lab, node, "keyed", path, lab.path("keyed.acked"), "--key-separator", "|")
    stored = consume(lab, node, "keyed")
    verify.check_all_there([line.split(b"|", 1)[1] for line in sent], acked, stored, PARTITIONS)
    for partition, _, number in acked:
        key = sent[number - 1].split(b"|", 1)[0]
        harness.check_equal(partition, (murmur2(key) & 0x7fffffff) % PARTITIONS, f"partition of {key}")
    lab.step("each key's records are in the partition that murmur2 chooses")


def produce_consume(lab):
    lines = harness.make_lines(harness.records_wanted(1_000_000), lab.seed)
    path = lab.path("lines")
    harness.write_lines(path, lines)
    lab.step(f"a file of {len(lines)} lines, {sum(map(len, lines)) / 1e6:.1f} MB")
    some = lines[:max(1000, len(lines) // 10)]

    node = lab.node("segment_wal")
    node.start()
    stored = keyless(lab, node, path, lines)
    keyed(lab, node, some)
    took = node.restart()
    lab.step(f"stopped and started again, ready after {took:.2f} s")
    harness.check(consume(lab, node, "keyless") == stored, "not the same after a restart")
    node.stop()

    node = lab.node("memory")
    node.sections["log_storage.main"]["plugin"] = "memory"
    node.start()
    small = lab.path("some")
    harness.write_lines(small, some)
    keyless(lab, node, small, some)
    keyed(lab, node, some)
    node.stop()


harness.main(produce_consume)
