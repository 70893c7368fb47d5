#!/usr/bin/env python3
"""A full disk refuses records with a clear error while the node lives and reads on, and takes them
again when there is space: on ext4, and on tmpfs. Needs root, to mount small file systems."""
import os

import harness
import verify

SIZE_MIB = 64
BALLAST_MIB = 32


def mount(lab, kind):
    if os.geteuid() != 0:
        raise harness.Skipped("only root may mount a small file system")
    place = lab.path(kind)
    os.mkdir(place)
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", place]
    else:
        image = lab.path("image")
        with open(image, "wb") as file:
            file.truncate(SIZE_MIB << 20)
        made = lab.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image])
        harness.check(made.status == 0, lambda: str(made))
        command = ["mount", "-o", "loop", image, place]
    mounted = lab.run(command)
    if mounted.status != 0:
        raise harness.Skipped(f"{kind}: {mounted.err.decode().strip()}")
    lab.at_end.append(lambda: lab.run(["umount", "-l", place]))
    return place


def fill_and_free(lab, kind, min_free):
    place = mount(lab, kind)
    name = f"{kind}, min_free_bytes {min_free}"
    node = lab.node(f"node-{kind}", stable_port=True)
    node.data_dir = os.path.join(place, "data")
    node.sections["log_storage.main"].update({
        "segment_wal.min_free_bytes": min_free, "segment_wal.journal_file_size": "2MiB",
        "segment_wal.checkpoint_bytes": "4MiB", "segment_wal.segment_size": "1MiB"})
    node.start()
    ballast = os.path.join(place, "ballast")
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, BALLAST_MIB << 20)
    lab.cli(node, "topic", "create", "t", "--partitions", 2)

    # Until nothing is taken any more.
    lines = [b"%06d " % i + bytes([97 + i % 26]) * 20_000 for i in range(4000)]
    path = lab.path("lines")
    harness.write_lines(path, lines)
    first_log, second_log = lab.path("first.acked"), lab.path("second.acked")
    ended = lab.try_cli(node, "produce", "t", "--file", path, "--acked-log", first_log, "--timeout",
                        "2s", deadline_s=120)
    node.check_alive()
    harness.check(ended.status in (1, 4), lambda: f"{name}: {ended}")
    first = harness.read_acked_log(first_log)
    harness.check(first, f"{name}: nothing was acknowledged at all")
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    lab.step(f"{name}: full after {len(first)} records with {free / 1e6:.1f} MB free")

    # What was under way when it got full waits; what comes now is refused.
    ended = lab.try_cli(node, "produce", "t", "--timeout", "1s", stdin=b"too late\n")
    harness.check(ended.status == 1, lambda: f"{name}: {ended}")
    text = ended.err.decode("utf-8", "replace").strip()
    harness.check("no_space" in text, f"{name}: a producer isn't told that the disk is full: {text}")
    lab.step(f"{name}: {text.splitlines()[-1]}")

    # It lives, and reads.
    stored = [lab.consume(node, "t", p) for p in range(2)]
    verify.check_acknowledged(lines, first, stored, 2)
    lab.status(node)

    # A patient producer waits, and goes on when there is space.
    few = lines[:300]
    few_path = lab.path("few")
    harness.write_lines(few_path, few)
    producer = lab.background_cli("patient", node, "--json", "produce", "t", "--file", few_path,
                                  "--acked-log", second_log, "--timeout", "90s")
    harness.until(lambda: os.path.exists(second_log) or not producer.running(), "the producer waits")
    os.unlink(ballast)
    ended = producer.end(120)
    harness.check(ended.status == 0, lambda: f"{name}: {ended}")
    second = harness.read_acked_log(second_log)
    harness.check_equal(len(second), len(few), f"{name}: records acknowledged after space came back")
    lab.step(f"{name}: space came back, {len(second)} more records")

    # Started without any room: it starts, or says what is missing and leaves all as it is.
    node.kill()
    with open(ballast, "wb") as file:
        room = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        os.posix_fallocate(file.fileno(), 0, max(4096, room - (256 << 10)))
    node.launch()
    harness.until(lambda: node.process.poll() is not None or
                  any(line.endswith("is ready") for line in node.lines()), "a verdict")
    if node.process.poll() is not None:
        text = "\n".join(node.lines())
        harness.check_equal(node.await_end(), 3, f"{name}: exit status of a start without room: {text}")
        harness.check("space" in text, f"{name}: it doesn't say that space is missing: {text}")
        lab.step(f"{name}: not started without room: {text.splitlines()[-1]}")
    else:
        lab.step(f"{name}: started without room")
    os.unlink(ballast)

    for how in (node.kill, node.kill, node.stop):
        how()
        node.start()
        stored = [lab.consume(node, "t", p) for p in range(2)]
        verify.check_acknowledged(lines, first, stored, 2)
        verify.check_acknowledged(few, second, stored, 2)
        offsets = {(p, o) for p, o, _ in first} & {(p, o) for p, o, _ in second}
        harness.check(not offsets, f"{name}: one offset for two records: {sorted(offsets)[:3]}")
    lab.step(f"{name}: all {len(first) + len(second)} acknowledged records are there after starts")
    node.stop()


def full_disk(lab):
    fill_and_free(lab, "ext4", "0")
    fill_and_free(lab, "tmpfs", "4MiB")


harness.main(full_disk)
