"""What the integration tests share: a node in a process of its own, the command line, records.

A test is a script with one function and `harness.main(function)` at its end:

    def crash_loop(lab):
        node = lab.node()
        node.start()
        lab.cli(node, "topic", "create", "t")
        ...

The first argument is the directory with `chronikd` and `chronik`. Everything a test makes is in a
directory of its own, everything it starts ends with it. Nothing sleeps blindly: whatever is waited
for has a deadline, and a failure shows the end of each node's log.

Environment: CHRONIK_TEST_RECORDS (a smaller number for a quick run), CHRONIK_TEST_SEED,
CHRONIK_TEST_KEEP=1 (leave the directory).
"""
import collections
import ctypes
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

DEADLINE_S = 60  # for what takes a second at most on an idle machine
SKIPPED = 77     # ctest's SKIP_RETURN_CODE

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """The claim doesn't hold."""


class Skipped(Exception):
    """This machine can't run the test; says what is missing."""


def check(condition, message):
    if not condition:
        raise Failed(message() if callable(message) else message)


def check_equal(found, expected, what):
    check(found == expected, lambda: f"{what}: expected {expected!r}, found {found!r}")


def until(condition, what, deadline_s=DEADLINE_S):
    """Waits until `condition()` is true and returns what it returned."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, lambda: f"not within {deadline_s} s: {what}")
        time.sleep(0.01)


def records_wanted(full):
    """How many records a test uses: `full`, or fewer if the environment says so."""
    return min(full, int(os.environ.get("CHRONIK_TEST_RECORDS", full)))


def _dies_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _clean_environment():
    return {k: v for k, v in os.environ.items()
            if not k.startswith("CHRONIK_") or k.startswith("CHRONIK_TEST_")}


class Ended:
    """A command that has ended: exit status and output, as bytes."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    def text(self):
        return self.out.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        name = os.path.basename(self.command[0])
        shown = " ".join([name] + [str(word) for word in self.command[1:]])
        return (f"{shown}\n  exit status {self.status}"
                f"\n  {self.err.decode('utf-8', 'replace').strip()[-2000:]}")


class Process:
    """A command that runs in the background, with its output in files."""

    def __init__(self, lab, name, command, stdin=None):
        self.command = command
        self.path = lab.path(name)
        with open(self.path + ".out", "wb") as out, open(self.path + ".err", "wb") as err:
            self.popen = subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=out,
                                          stderr=err, env=_clean_environment(), cwd=lab.home,
                                          preexec_fn=_dies_with_parent)
        lab.started.append(self)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def stdin(self):
        return self.popen.stdin

    def running(self):
        return self.popen.poll() is None

    def kill(self):
        if self.running():
            self.popen.kill()
        self.popen.wait()
        if self.popen.stdin is not None:
            try:
                self.popen.stdin.close()
            except BrokenPipeError:
                pass

    def end(self, deadline_s=DEADLINE_S):
        """Waits until it ends by itself."""
        try:
            status = self.popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"still running after {deadline_s} s: {' '.join(self.command)}\n"
                         + _tail(self.path + ".err")) from None
        return Ended(self.command, status, _content(self.path + ".out"),
                     _content(self.path + ".err"))


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def _tail(path, lines=30):
    if not os.path.exists(path):
        return f"  ({os.path.basename(path)} isn't there)"
    text = _content(path)[-65536:].decode("utf-8", "replace").splitlines()[-lines:]
    return "\n".join(f"  {os.path.basename(path)}: {line}" for line in text)


