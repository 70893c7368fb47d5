"""What the checks of this folder share: the files of a source tree, C++ without its comments and
strings, findings, and the frame of a check's main program and self-test.

A check is a function `check(tree) -> list of Finding`. Each has a self-test that plants bad samples in
a temporary tree and demands that exactly they are found: a check that can't fail checks nothing.
"""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CXX_SUFFIXES = (".h", ".hpp", ".cc", ".cpp", ".c")
HEADER_SUFFIXES = (".h", ".hpp")


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


class Tree:
    """The files that belong to the project: tracked ones and new ones that git doesn't ignore."""

    def __init__(self, root):
        self.root = Path(root)
        self._paths = sorted(self._from_git() or self._from_walk())
        self._texts = {}

    def paths(self, *folders, suffixes=None):
        """Relative paths under any of the folders (of the whole tree without one)."""
        for path in self._paths:
            if folders and not path.startswith(tuple(f + "/" for f in folders)):
                continue
            if suffixes is None or path.endswith(suffixes):
                yield path

    def exists(self, path):
        return (self.root / path).exists()

    def text(self, path):
        if path not in self._texts:
            with open(self.root / path, encoding="utf-8", newline="") as file:
                self._texts[path] = file.read()
        return self._texts[path]

    def is_text(self, path):
        try:
            self.text(path)
        except UnicodeDecodeError:
            return False
        return True

    def _from_git(self):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        try:
            out = subprocess.run(command, cwd=self.root, capture_output=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return []
        return [p for p in out.decode().split("\0") if p and (self.root / p).is_file()]

    def _from_walk(self):
        for folder, subfolders, files in os.walk(self.root):
            subfolders[:] = [s for s in subfolders if s != "build" and not s.startswith(".")]
            for file in files:
                yield os.path.relpath(os.path.join(folder, file), self.root)


_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      |(?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")
      |(?P<text>(?<![\w'])'(?:\\.|[^'\\\n])+'|"(?:\\.|[^"\\\n])*")""",
    re.DOTALL | re.VERBOSE,
)


def code_of(text):
    """C++ with comments and the insides of literals blanked, lines where they were."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return _TOKEN.sub(blank, text)


def main(check, samples, argv):
    """`PROGRAM ROOT` checks a tree, `PROGRAM --self-test` the check itself.

    samples: {name: (files, expected)}: files {path: text} planted in a tree of their own, expected the
    set of "path:line rule" to be found there, empty for a good sample.
    """
    if argv[1:] == ["--self-test"]:
        return _self_test(check, samples)
    if len(argv) != 2:
        print(f"usage: {argv[0]} ROOT | --self-test", file=sys.stderr)
        return 2
    findings = sorted(check(Tree(argv[1])))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings" if findings else "nothing found")
    return 1 if findings else 0


def _self_test(check, samples):
    failures = 0
    for name, (files, expected) in samples.items():
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                file = Path(folder) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="")
            found = {f"{f.path}:{f.line} {f.rule}" for f in check(Tree(folder))}
        if found != expected:
            failures += 1
            print(f"{name}: missed {sorted(expected - found)}, wrongly found "
                  f"{sorted(found - expected)}")
    bad = sum(1 for _, expected in samples.values() if expected)
    print(f"{len(samples)} samples, {bad} of them bad, {failures} judged wrongly")
    return 1 if failures or bad == 0 else 0
