#!/usr/bin/env python3
"""`acks=all` is answered only after the datasync that covers the record: a system-call trace of the
node shows, for each record, the request coming in, its bytes written to the journal, a datasync of
that file begun after the write and back, and only then the answer going out."""
import collections
import os
import re

import harness

RECORDS = 60
MARK = b"sync-me-%06d"

# One entry or exit of a call, in the order in which strace saw them.
Event = collections.namedtuple("Event", "thread call fd path data result entry exit")


def attach(lab, node, trace):
    strace = lab.run(["sh", "-c", "command -v strace || true"]).text().strip()
    if not strace:
        raise harness.Skipped("there is no strace")
    process = lab.background("strace", [
        strace, "-f", "-yy", "-xx", "-s", "100000", "-o", trace,
        "-e", "trace=recvmsg,recvfrom,read,readv,sendmsg,sendto,write,writev,"
              "pwrite64,pwritev,pwritev2,fdatasync,fsync,sync_file_range,io_uring_enter",
        "-p", str(node.process.pid)])
    threads = len(os.listdir(f"/proc/{node.process.pid}/task"))

    def attached():
        if not process.running():
            raise harness.Skipped("strace can't attach: " +
                                  process.end().err.decode("utf-8", "replace").strip())
        tracers = 0
        for task in os.listdir(f"/proc/{node.process.pid}/task"):
            with open(f"/proc/{node.process.pid}/task/{task}/status", encoding="utf-8") as file:
                tracers += f"TracerPid:\t{process.pid}\n" in file.read()
        return tracers >= threads
    harness.until(attached, "strace has attached to all threads")
    return process


def unescape(text):
    return bytes.fromhex(text.replace("\\x", ""))


def parse(trace):
    """The trace's lines as events: per call one, with the line numbers of its entry and its exit."""
    events, unfinished = [], {}
    with open(trace, encoding="latin-1") as file:
        for number, line in enumerate(file):
            thread, _, rest = line.rstrip("\n").partition(" ")
            rest = rest.lstrip()
            if rest.endswith("<unfinished ...>"):
                unfinished[thread] = (number, rest[:-len("<unfinished ...>")])
                continue
            entry = number
            resumed = re.match(r"<\.\.\. \w+ resumed>", rest)
            if resumed:
                if thread not in unfinished:
                    continue  # begun before strace came
                entry, begun = unfinished.pop(thread)
                rest = begun + rest[resumed.end():]
            found = re.match(r"(\w+)\((\d+)<(.*?)>(?:[,) ]|$)", rest)
            result = re.search(r"\)\s+= (-?\d+)(?: [A-Z(].*)?$", rest)
            if not found or not result:
                continue
            data = b"".join(unescape(text) for text in re.findall(r'"((?:\\x[0-9a-f]{2})*)"',
                                                                  rest[found.end() - 1:]))
            path = found.group(3)
            if "\\x" in path:
                path = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), path)
            events.append(Event(thread, found.group(1), int(found.group(2)), path, data,
                                int(result.group(1)), entry, number))
    events.sort(key=lambda event: event.entry)
    return events


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of a protobuf message; bytes for length-delimited fields."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 2:
            size, at = varint(data, at)
            yield tag >> 3, data[at:at + size]
            at += size
        else:
            harness.check(tag & 7 == 0, f"unexpected wire type {tag & 7}")
            value, at = varint(data, at)
            yield tag >> 3, value


def answers(sends):
    """(base offset, event) of each ProduceResult in what was sent on one socket: HTTP/2 frames with
    gRPC messages in DATA."""
    stream = bytearray()
    ends = []  # (bytes sent up to here, event)
    for event in sends:
        stream += event.data[:event.result]
        ends.append((len(stream), event))
    found, at, messages = [], 0, collections.defaultdict(bytearray)
    while at + 9 <= len(stream):
        size = int.from_bytes(stream[at:at + 3], "big")
        kind, stream_id = stream[at + 3], int.from_bytes(stream[at + 5:at + 9], "big")
        at += 9 + size
        if kind != 0:
            continue
        messages[stream_id] += stream[at - size:at]
        message = messages[stream_id]
        while len(message) >= 5 and len(message) >= 5 + int.from_bytes(message[1:5], "big"):
            length = int.from_bytes(message[1:5], "big")
            last = next(event for end, event in ends if end >= at)
            found.append((bytes(message[5:5 + length]), last))
            del message[:5 + length]
    return found