class Node:
    """A node with its config and its data directory; started and ended any number of times.

    Its port is chosen by the system at each start, unless `stable_port`: then it is the same at
    each, which clients that outlive a start need.
    """

    def __init__(self, lab, name, stable_port):
        self.lab, self.name = lab, name
        self.config_path = lab.path(name + ".conf")
        self.log_path = lab.path(name + ".log")
        self.data_dir = lab.path(name + ".data")
        self.port = _free_port() if stable_port else 0
        self.api = f"127.0.0.1:{self.port}" if stable_port else None
        self.plugin_dirs = [lab.plugin_dir]
        self.sections = collections.OrderedDict([
            ("node", {"id": "1"}),
            ("cluster", {"name": "test"}),
            ("log_storage.main", {"plugin": "segment_wal", "volatile": "accept"}),
            ("frontend.api", {"plugin": "grpc_api"}),
        ])
        self.starts = 0
        self.process = None
        self._reader = None
        self._changed = threading.Condition()
        self._lines = []     # of the run that is going on, or of the last one
        self._closed = True  # its log has ended

    def write_config(self):
        self.sections["node"]["data_dir"] = self.data_dir
        self.sections["frontend.api"]["listen"] = f"127.0.0.1:{self.port}"
        with open(self.config_path, "w", encoding="utf-8") as file:
            for name, keys in self.sections.items():
                file.write(f"[{name}]\n")
                file.writelines(f"{key} = {value}\n" for key, value in keys.items())
            file.write("[plugins]\n")
            file.writelines(f"dir = {directory}\n" for directory in self.plugin_dirs)

    # ---- Starting and ending

    def launch(self):
        """Starts the process without waiting for it to be ready."""
        check(self.process is None or self.process.poll() is not None, "the node runs already")
        self.write_config()
        self._lines, self._closed = [], False
        self.starts += 1
        self.process = subprocess.Popen(
            [self.lab.chronikd, "--config", self.config_path], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_clean_environment(),
            cwd=self.lab.home, preexec_fn=_dies_with_parent)
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def start(self, deadline_s=DEADLINE_S):
        """Starts the process and waits until it is ready."""
        began = time.monotonic()
        self.launch()
        self.await_line(r"is ready$", deadline_s)
        self.api = self.await_line(r"frontend 'api' listens on (\S+)").group(1)
        return time.monotonic() - began

    def start_refused(self, deadline_s=DEADLINE_S):
        """Starts the process, which has to end by itself: (exit status, standard error)."""
        self.launch()
        return self.await_end(deadline_s), "\n".join(self._lines)

    def await_end(self, deadline_s=DEADLINE_S):
        try:
            status = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} hasn't ended after {deadline_s} s") from None
        self._reader.join()
        return status

    def kill(self):
        """SIGKILL."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def runs_for(self, seconds):
        """Returns after so long, or when the process has ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def stop(self, deadline_s=DEADLINE_S):
        """SIGTERM; the node has to end cleanly."""
        self.process.send_signal(signal.SIGTERM)
        check_equal(self.await_end(deadline_s), 0, f"{self.name}'s exit status after SIGTERM")

    def restart(self):
        self.stop()
        return self.start()

    def check_alive(self):
        check(self.process.poll() is None,
              lambda: f"{self.name} has ended by itself, exit status {self.process.poll()}")

    # ---- The log

    def _read(self, pipe):
        with open(self.log_path, "ab") as log:
            log.write(b"---- start %d\n" % self.starts)
            for line in pipe:
                log.write(line)
                log.flush()
                with self._changed:
                    self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._changed.notify_all()
        pipe.close()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def lines(self):
        """What this run has logged so far."""
        with self._changed:
            return list(self._lines)

    def await_line(self, pattern, deadline_s=DEADLINE_S):
        """The first line of this run that matches."""
        end = time.monotonic() + deadline_s
        seen = 0
        with self._changed:
            while True:
                while seen < len(self._lines):
                    found = re.search(pattern, self._lines[seen])
                    seen += 1
                    if found:
                        return found
                check(not self._closed, lambda: f"{self.name} has ended without a line that matches "
                      f"'{pattern}', exit status {self.process.wait()}")
                check(self._changed.wait(end - time.monotonic()) or time.monotonic() < end,
                      f"{self.name}: no line that matches '{pattern}' within {deadline_s} s")

    # ---- What the system says of it

    def proc_status(self, key):
        """A line of /proc/PID/status, in its unit."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(rf"^{key}:\s+(\d+)", file.read(), re.MULTILINE).group(1))

    def storage_dir(self, name="main"):
        return os.path.join(self.data_dir, "log_storage", name)


def _free_port():
    """A port that nobody listens on, below those that outgoing connections take theirs from: a
    client that reconnects meanwhile could be given the very port of its node, and keep it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="utf-8") as file:
        lowest = int(file.read().split()[0])
    for _ in range(1000):
        port = random.SystemRandom().randrange(10000, max(10001, min(lowest, 65000)))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failed("no free port")


