#!/usr/bin/env python3
"""Measures what `chronik produce` reaches against one node, and rewrites the table of docs/PERFORMANCE.md.

    tests/bench/produce.py [--bin build/release/bin] [--mib 256] [--runs 3] [--write]

For each size of record and number of active partitions, a file of records is produced with acks=all
into a fresh topic; what is printed is the client's own count of acknowledged records over the time it
took, and the node's count of journal datasyncs in that time. Ratios within one run mean something;
absolute figures depend on the machine and on what else it does. Without --write only the table is shown.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "PERFORMANCE.md")
BEGIN, END = "<!-- produce: begin -->", "<!-- produce: end -->"


class Node:
    """A node on a fresh data directory and a free port."""

    def __init__(self, binaries, directory):
        self.binaries = binaries
        config = os.path.join(directory, "node.conf")
        with open(config, "w") as out:
            out.write(
                "[node]\nid = 1\ndata_dir = %s/data\n[cluster]\nname = bench\n"
                "[log_storage.main]\nplugin = segment_wal\n"
                "[frontend.api]\nplugin = grpc_api\nlisten = 127.0.0.1:0\n" % directory)
        self.process = subprocess.Popen([os.path.join(binaries, "chronikd"), "--config", config],
                                        stderr=subprocess.PIPE, text=True)
        self.address = None
        for line in self.process.stderr:
            found = re.search(r"listens on (\S+)", line)
            if found:
                self.address = found.group(1)
            if "is ready" in line:
                return
        raise SystemExit("the node didn't start: " + line)

    def cli(self, *arguments):
        command = [os.path.join(self.binaries, "chronik"), "--api", self.address, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def datasyncs(self):
        metrics = json.loads(self.cli("status", "--metrics", "--json"))["metrics"]
        return sum(m["value"] for m in metrics
                   if m["name"] == "chronik_segment_wal_journal_datasyncs_total")

    def stop(self):
        self.process.terminate()
        self.process.communicate()


def write_records(path, record_bytes, total_bytes):
    count = max(1, total_bytes // record_bytes)
    filler = "x" * record_bytes
    with open(path, "w") as out:
        for i in range(count):
            number = "%d " % i
            out.write(number + filler[len(number):record_bytes] + "\n")
    return count


def measure(node, directory, record_bytes, partitions, total_bytes):
    path = os.path.join(directory, "records")
    count = write_records(path, record_bytes, total_bytes)
    topic = "t%d-%d" % (record_bytes, partitions)
    node.cli("topic", "create", topic, "--partitions", str(partitions))
    before = node.datasyncs()
    result = json.loads(node.cli("produce", topic, "--file", path, "--json"))
    syncs = node.datasyncs() - before
    node.cli("topic", "delete", topic)
    if result["acknowledged"] != count:
        raise SystemExit("%d of %d records acknowledged" % (result["acknowledged"], count))
    seconds = result["seconds"]
    return {"bytes": record_bytes, "partitions": partitions, "records_s": count / seconds,
            "mb_s": count * record_bytes / seconds / 1e6, "syncs_s": syncs / seconds,
            "records_sync": count / max(1, syncs)}


def table(rows):
    lines = ["| record | active partitions | records/s | MB/s | datasyncs/s | records per datasync |",
             "|---|---|---|---|---|---|"]
    for r in rows:
        lines.append("| %s | %d | %s | %.0f | %.0f | %.0f |" % (
            "%d B" % r["bytes"] if r["bytes"] < 1024 else "%d KiB" % (r["bytes"] // 1024),
            r["partitions"], format(int(r["records_s"]), ","), r["mb_s"], r["syncs_s"],
            r["records_sync"]))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"))
    parser.add_argument("--mib", type=int, default=256, help="payload of one measurement")
    parser.add_argument("--runs", type=int, default=3, help="the median of so many is shown")
    parser.add_argument("--write", action="store_true", help="rewrite docs/PERFORMANCE.md")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="chronik-bench.")
    rows = []
    try:
        node = Node(options.bin, directory)
        for record_bytes in (100, 1024, 16384):
            for partitions in (1, 16, 256):
                runs = sorted((measure(node, directory, record_bytes, partitions,
                                       options.mib << 20) for _ in range(options.runs)),
                              key=lambda run: run["records_s"])
                rows.append(runs[len(runs) // 2])
                print("%6d B, %3d partitions: %12s records/s" % (
                    record_bytes, partitions, format(int(rows[-1]["records_s"]), ",")),
                    file=sys.stderr)
        node.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    text = "%s\n%s, %d cores, Linux %s; %d MiB per measurement, median of %d.\n\n%s\n%s" % (
        BEGIN, datetime.date.today().isoformat(), os.cpu_count(), platform.release(), options.mib,
        options.runs, table(rows), END)
    print(table(rows))
    if options.write:
        with open(PAGE) as page:
            old = page.read()
        with open(PAGE, "w") as page:
            page.write(re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: text, old,
                              flags=re.S))


if __name__ == "__main__":
    main()
