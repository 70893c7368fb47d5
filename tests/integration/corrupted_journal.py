#!/usr/bin/env python3
"""Damaged journal files give a clear verdict: damage of what had been acknowledged ends the start
with status 3 and a sentence, a torn tail is discarded with a warning, and no record ever comes back
with other bytes than were sent."""
import os
import shutil
import struct

import harness

BLOCK = 4096
FRAME_MAGIC = 0x46524843
LINES = 40


class Frame:
    """A group commit in a journal file."""

    def __init__(self, path, offset, lsn, blocks):
        self.path, self.offset, self.lsn, self.blocks = path, offset, lsn, blocks

    @property
    def end(self):
        return self.offset + self.blocks * BLOCK


def journal_files(node):
    folder = os.path.join(node.storage_dir(), "j")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.endswith(".wal")]


def frames_of(path):
    """The file's frames, as docs/formats has them: magic, flags, lsn, file, sizes, blocks."""
    frames = []
    with open(path, "rb") as file:
        header = file.read(BLOCK)
        file_seq = struct.unpack_from("<Q", header, 32)[0]
        while True:
            offset = BLOCK if not frames else frames[-1].end
            file.seek(offset)
            head = file.read(64)
            if len(head) < 64:
                return frames
            magic, _, lsn, seq, _, _, blocks = struct.unpack_from("<IIQQIII", head)
            if magic != FRAME_MAGIC or seq != file_seq or (frames and lsn != frames[-1].lsn + 1):
                return frames
            frames.append(Frame(path, offset, lsn, blocks))


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def zero(path, offset, size):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\0" * size)