class Lab:
    """Where one test happens."""

    def __init__(self, bin_dir, home):
        self.home = home
        self.chronikd = os.path.join(bin_dir, "chronikd")
        self.chronik = os.path.join(bin_dir, "chronik")
        self.plugin_dir = os.path.realpath(os.path.join(bin_dir, "../lib/chronik/plugins"))
        self.source_dir = os.path.dirname(os.path.realpath(__file__))
        seed = os.environ.get("CHRONIK_TEST_SEED")
        self.seed = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)
        self.nodes, self.started, self.at_end = [], [], []
        self._began = time.monotonic()

    def path(self, name):
        return os.path.join(self.home, name)

    def step(self, text):
        print(f"{time.monotonic() - self._began:7.2f} s  {text}", flush=True)

    def node(self, name="node", stable_port=False):
        node = Node(self, name, stable_port)
        self.nodes.append(node)
        return node

    def run(self, command, stdin=b"", deadline_s=DEADLINE_S):
        """Runs a command to its end, whatever its exit status."""
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=deadline_s,
                                  env=_clean_environment(), cwd=self.home, check=False)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"still running after {deadline_s} s: {' '.join(command)}\n"
                         f"  {(late.stderr or b'').decode('utf-8', 'replace')[-1000:]}") from None
        return Ended(command, done.returncode, done.stdout, done.stderr)

    def try_cli(self, node, *words, stdin=b"", deadline_s=DEADLINE_S):
        return self.run([self.chronik, "--api", node.api, *map(str, words)], stdin, deadline_s)

    def cli(self, node, *words, stdin=b"", deadline_s=DEADLINE_S):
        """Runs `chronik`, which has to succeed."""
        ended = self.try_cli(node, *words, stdin=stdin, deadline_s=deadline_s)
        check(ended.status == 0, lambda: str(ended))
        return ended

    def background(self, name, command, stdin=None):
        return Process(self, name, [str(word) for word in command], stdin)

    def background_cli(self, name, node, *words, stdin=None):
        return self.background(name, [self.chronik, "--api", node.api, *words], stdin)

    def produce(self, node, topic, lines, *words, deadline_s=DEADLINE_S):
        """Produces lines with acks=all, all of which have to be acknowledged."""
        summary = self.cli(node, "--json", "produce", topic, "--acks", "all", *words,
                           stdin=b"".join(line + b"\n" for line in lines),
                           deadline_s=deadline_s).json()
        check_equal(summary["acknowledged"], len(lines), f"records acknowledged in {topic}")
        return summary

    def consume(self, node, topic, partition, deadline_s=DEADLINE_S):
        """All of a partition: a list of (offset, value); offsets have to be consecutive."""
        out = self.cli(node, "consume", topic, "--partition", partition, "--until-end",
                       "--print-offsets", deadline_s=deadline_s).out
        return parse_consumed(out, partition)

    def status(self, node):
        return self.cli(node, "--json", "status").json()

    def metric(self, node, name):
        """A metric's value, summed over its labels; 0 if there is none."""
        metrics = self.cli(node, "--json", "status", "--metrics").json().get("metrics", [])
        return sum(metric["value"] for metric in metrics if metric["name"].endswith(name))

    def close(self):
        for process in reversed(self.started):
            process.kill()
        for node in self.nodes:
            node.kill()
        for undo in reversed(self.at_end):
            undo()


