#!/usr/bin/env python3
"""Checks which way #include arrows point.

kernel/X may include its own folder and those to its left in ORDER, and the SDK. sdk/ includes only
itself; abi/ only C. A plugin includes the SDK and its own files. Heavy headers stay where they are
needed. Run from anywhere; exit status 1 and one line per mistake.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ORDER = ["base", "raft", "plugin", "replica", "shard", "metadata", "node"]
SOURCE = (".h", ".hpp", ".cc", ".c")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Who may see headers that cost seconds in every file that includes them.
HEAVY = [
    (re.compile(r"^(grpcpp|grpc)/"), ("plugins/frontend/grpc_api/", "tools/cli/", "tests/")),
    (re.compile(r"^google/protobuf/"),
     ("plugins/frontend/grpc_api/", "tools/cli/", "kernel/metadata/", "tests/")),
    (re.compile(r"^boost/dll"), ("kernel/plugin/", "tests/")),
]
C_HEADERS = {"stddef.h", "stdint.h", "assert.h"}


def sources(folder):
    for path, _, names in os.walk(os.path.join(ROOT, folder)):
        for name in sorted(names):
            if name.endswith(SOURCE):
                yield os.path.relpath(os.path.join(path, name), ROOT)


def includes(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(2)


def kernel_problem(path, target):
    folder = path.split("/")[1]
    first = target.split("/")[0]
    if target.startswith("plugins/"):
        return "the kernel knows plugins only by the ABI"
    if "/" not in target or first not in ORDER:
        return None
    if ORDER.index(first) > ORDER.index(folder):
        return f"kernel/{folder} may include only {', '.join(ORDER[:ORDER.index(folder) + 1])}"
    return None


def plugin_problem(path, target):
    home = "/".join(path.split("/")[:3])
    if "/" in target and target.split("/")[0] in ORDER and not os.path.exists(
            os.path.join(ROOT, home, target)):
        return "a plugin includes the SDK and its own files, nothing of the kernel"
    if target.startswith("chronik/host/"):
        return "chronik/host is the kernel's side of the ABI"
    return None


def sdk_problem(path, target):
    if "/abi/" in path:
        if not target.startswith("chronik/abi/") and target not in C_HEADERS:
            return "the ABI's headers are plain C and need nothing but each other"
    elif "/" in target and not target.startswith("chronik/") and not target.startswith("sys/"):
        return "the SDK needs nothing but itself and the standard library"
    return None


def main():
    problems = []
    rules = [("kernel", kernel_problem), ("plugins", plugin_problem), ("sdk", sdk_problem)]
    count = 0
    for folder, rule in rules:
        for path in sources(folder):
            if folder == "kernel" and path.split("/")[1] not in ORDER:
                problems.append(f"{path}: kernel/{path.split('/')[1]} has no place in ORDER")
                continue
            for number, target in includes(path):
                count += 1
                problem = rule(path, target)
                for pattern, allowed in HEAVY:
                    if pattern.match(target) and not path.startswith(allowed):
                        problem = f"this header is for {', '.join(allowed)}"
                if problem:
                    problems.append(f"{path}:{number}: {target}: {problem}")
    print("\n".join(problems) if problems else f"{count} includes, all pointing the right way")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
