#!/usr/bin/env python3
"""chronikd as a process: exit codes, one line per mistake, nothing touched when it refuses.

Usage: chronikd_test.py CHRONIKD PLUGIN_DIRECTORY
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

CHRONIKD = PLUGINS = None
DEADLINE_S = 60
GOOD = """[node]
id = 1
data_dir = {home}/data
[cluster]
name = demo
[log_storage.main]
plugin = memory
volatile = accept
"""


class Chronikd(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="chronik_test_")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.config = self.home + "/t.conf"
        self.write(GOOD)

    def write(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace("{home}", self.home))

    def command(self, *flags, plugins=None):
        # The environment is as given: nothing of the caller's CHRONIK_ variables.
        return [CHRONIKD, "--config", self.config, f"--plugins.dir={plugins or PLUGINS}", *flags]

    def run_to_end(self, *flags, plugins=None, environment=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CHRONIK_")}
        return subprocess.run(self.command(*flags, plugins=plugins), capture_output=True, text=True,
                              timeout=DEADLINE_S, env=clean | (environment or {}), check=False)

    def start(self, *flags):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CHRONIK_")}
        node = subprocess.Popen(self.command(*flags), stderr=subprocess.PIPE, text=True, env=clean)
        self.addCleanup(node.stderr.close)
        self.addCleanup(node.wait)
        self.addCleanup(node.kill)
        for line in node.stderr:
            if line.rstrip().endswith("is ready"):
                return node
        self.fail(f"not ready, exit code {node.wait()}")

    def assert_refused(self, message, *flags, plugins=None, environment=None):
        before = self.tree()
        ended = self.run_to_end(*flags, plugins=plugins, environment=environment)
        self.assertEqual(ended.returncode, 2, ended.stderr)
        lines = ended.stderr.replace(self.home + "/", "").splitlines()
        self.assertEqual(lines, ["chronikd: " + message])
        self.assertEqual(self.tree(), before)

    def tree(self):
        return sorted(os.path.join(path, name) for path, folders, names in os.walk(self.home)
                      for name in folders + names)

    def test_each_mistake_in_the_config_is_one_line_and_exit_code_2(self):
        for text, message in [
            ("id = 1\nidd = 1", "t.conf:3: node.idd: unknown key: did you mean 'id'?"),
            ("id = x", "t.conf:2: node.id: expected a whole number, not negative, found 'x'"),
            ("id = 0", "t.conf:2: node.id: expected at least 1, found '0'"),
        ]:
            self.write(GOOD.replace("id = 1", text))
            self.assert_refused(message)
        self.write(GOOD)
        self.assert_refused(
            "t.conf:7: log_storage.main.plugin: plugin 'memory' forgets everything when the node "
            "stops: write 'volatile = accept' if that is meant, or take another plugin",
            "--log_storage.main.volatile=refuse")
        self.assert_refused("CHRONIK_NODE_ID: node.id: expected at least 1, found '0'",
                            environment={"CHRONIK_NODE_ID": "0"})
        self.assert_refused("--raft.pre_vot: unknown key: did you mean 'pre_vote'?",
                            "--raft.pre_vot=true")

    def test_a_missing_plugin_is_told_with_the_nearest_name(self):
        ended = self.run_to_end("--log_storage.main.plugin=memori")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("--log_storage.main.plugin: no log_storage plugin named 'memori': did you mean "
                      f"'memory'? (looked in {PLUGINS})", ended.stderr)
        self.assertFalse(os.path.exists(self.home + "/data"))

    def test_two_plugins_with_one_name_are_refused(self):
        plugins = self.home + "/plugins"
        os.mkdir(plugins, 0o755)
        for name in ("a.so", "b.so"):
            shutil.copy(PLUGINS + "/memory.so", f"{plugins}/{name}")
            os.chmod(f"{plugins}/{name}", 0o755)
        self.assert_refused("plugin plugins/b.so: its log_storage 'memory' has the name of one in "
                            "plugins/a.so; remove one of the two", plugins=plugins)

    def test_a_directory_that_cannot_be_used_is_refused(self):
        with open(self.home + "/file", "w", encoding="utf-8"):
            pass
        self.assert_refused("data_dir 'file/data' can't be used: 'file' isn't a directory",
                            f"--node.data_dir={self.home}/file/data")

    def test_another_nodes_directory_and_a_second_node_are_refused(self):
        node = self.start()
        self.assert_refused(f"data_dir 'data' is in use by process {node.pid}: stop that node first, "
                            "or use another data_dir")
        node.send_signal(signal.SIGKILL)
        node.wait()
        self.assert_refused("data_dir 'data' belongs to node 1, not to node 2: correct node.id, or "
                            "use another data_dir", "--node.id=2")
        self.start()  # the lock went with the process

    def test_checking_and_printing_touch_nothing(self):
        before = self.tree()
        checked = self.run_to_end("--check-config")
        self.assertEqual((checked.returncode, checked.stdout), (0, "the config is good\n"))
        printed = self.run_to_end("--print-config", "--node.shards=2",
                                  environment={"CHRONIK_LOG_LEVEL": "warn"})
        self.assertEqual(printed.returncode, 0)
        self.assertRegex(printed.stdout, r"(?m)^shards = 2 +# --node\.shards$")
        self.assertRegex(printed.stdout, r"(?m)^level = warn +# CHRONIK_LOG_LEVEL$")
        self.assertRegex(printed.stdout, r"(?m)^name = demo +# .*/t\.conf:5$")
        self.assertEqual(self.tree(), before)

    def test_sigterm_and_sigint_stop_it_with_exit_code_0(self):
        for which in (signal.SIGTERM, signal.SIGINT):
            node = self.start()
            node.send_signal(which)
            self.assertEqual(node.wait(DEADLINE_S), 0)

    def test_version_and_help(self):
        for flag, start in (("--version", "chronikd "), ("--help", "Usage: chronikd ")):
            ended = subprocess.run([CHRONIKD, flag], capture_output=True, text=True, check=False)
            self.assertEqual(ended.returncode, 0)
            self.assertTrue(ended.stdout.startswith(start))


if __name__ == "__main__":
    CHRONIKD, PLUGINS = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