def parse_consumed(out, partition):
    """The lines of `consume --print-offsets` of one partition: a list of (offset, value)."""
    lines = out.split(b"\n")
    check(lines.pop() == b"", "the last record has no newline behind it")
    records = []
    expected = None
    for line in lines:
        parts = line.split(b"\t", 2)
        check(len(parts) == 3 and parts[0] == b"%d" % partition,
              lambda: f"partition {partition}: not PARTITION, OFFSET, value: {line[:80]!r}")
        offset = int(parts[1])
        check(expected is None or offset == expected,
              lambda: f"partition {partition}: offset {offset} follows {expected - 1}")
        expected = offset + 1
        records.append((offset, parts[2]))
    return records


def read_acked_log(path):
    """The lines of `produce --acked-log`: a list of (partition, offset, line number from 1). A last
    line that was cut off with its writer counts as not written."""
    text = _content(path)
    return [tuple(map(int, line.split(b"\t"))) for line in text[:text.rfind(b"\n") + 1].splitlines()]


# ---- Records

_WORDS = [b"GET", b"PUT", b"partition", b"leader", b"/var/log/messages", b"200", b"404", b"offset",
          b"user=anna", "user=Jürgen".encode(), "日本語".encode(), b'{"id": 17, "ok": true}',
          b"a\tb", b"key:value", b"  ", b"segment", b"\r"]


def make_lines(count, seed):
    """Lines as they occur, and as they shouldn't: words, empty ones, tabs, any bytes but newlines,
    and now and then a long one. The same seed gives the same lines. Equal lines occur."""
    chance = random.Random(seed)
    blob = bytes(chance.randrange(256) for _ in range(1 << 16)).replace(b"\n", b"\0")
    lines = []
    for number in range(count):
        kind = chance.random()
        if kind < 0.90:
            text = b" ".join(chance.choices(_WORDS, k=chance.randrange(1, 8)))
            lines.append(b"%d %s" % (number, text))
        elif kind < 0.94:
            lines.append(b"")
        elif kind < 0.95:
            lines.append(b"\t" * chance.randrange(1, 4))
        elif kind < 0.999:
            at = chance.randrange(len(blob) - 400)
            lines.append(blob[at:at + chance.randrange(1, 400)])
        else:
            at = chance.randrange(len(blob) // 2)
            lines.append(blob[at:at + chance.randrange(4000, 30000)])
    return lines


def write_lines(path, lines):
    with open(path, "wb") as file:
        file.writelines(line + b"\n" for line in lines)


# ---- Running a test

def main(test):
    """Runs `test(lab)` and exits: 0 it holds, 1 it doesn't, 77 it can't be run here."""
    if len(sys.argv) < 2:
        print(f"usage: {sys.argv[0]} DIRECTORY_WITH_CHRONIKD_AND_CHRONIK", file=sys.stderr)
        sys.exit(2)
    # SIGTERM, so that a test that is stopped still cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    home = tempfile.mkdtemp(prefix="chronik-test.")
    lab = Lab(os.path.realpath(sys.argv[1]), home)
    status = 1
    try:
        print(f"{test.__name__}: seed {lab.seed} (CHRONIK_TEST_SEED repeats it)", flush=True)
        test(lab)
        lab.step("ok")
        status = 0
    except Skipped as why:
        print(f"skipped: {why}")
        status = SKIPPED
    except Failed as why:
        lab.step(f"FAILED: {why}")
    except Exception:  # noqa: whatever it was, the logs are wanted
        traceback.print_exc(file=sys.stdout)
        lab.step("FAILED")
    finally:
        if status == 1:
            for path in dict.fromkeys(node.log_path for node in lab.nodes):
                print(_tail(path))
            for process in lab.started:
                print(_tail(process.path + ".err", 5))
        lab.close()
        if os.environ.get("CHRONIK_TEST_KEEP") == "1":
            print(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    sys.exit(status)
