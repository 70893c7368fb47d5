"""Compares what was acknowledged with what is there."""
import collections

from harness import check, check_equal


def check_acknowledged(lines, acked, stored, partitions):
    """Each acknowledged record is where its acknowledgement says, with its bytes; none was
    acknowledged twice. `acked`: (partition, offset, line number from 1); `stored`: per partition
    a list of (offset, value)."""
    by_offset = [dict(stored[p]) for p in range(partitions)]
    numbers = set()
    for partition, offset, number in acked:
        check(number not in numbers, lambda: f"line {number} was acknowledged twice")
        numbers.add(number)
        found = by_offset[partition].get(offset)
        check(found is not None, lambda: f"line {number} was acknowledged as offset {offset} of "
              f"partition {partition}, and isn't there")
        check(found == lines[number - 1], lambda: f"line {number}, offset {offset} of partition "
              f"{partition}: sent {lines[number - 1][:80]!r}, found {found[:80]!r}")


def check_order(acked, partitions):
    """Within a partition, offsets grow as line numbers do."""
    per_partition = [[] for _ in range(partitions)]
    for partition, offset, number in acked:
        per_partition[partition].append((offset, number))
    for partition, pairs in enumerate(per_partition):
        pairs.sort()
        for (offset, number), (_, later) in zip(pairs, pairs[1:]):
            check(number < later, lambda: f"partition {partition}: line {number} at offset {offset} "
                  f"comes before line {later}")


def check_all_there(lines, acked, stored, partitions):
    """Everything was acknowledged and is there, once, in order, with nothing beside it."""
    check_equal(len(acked), len(lines), "records acknowledged")
    check_equal(sum(len(stored[p]) for p in range(partitions)), len(lines), "records stored")
    check_acknowledged(lines, acked, stored, partitions)
    check_order(acked, partitions)
    for partition in range(partitions):
        if stored[partition]:
            check_equal(stored[partition][0][0], 0, f"first offset of partition {partition}")
    sent = collections.Counter(lines)
    found = collections.Counter(value for p in range(partitions) for _, value in stored[p])
    check(sent == found, lambda: f"other records than were sent: {list((found - sent).items())[:3]}")
