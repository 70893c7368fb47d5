#!/usr/bin/env python3
"""Producers that are faster than the disk don't fill the node's memory: its peak stays under a bound
that follows from the config, however much they send."""
import os

import harness

PRODUCERS = 4
RECORD_BYTES = 200_000
MIB = 1 << 20
# Admitted proposals, journal writes under way, entries since the last checkpoint and cached ones.
BOUNDS = {"raft.max_inflight_bytes": 16, "max_inflight_bytes": 16, "checkpoint_bytes": 32,
          "tail_cache_bytes": 16}
# The program and its libraries, gRPC's buffers of 4 connections, and what the allocator keeps.
OVERHEAD_MIB = 256


def slow_disk(lab, node):
    """Delays each datasync, where ptrace is allowed; else the disk is as fast as it is."""
    strace = lab.run(["sh", "-c", "command -v strace || true"]).text().strip()
    if not strace:
        return None
    process = lab.background("strace", [strace, "-f", "-o", os.devnull, "-e", "trace=fdatasync", "-e",
                                        "inject=fdatasync:delay_exit=20000",
                                        "-p", str(node.process.pid)])
    def traced():
        tasks = f"/proc/{node.process.pid}/task"
        count = 0
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/status", encoding="utf-8") as file:
                count += f"TracerPid:\t{process.pid}\n" in file.read()
        return count == len(os.listdir(tasks))
    harness.until(lambda: traced() or not process.running(), "strace has attached")
    return process if process.running() else None


def bounded_memory(lab):
    records = max(100, harness.records_wanted(6000) // PRODUCERS)
    node = lab.node()
    node.sections["raft"] = {"max_inflight_bytes": f"{BOUNDS['raft.max_inflight_bytes']}MiB"}
    node.sections["log_storage.main"].update({
        "segment_wal.max_inflight_bytes": f"{BOUNDS['max_inflight_bytes']}MiB",
        "segment_wal.journal_file_size": "8MiB", "segment_wal.segment_size": "8MiB",
        "segment_wal.checkpoint_bytes": f"{BOUNDS['checkpoint_bytes']}MiB",
        "segment_wal.tail_cache_bytes": f"{BOUNDS['tail_cache_bytes']}MiB"})
    node.start()
    lab.cli(node, "topic", "create", "t", "--partitions", 8)
    at_start = node.proc_status("VmHWM") / 1024
    path = lab.path("lines")
    with open(path, "wb") as file:
        for i in range(records):
            file.write(b"%08d " % i + bytes([97 + i % 26]) * RECORD_BYTES + b"\n")
    sent = PRODUCERS * os.path.getsize(path) / MIB
    slowed = slow_disk(lab, node)
    lab.step(f"{PRODUCERS} producers send {sent:.0f} MiB" +
             (", each datasync takes 20 ms longer" if slowed else "; can't slow the disk here"))
    producers = [lab.background_cli(f"producer-{i}", node, "--json", "produce", "t", "--acks", "all",
                                    "--file", path) for i in range(PRODUCERS)]
    seconds = 0
    for producer in producers:
        ended = producer.end(300)
        harness.check(ended.status == 0, lambda: str(ended))
        summary = ended.json()
        harness.check_equal(summary["acknowledged"], records, "records acknowledged")
        seconds = max(seconds, summary["seconds"])
    peak = node.proc_status("VmHWM") / 1024
    # While a checkpoint runs, the entries for the next one gather.
    bound = sum(BOUNDS.values()) + BOUNDS["checkpoint_bytes"] + OVERHEAD_MIB
    harness.check(sent > 2 * bound or records < 1000, "too little was sent to show anything")
    harness.check(peak < bound, f"the node used {peak:.0f} MiB at its peak, the bound is {bound} MiB")
    lab.step(f"{sent:.0f} MiB in {seconds:.1f} s, {sent / seconds:.0f} MiB/s; peak {peak:.0f} MiB, bound "
             f"{bound} MiB, {at_start:.0f} MiB at the start")
    if slowed:
        slowed.popen.send_signal(harness.signal.SIGINT)
        slowed.popen.wait(harness.DEADLINE_S)
    described = lab.cli(node, "--json", "topic", "describe", "t").json()["partition_states"]
    harness.check_equal(sum(p["end_offset"] for p in described), PRODUCERS * records, "records stored")
    node.stop()


harness.main(bounded_memory)