def check_trace(events, records):
    """For each record: request < write < datasync < answer. Returns the number of datasyncs."""
    sends, answered = collections.defaultdict(list), {}
    for event in events:
        if event.call in ("sendmsg", "sendto", "write", "writev") and "TCP" in event.path:
            if event.result > 0:
                sends[event.path].append(event)
    for socket_sends in sends.values():
        for message, event in answers(socket_sends):
            for number, result in fields(message):
                if number != 1 or not isinstance(result, bytes):
                    continue
                parts = dict(fields(result))  # of a ProduceResult: request_id, base_offset
                if set(parts) == {1, 2} and all(isinstance(part, int) for part in parts.values()):
                    answered.setdefault(parts[2], event)
    received = collections.defaultdict(lambda: (bytearray(), []))
    for event in events:
        if event.call.startswith(("recv", "read")) and "TCP" in event.path and event.result > 0:
            stream, ends = received[event.path]
            stream += event.data[:event.result]
            ends.append((len(stream), event))
    covering = 0
    used = set()
    for record in range(records):
        mark = MARK % record
        request = next((next(event for end, event in ends if end >= stream.find(mark) + len(mark))
                        for stream, ends in received.values() if mark in stream), None)
        harness.check(request, f"record {record}: the trace doesn't show its request")
        writes = [e for e in events if e.call.startswith("pwrite") and mark in e.data]
        harness.check(writes, f"record {record}: the trace doesn't show its bytes going to a file")
        write = writes[0]
        answer = answered.get(record)
        harness.check(answer, f"record {record}: the trace doesn't show its answer")
        harness.check(request.exit < write.entry, f"record {record}: written before it came in")
        sync = next((e for e in events if e.call in ("fdatasync", "fsync") and e.path == write.path
                     and e.entry > write.exit and e.result == 0), None)
        harness.check(sync, f"record {record}: no datasync of {write.path} after its write")
        harness.check(sync.exit < answer.entry, lambda: f"record {record}: answered (line "
                      f"{answer.entry + 1} of the trace) before the datasync (line {sync.exit + 1})")
        covering += sync.entry not in used
        used.add(sync.entry)
    return covering


def sync_before_ack(lab):
    node = lab.node()
    node.start()
    lab.cli(node, "topic", "create", "t")
    trace = lab.path("trace")
    acked_log = lab.path("acked")
    producer = lab.background_cli("producer", node, "produce", "t", "--acks", "all", "--acked-log",
                                  acked_log, stdin=harness.subprocess.PIPE)
    strace = attach(lab, node, trace)
    lab.step(f"strace watches node {node.process.pid}")

    def acknowledged():
        return os.path.exists(acked_log) and len(harness.read_acked_log(acked_log))

    before = None
    for record in range(RECORDS):
        producer.stdin.write(MARK % record + b"\n")
        producer.stdin.flush()
        harness.until(lambda: acknowledged() == record + 1, f"record {record} is acknowledged")
        if record == 0:
            before = lab.metric(node, "journal_datasyncs_total")
    grown = lab.metric(node, "journal_datasyncs_total") - before
    harness.check(grown >= RECORDS - 1, f"the node counts {grown} datasyncs for {RECORDS - 1} records "
                  "that were sent one after the other")
    producer.stdin.close()
    harness.check_equal(producer.end().status, 0, "the producer's exit status")
    strace.popen.send_signal(harness.signal.SIGINT)  # it writes what it has and lets the node go
    strace.popen.wait(harness.DEADLINE_S)
    node.stop()

    events = parse(trace)
    syncs = check_trace(events, RECORDS)
    harness.check_equal(syncs, RECORDS, "datasyncs that cover one record each")
    lab.step(f"{RECORDS} records: each was written, synced, then answered; {len(events)} calls seen")

    # The same trace, had the node answered without waiting: the check has to notice.
    for name, broken in [
            ("no datasyncs", [e for e in events if e.call != "fdatasync"]),
            ("datasyncs that fail", [e._replace(result=-1) if e.call == "fdatasync" else e
                                     for e in events]),
            ("datasyncs of another file", [e._replace(path="/elsewhere") if e.call == "fdatasync"
                                           else e for e in events]),
            ("slow datasyncs", [e._replace(exit=e.exit + 1_000_000) if e.call == "fdatasync" else e
                                for e in events])]:
        try:
            check_trace(broken, RECORDS)
        except harness.Failed:
            continue
        raise harness.Failed(f"the check doesn't notice a trace with {name}")
    lab.step("the check refuses the same trace without, with failed, with misplaced, with late syncs")


harness.main(sync_before_ack)
