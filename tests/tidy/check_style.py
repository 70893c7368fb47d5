"""What neither compiler nor formatter sees: bans, each with what to use instead.

Exceptions are listed here with their reason, so that adding one is a decision.
"""

import re
import sys
from dataclasses import dataclass, field

from source_tree import CXX_SUFFIXES, HEADER_SUFFIXES, Finding, Tree, code_of, main

MAX_COLUMNS = 100


@dataclass(frozen=True)
class Ban:
    """A pattern that must not occur in the code (or, with in_comments, anywhere) of some folders."""

    rule: str
    pattern: str
    instead: str
    folders: tuple = ()
    suffixes: tuple = CXX_SUFFIXES
    in_comments: bool = False
    # path, or folder ending in "/": why it may
    exceptions: dict = field(default_factory=dict)

    def covers(self, path):
        return not any(path == e or (e.endswith("/") and path.startswith(e))
                       for e in self.exceptions)


OUR_CODE = ("kernel", "plugins", "sdk", "tools", "tests")
TEXT_SUFFIXES = CXX_SUFFIXES + (".py", ".md", ".txt", ".cmake", ".proto", ".conf", ".json", ".sh",
                                ".yml", ".map")

BANS = [
    Ban("output",
        r"\bstd::(cout|cerr|clog)\b|(?<![\w])(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)"
        r"\s*\(",
        "write to the log (base/ and node/: the node's log; plugins: host.log()): output on a file "
        "descriptor is lost or mixes with others'",
        folders=("kernel", "plugins"),
        exceptions={
            "kernel/base/check.cc": "a broken invariant in the moment before abort()",
            "kernel/node/main.cc": "the program's own messages to its terminal",
            "kernel/node/config_print.cc": "--print-config prints",
            "kernel/node/config_command_line.cc": "--help and --version print",
        }),
    Ban("using-namespace",
        r"\busing\s+namespace\b",
        "qualify the name, or write `using other::Name;` inside your namespace: a header's choice is "
        "forced on everybody who includes it",
        folders=OUR_CODE, suffixes=HEADER_SUFFIXES),
    Ban("sleep",
        r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b|(?<![\w.>])sleep\s*\(",
        "wait for the event itself (condition variable, future, poll, a line in a file) or use the "
        "virtual clock: sleeping is slow on good days and wrong on bad ones",
        folders=("tests", "kernel", "plugins"),
        exceptions={}),
    Ban("sleep",
        r"\btime\.sleep\s*\(",
        "wait for the event itself: read the process's output, select on its pipe, or poll a condition "
        "with a deadline in one helper that is listed here",
        folders=("tests",), suffixes=(".py",),
        exceptions={"tests/integration/harness.py": "until(), the helper"}),
    Ban("exception",
        r"\b(throw|try)\b(?=\s*[\w{;:(\"])",
        "return Status or Result: no exceptions where a replica's order of events is decided",
        folders=("kernel/raft", "kernel/replica", "kernel/shard")),
    Ban("hidden-clock",
        r"\b(system_clock|steady_clock|high_resolution_clock)::now\b|\bclock_gettime\s*\(|\bgettimeofday"
        r"\s*\(|(?<![\w.>:])time\s*\(\s*(NULL|nullptr|0|&)",
        "take the time from the caller or the host (host.monotonic_ns()): a hidden clock can't be "
        "simulated",
        folders=("kernel/base", "kernel/raft", "kernel/replica", "kernel/metadata",
                 "plugins/log_storage", "plugins/snapshot_store", "plugins/state_machine"),
        exceptions={}),
    Ban("hidden-random",
        r"\bstd::random_device\b|(?<![\w.>:])s?rand\s*\(|\bgetrandom\s*\(",
        "take random bits from the caller or the host (host.random()): a run must be repeatable",
        folders=("kernel/raft", "kernel/replica", "kernel/shard", "kernel/metadata",
                 "plugins/log_storage", "plugins/snapshot_store", "plugins/state_machine"),
        exceptions={}),
    Ban("assert",
        r"(?<![\w_.>:])assert\s*\(",
        "CHRONIK_CHECK (always on) or CHRONIK_DCHECK: assert() vanishes from release builds",
        folders=("kernel",)),
    Ban("leftover",
        r"\b(FIX" r"ME|XX" r"X|HA" r"CK)\b",
        "finish it, open an issue, or write `TODO(name): what, and when it will hurt`",
        suffixes=TEXT_SUFFIXES, in_comments=True),
    Ban("leftover",
        r"\bTO" r"DO\b(?!\(\w)",
        "write `TODO(name): what, and when it will hurt`",
        suffixes=CXX_SUFFIXES + (".py", ".cmake", ".txt"), in_comments=True),
    Ban("local-path",
        r"(?<![\w./])/(home/\w|root/|work/)",
        "a path relative to the repository: others don't have this machine's folders",
        suffixes=TEXT_SUFFIXES, in_comments=True),
    Ban("merge-marker",
        r"^(<{7} |>{7} |={7}$)",
        "a merge that is finished",
        suffixes=TEXT_SUFFIXES, in_comments=True),
]


def check(tree: Tree):
    findings = []
    for path in tree.paths(suffixes=TEXT_SUFFIXES):
        if not tree.is_text(path):
            findings.append(Finding(path, 1, "encoding", "write UTF-8"))
            continue
        findings += check_bans(tree, path)
        findings += check_whitespace(tree, path)
    for path in tree.paths(*OUR_CODE, suffixes=CXX_SUFFIXES):
        findings += check_columns(tree, path)
    read_by_c = c_headers(tree)
    for path in tree.paths(*OUR_CODE, suffixes=HEADER_SUFFIXES):
        findings += check_guard(tree, path, read_by_c)
    return findings


def check_bans(tree, path):
    text = tree.text(path)
    code = None
    for ban in BANS:
        if not path.endswith(ban.suffixes) or not ban.covers(path):
            continue
        if ban.folders and not path.startswith(tuple(f + "/" for f in ban.folders)):
            continue
        searched = text
        if not ban.in_comments and path.endswith(CXX_SUFFIXES):
            code = code if code is not None else code_of(text)
            searched = code
        for match in re.finditer(ban.pattern, searched, re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            yield Finding(path, line, ban.rule, f"not {match.group().strip()!r}: {ban.instead}")


def check_whitespace(tree, path):
    text = tree.text(path)
    if text and not text.endswith("\n"):
        yield Finding(path, text.count("\n") + 1, "newline", "end the file with a newline")
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("\r"):
            yield Finding(path, number, "newline", "end lines with \\n alone")
        elif line != line.rstrip() and not path.endswith(".md"):
            yield Finding(path, number, "trailing-blank", "end the line at its last character")
        if "\t" in line:
            yield Finding(path, number, "tab", "indent with spaces; in a string write \\t")


def check_columns(tree, path):
    for number, line in enumerate(tree.text(path).split("\n"), 1):
        if len(line) > MAX_COLUMNS:
            yield Finding(path, number, "columns",
                          f"{len(line)} columns; break the line at {MAX_COLUMNS}")


def c_headers(tree):
    """Names of the headers that C files include."""
    return {match.rsplit("/", 1)[-1] for path in tree.paths(*OUR_CODE, suffixes=".c")
            for match in re.findall(r'^\s*#\s*include\s*"([^"]+)"', tree.text(path), re.MULTILINE)}


def check_guard(tree, path, read_by_c):
    """#pragma once, but include guards where C compilers of any kind read along."""
    text = tree.text(path)
    code = code_of(text)
    if path.startswith("sdk/include/chronik/abi/") or path.rsplit("/", 1)[-1] in read_by_c:
        name = path.removeprefix("sdk/include/chronik/").removesuffix(".h")
        guard = f"CHRONIK_{re.sub('[^A-Za-z0-9]', '_', name).upper()}_H"
        if not re.search(rf"^#ifndef {guard}\n#define {guard}\n", code, re.MULTILINE):
            yield Finding(path, 1, "guard", f"begin with #ifndef {guard} and #define {guard}: "
                          "#pragma once isn't C11")
        if "#pragma once" in code:
            line = code.count("\n", 0, code.index("#pragma once")) + 1
            yield Finding(path, line, "guard", f"use the include guard {guard} alone")
    elif not re.search(r"^#pragma once$", code, re.MULTILINE):
        yield Finding(path, 1, "guard", "begin with #pragma once")


def code(path, line, rule, extra=""):
    """A sample of one bad line 2 in an otherwise good file."""
    first = "#pragma once" if path.endswith(HEADER_SUFFIXES) else "//"
    return {path: f"{first}\n{line}\n{extra}"}, {f"{path}:2 {rule}"}


_FIX = "FIX" "ME"
_TODO = "TO" "DO"
SAMPLES = {
    "good tree": (
        {
            "kernel/shard/a.h": "// sleep_for, std::cout and throw are words\n#pragma once\n"
                                'const char* k = "printf(throw) \\" using namespace";\n'
                                "// " + _TODO + "(ann): asleep(\nint asleep();\n",
            "kernel/shard/b.cc": "char c = '\"'; int x = 1'000'000;  // '\nint snprintf(int);\n"
                                 'auto r = R"(throw std::cout)";\nusing namespace std;\n',
            "kernel/node/main.cc": "void f() { std::fprintf(stderr, 1); throw 1; }\n",
            "sdk/include/chronik/abi/base.h":
                "/* C */\n#ifndef CHRONIK_ABI_BASE_H\n#define CHRONIK_ABI_BASE_H\n#endif\n",
            "tests/x/z.c": '#include "z.h"\n',
            "tests/x/z.h": "#ifndef CHRONIK_TESTS_X_Z_H\n#define CHRONIK_TESTS_X_Z_H\n#endif\n",
            "tests/x/y_test.cc": "auto t = steady_clock::now();\n",
            "docs/a.md": "two blanks at the end break the line  \n",
            "docs/picture.png": "\t \n",
            "tests/a.cc": "x" * 100 + "\n",
        },
        set(),
    ),
    "columns": code("kernel/base/a.cc", "x" * 101, "columns"),
    "tab": code("kernel/base/a.cc", "\tint x;", "tab"),
    "trailing blank": code("tests/a.cc", "int x; ", "trailing-blank"),
    "carriage return": code("tests/a.cc", "int x;\r", "newline"),
    "no newline": ({"tests/a.cc": "int x;"}, {"tests/a.cc:1 newline"}),
    "cout": code("kernel/shard/a.cc", "void f() { std::cout << 1; }", "output"),
    "printf": code("plugins/x/y/a.cc", "void f() { printf(1); }", "output"),
    "std::fprintf": code("plugins/x/y/a.cc", "void f() { std::fprintf(stderr, 1); }", "output"),
    "using namespace": code("kernel/base/a.h", "using namespace std;", "using-namespace"),
    "sleep_for": code("tests/unit/a.cc", "void f() { std::this_thread::sleep_for(1s); }", "sleep"),
    "usleep": code("kernel/node/a.cc", "void f() { usleep(5); }", "sleep"),
    "sleep": code("tests/unit/a.cc", "void f() { ::sleep(5); }", "sleep"),
    "python sleep": ({"tests/a.py": "import time\ntime.sleep(1)\n"}, {"tests/a.py:2 sleep"}),
    "throw": code("kernel/raft/a.cc", "void f() { throw 1; }", "exception"),
    "try": code("kernel/shard/a.cc", "void f() { try { g(); } catch (int) {} }", "exception"),
    "clock": code("kernel/raft/a.cc", "auto t = std::chrono::steady_clock::now();", "hidden-clock"),
    "C clock": code("plugins/state_machine/x/a.cc", "auto t = time(nullptr);", "hidden-clock"),
    "random": code("kernel/raft/a.cc", "std::random_device device;", "hidden-random"),
    "assert": code("kernel/raft/a.cc", "void f() { assert(true); }", "assert"),
    "leftover": code("kernel/raft/a.cc", f"// {_FIX}: later", "leftover"),
    "leftover in a page": ({"docs/a.md": f"\n{_FIX}\n"}, {"docs/a.md:2 leftover"}),
    "nameless": code("kernel/raft/a.cc", f"// {_TODO}: later", "leftover"),
    "local path": ({"docs/a.md": "\nsee /home" "/ann/notes\n"}, {"docs/a.md:2 local-path"}),
    "merge marker": ({"docs/a.md": "\n<<<<" "<<< ours\n"}, {"docs/a.md:2 merge-marker"}),
    "no guard": ({"tests/a.h": "int x;\n"}, {"tests/a.h:1 guard"}),
    "commented guard": ({"tests/a.h": "// #pragma once\nint x;\n"}, {"tests/a.h:1 guard"}),
    "pragma in C": ({"sdk/include/chronik/abi/x.h": "#pragma once\n"},
                    {"sdk/include/chronik/abi/x.h:1 guard"}),
    "wrong guard": ({"sdk/include/chronik/abi/x.h": "#ifndef X_H\n#define X_H\n#endif\n"},
                    {"sdk/include/chronik/abi/x.h:1 guard"}),
    "pragma for C": ({"tests/z.c": '#include "z.h"\n', "tests/z.h": "#pragma once\n"},
                     {"tests/z.h:1 guard"}),
}
assert all(len(ban.instead) > 15 for ban in BANS), "each ban names its replacement"

if __name__ == "__main__":
    sys.exit(main(check, SAMPLES, sys.argv))
