#!/usr/bin/env python3
"""Checks what no compiler checks in sdk/include/chronik/abi/*.h.

  - Every function pointer carries its tags: [control], [any] or [serial], and [nonblocking] or
    [may-block], in its comment. A comment stands for all the functions that follow it without
    another one.
  - Every struct and every field is pinned in layout.h, and layout.h names nothing else.

usage: check_abi_headers.py ABI_DIRECTORY LAYOUT_H
"""

import pathlib
import re
import sys

THREADS = ("[control]", "[any]", "[serial]")
WAITS = ("[nonblocking]", "[may-block]")


def structs(header):
    for match in re.finditer(
        r"(?:typedef )?struct (chronik_\w+) \{(.*?)\n\}", header, flags=re.S
    ):
        yield match.group(1), match.group(2)


def fields(body):
    """Names of a struct's fields, with whether each is a function pointer."""
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    body = re.sub(r"union \{.*?\} (\w+);", r"int \1;", body, flags=re.S)
    for declaration in body.split(";"):
        declaration = " ".join(declaration.split())
        if not declaration:
            continue
        function = re.search(r"\(\*(\w+)\)\s*\(", declaration)
        if function:
            yield function.group(1), True
        else:
            yield re.search(r"(\w+)(?:\[\w+\])?$", declaration).group(1), False


def comment_of(body, function):
    """The comment that speaks for a function: behind it on its line, or nearest in front of it."""
    at = re.search(r"\(\*%s\)\s*\(" % re.escape(function), body).start()
    end = body.index(";", at)
    line_end = body.find("\n", end)
    behind = body[end : line_end if line_end >= 0 else len(body)]
    trailing = re.search(r"/\*.*", behind)
    if trailing:
        return body[end:].split("*/")[0]
    comments = [m for m in re.finditer(r"/\*.*?\*/", body, flags=re.S) if m.end() <= at]
    return comments[-1].group(0) if comments else ""


def main():
    directory, layout_path = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    layout = layout_path.read_text()
    sizes = set(re.findall(r"^SIZE\((\w+),", layout, flags=re.M))
    places = set(re.findall(r"^AT\((\w+), (\w+),", layout, flags=re.M))
    faults = []
    functions = 0
    seen_structs, seen_places = set(), set()
    for path in sorted(directory.glob("*.h")):
        header = path.read_text()
        for name, body in structs(header):
            seen_structs.add(name)
            for field, is_function in fields(body):
                seen_places.add((name, field))
                if not is_function:
                    continue
                functions += 1
                text = " ".join(comment_of(body, field).split())
                for tags in (THREADS, WAITS):
                    if not any(tag in text for tag in tags):
                        faults.append(f"{path.name}: {name}.{field} says none of {', '.join(tags)}")
    for name in sorted(seen_structs - sizes):
        faults.append(f"{layout_path.name}: no SIZE({name}, ...)")
    for name, field in sorted(seen_places - places):
        faults.append(f"{layout_path.name}: no AT({name}, {field}, ...)")
    for name in sorted(sizes - seen_structs):
        faults.append(f"{layout_path.name}: SIZE({name}) names no struct")
    for name, field in sorted(places - seen_places):
        faults.append(f"{layout_path.name}: AT({name}, {field}) names no field")
    for fault in faults:
        print(fault)
    print(f"{len(seen_structs)} structs, {len(seen_places)} fields, {functions} functions")
    if functions < 40 or len(seen_structs) < 30:
        print("fewer than there must be: this check doesn't see them")
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