def cut(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


class Case:
    """A copy of the data directory, to be damaged and started from."""

    def __init__(self, lab, original, lines):
        self.lab, self.original, self.lines = lab, original, lines
        self.node = None

    def begin(self, name):
        self.node = self.lab.node("damaged")
        self.node.data_dir = self.lab.path("damaged.data")
        self.node.sections["log_storage.main"].update(
            self.original.sections["log_storage.main"])
        shutil.rmtree(self.node.data_dir, ignore_errors=True)
        shutil.copytree(self.original.data_dir, self.node.data_dir)
        self.name = name
        # The last file with frames: one more is prepared for the time when it is full.
        return next((path, frames) for path in reversed(journal_files(self.node))
                    if (frames := frames_of(path)))

    def expect_refused(self, *words):
        status, text = self.node.start_refused()
        harness.check_equal(status, 3, f"{self.name}: exit status of the start\n{text}\n")
        verdicts = [line for line in text.splitlines() if line.startswith("chronikd: ")]
        harness.check(verdicts and all(word in verdicts[-1] for word in words),
                      f"{self.name}: no sentence with {words}:\n{text}")
        self.lab.step(f"{self.name}: exit status 3: {self.shown(verdicts[-1])}")

    def expect_started(self, at_least, warning=None):
        self.node.start()
        found = [value for _, value in self.lab.consume(self.node, "t", 0)]
        harness.check(found == self.lines[:len(found)],
                      f"{self.name}: what is there isn't the beginning of what was sent")
        harness.check(len(found) >= at_least, f"{self.name}: {len(found)} records are left, expected "
                      f"at least {at_least}")
        line = ""
        if warning:
            line = next((l for l in self.node.lines() if warning in l), None)
            harness.check(line is not None, f"{self.name}: no line with '{warning}'")
        else:
            bad = [l for l in self.node.lines() if "discarded" in l]
            harness.check(not bad, f"{self.name}: unexpected: {bad}")
        # It goes on from there.
        self.lab.produce(self.node, "t", [b"one more"])
        again = [value for _, value in self.lab.consume(self.node, "t", 0)]
        harness.check_equal(again, found + [b"one more"], f"{self.name}: after one more record")
        self.node.kill()
        self.lab.step(f"{self.name}: started with {len(found)} of {len(self.lines)} records. "
                      f"{self.shown(line)}")

    def shown(self, text):
        return text.replace(self.node.data_dir + "/", "")


def corrupted_journal(lab):
    node = lab.node("original")
    node.sections["log_storage.main"].update({"segment_wal.journal_file_size": "2MiB"})
    node.start()
    lab.cli(node, "topic", "create", "t")
    # One after the other: a frame each at least. The last is long: a frame of several blocks.
    lines = [b"line %d " % i + bytes([97 + i % 26]) * (50 if i < LINES - 1 else 20000)
             for i in range(LINES)]
    for line in lines:
        lab.produce(node, "t", [line])
    node.kill()
    case = Case(lab, node, lines)

    path, frames = case.begin("nothing damaged")
    with open(path, "rb") as file:
        content = file.read()
    marks = [content.find(b"line %d " % i) for i in range(LINES)]
    harness.check(min(marks) > 0, "the records aren't where this test looks for them")

    def frame_of(line):
        return next(i for i, f in enumerate(frames) if f.offset <= marks[line] < f.end)
    last = frames[-1]
    long = frames[frame_of(LINES - 1)]
    harness.check(long.blocks >= 5, "the long record isn't in a frame of several blocks")
    case.expect_started(LINES)

    path, frames = case.begin("a byte of an early record")
    flip(path, marks[3] + 10)
    case.expect_refused(os.path.basename(path), "damaged", "durable")

    path, frames = case.begin("an early frame's header")
    flip(path, frames[frame_of(5)].offset)
    case.expect_refused(os.path.basename(path), "damaged")

    path, frames = case.begin("the checksum of an early block")
    flip(path, frames[frame_of(7)].offset + BLOCK - 16)
    case.expect_refused(os.path.basename(path), "damaged")

    path, frames = case.begin("an early frame of zeros")
    frame = frames[frame_of(9)]
    zero(path, frame.offset, frame.blocks * BLOCK)
    case.expect_refused(os.path.basename(path), "damaged")

    path, frames = case.begin("the file's header")
    flip(path, 40)
    case.expect_refused(os.path.basename(path), "header")

    path, frames = case.begin("the file gone")
    os.unlink(path)
    case.expect_refused("missing")

    path, frames = case.begin("the file cut in the middle of a frame")
    cut(path, frames[frame_of(20)].offset + 100)
    case.expect_refused(os.path.basename(path))

    path, frames = case.begin("the file cut between two frames")
    cut(path, frames[frame_of(20)].offset)
    case.expect_refused(os.path.basename(path))

    # What follows the long record's frame is no client's: without it, that frame is the tail.
    def without_what_follows(frames):
        at = frame_of(LINES - 1)
        if frames[at] is not frames[-1]:
            zero(path, frames[at].end, frames[-1].end - frames[at].end)
        return frames[at]

    path, frames = case.begin("the last frame's end was never written")
    tail = without_what_follows(frames)
    zero(path, tail.offset + 2 * BLOCK, (tail.blocks - 2) * BLOCK)
    case.expect_started(LINES - 1, "an unfinished write was discarded")

    path, frames = case.begin("a byte of the last frame")
    tail = without_what_follows(frames)
    flip(path, tail.offset + BLOCK + 77)
    case.expect_started(LINES - 1, "torn or damaged")

    path, frames = case.begin("the same, ambiguous_tail = refuse")
    tail = without_what_follows(frames)
    flip(path, tail.offset + BLOCK + 77)
    case.node.sections["log_storage.main"]["segment_wal.ambiguous_tail"] = "refuse"
    case.expect_refused(os.path.basename(path), "torn or damaged")

    # Bytes anywhere: a verdict, or a beginning of what was sent; never anything else.
    refused = 0
    for attempt in range(10):
        path, frames = case.begin(f"random byte {attempt}")
        at = lab.random.randrange(BLOCK, frames[-1].end)
        flip(path, at)
        case.node.launch()
        harness.until(lambda: case.node.process.poll() is not None or
                      any(l.endswith("is ready") for l in case.node.lines()), "a verdict")
        if case.node.process.poll() is not None:
            harness.check_equal(case.node.process.poll(), 3, f"byte {at}: exit status")
            refused += 1
            continue
        case.node.api = case.node.await_line(r"frontend 'api' listens on (\S+)").group(1)
        found = [value for _, value in lab.consume(case.node, "t", 0)]
        harness.check(found == lines[:len(found)], f"byte {at}: wrong bytes came back")
        harness.check(len(found) >= LINES - 1, f"byte {at}: only {len(found)} records are left")
        case.node.kill()
    lab.step(f"10 bytes anywhere: {refused} times refused, else what was sent")


harness.main(corrupted_journal)
