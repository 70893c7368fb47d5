"""Which folder may include which.

kernel/: arrows point only leftwards in base <- raft <- wire <- plugin <- replica <- shard <- metadata
<- node; raft includes nothing but base and the standard library, so that it stays a pure state machine.
plugins/: only the SDK, the plugin's own files, the system and third-party libraries.
sdk/: only itself and the standard library; abi/ only C, abi/ <- sdk/ <- format/, host/.
"""

import posixpath
import re
import sys

from source_tree import CXX_SUFFIXES, Finding, Tree, main

KERNEL_ORDER = ["base", "raft", "wire", "plugin", "replica", "shard", "metadata", "node"]
# Folders of kernel/ that see only the kernel folders left of them and the standard library.
PURE_FOLDERS = {"raft"}
# What each part of the SDK may include of it.
SDK_PARTS = {
    "abi": {"abi"},
    "sdk": {"abi", "sdk"},
    "format": {"abi", "sdk", "format"},
    "host": {"abi", "sdk", "host"},
}
# Parts of the SDK for plugins; host/ is the other side of the boundary.
PLUGIN_SDK_PARTS = {"abi", "sdk", "format"}
GENERATED = re.compile(r"\.pb\.h$")

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(text):
    """(line, is_quoted, path) of each #include."""
    for match in _INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(2)) + 1, match.group(1) == '"', match.group(2)


def is_standard(path):
    """<vector>, <cstring>, <stdint.h>: the standard library's headers have no folder."""
    return "/" not in path and (not path.endswith(".h") or path in C_HEADERS)


C_HEADERS = {f"{name}.h" for name in
             "assert ctype errno float inttypes limits math stdarg stdbool stddef stdint stdio stdlib "
             "string time".split()}


def check(tree: Tree):
    findings = []
    for path in tree.paths("kernel", suffixes=CXX_SUFFIXES):
        for line, quoted, target in includes(tree.text(path)):
            message = check_kernel(tree, path, quoted, target)
            if message:
                findings.append(Finding(path, line, "kernel-include", message))
    for path in tree.paths("plugins", suffixes=CXX_SUFFIXES):
        for line, quoted, target in includes(tree.text(path)):
            message = check_plugin(tree, path, quoted, target)
            if message:
                findings.append(Finding(path, line, "plugin-include", message))
    for path in tree.paths("sdk/include/chronik", suffixes=CXX_SUFFIXES):
        for line, quoted, target in includes(tree.text(path)):
            message = check_sdk(tree, path, quoted, target)
            if message:
                findings.append(Finding(path, line, "sdk-include", message))
    return findings


def check_kernel(tree, path, quoted, target):
    parts = path.split("/")
    folder = parts[1]
    if folder not in KERNEL_ORDER:
        return f"kernel/{folder} isn't in the order of folders; give it a place in KERNEL_ORDER"
    head = target.split("/")[0]
    if head in KERNEL_ORDER and "/" in target:
        if KERNEL_ORDER.index(head) > KERNEL_ORDER.index(folder):
            return (f'{folder}/ must not know {head}/ ("{target}"): arrows point only leftwards in '
                    f"{' <- '.join(KERNEL_ORDER)}; move what both need left, or pass it in")
        if not quoted:
            return f'write "{target}" in quotes: it is a file of the project'
        return None
    if target.startswith("plugins/") or ".." in target.split("/"):
        return f'"{target}": write project files as "folder/file.h", never by way of ".."'
    if folder in PURE_FOLDERS and (quoted or not is_standard(target)):
        return (f"{folder}/ includes only {', '.join(KERNEL_ORDER[:KERNEL_ORDER.index(folder) + 1])} "
                f"and the standard library, not {target}: time, randomness and I/O are passed in")
    if quoted and not target.startswith("chronik/") and not GENERATED.search(target):
        return f'write "{folder}/{target}": project files are included by folder'
    if quoted and target.startswith("chronik/") and not GENERATED.search(target):
        if not tree.exists(f"sdk/include/{target}"):
            return f"sdk/include/{target} doesn't exist"
    return None


def check_plugin(tree, path, quoted, target):
    own = "/".join(path.split("/")[:3])
    head = target.split("/")[0]
    if head in KERNEL_ORDER and "/" in target and not tree.exists(f"{own}/{target}"):
        return (f'a plugin must not know the kernel ("{target}"): include chronik/abi or chronik/sdk, '
                "and ask for a host service if something is missing")
    if target.startswith("chronik/"):
        if not quoted:
            return f'write "{target}" in quotes: it is a file of the project'
        if GENERATED.search(target):
            proto = re.sub(r"(\.grpc)?\.pb\.h$", ".proto", target)
            if tree.exists(f"{own}/{proto}"):
                return None
            return f"{target} isn't generated from a .proto of the plugin's own"
        part = target.split("/")[1]
        if part not in PLUGIN_SDK_PARTS:
            return (f"chronik/{part} is for hosts; a plugin includes only "
                    f"{', '.join('chronik/' + p for p in sorted(PLUGIN_SDK_PARTS))}")
        if not tree.exists(f"sdk/include/{target}"):
            return f"sdk/include/{target} doesn't exist"
        return None
    if not quoted:
        return None
    for base in (posixpath.dirname(path), own):
        resolved = posixpath.normpath(posixpath.join(base, target))
        if resolved.startswith(own + "/") and tree.exists(resolved):
            return None
        if GENERATED.search(target):
            proto = re.sub(r"(\.grpc)?\.pb\.h$", ".proto", resolved)
            if resolved.startswith(own + "/") and tree.exists(proto):
                return None
    return (f'"{target}" is none of the plugin\'s own files: what plugins share belongs in the SDK, '
            "and third-party headers are written in <>")


def check_sdk(tree, path, quoted, target):
    part = path.split("/")[3]
    if part not in SDK_PARTS:
        return f"sdk/include/chronik/{part} is new: give it a place in SDK_PARTS"
    if not quoted:
        if is_standard(target) and (part != "abi" or target.endswith(".h")):
            return None
        return f"the SDK needs nothing but the standard library{' of C' if part == 'abi' else ''}"
    head, _, rest = target.partition("/")
    if head != "chronik" or rest.split("/")[0] not in SDK_PARTS[part]:
        allowed = ", ".join(f"chronik/{p}" for p in sorted(SDK_PARTS[part]))
        return f'chronik/{part} includes only {allowed} and the standard library, not "{target}"'
    if not tree.exists(f"sdk/include/{target}"):
        return f"sdk/include/{target} doesn't exist"
    return None


SDK = {
    "sdk/include/chronik/abi/base.h": "#include <stdint.h>\n",
    "sdk/include/chronik/sdk/base.hpp": '#include <string>\n#include "chronik/abi/base.h"\n',
    "sdk/include/chronik/host/host.hpp": '#include "chronik/sdk/base.hpp"\n',
}
SAMPLES = {
    "good tree": (
        SDK | {
            "kernel/base/ids.h": '#include <cstdint>\n#include "chronik/abi/base.h"\n',
            "kernel/raft/raft.h": '#include <vector>\n#include "base/ids.h"\n#include "raft/log.h"\n',
            "kernel/shard/shard.cc": '#include "raft/raft.h"\n#include <fmt/format.h>\n',
            "kernel/node/main.cc": '#include "shard/shard.h"\n#include "metadata.pb.h"\n',
            "plugins/frontend/api/server.cc":
                '#include "server.h"\n#include <grpcpp/grpcpp.h>\n#include "chronik/sdk/base.hpp"\n'
                '#include "chronik/api/v1/api.grpc.pb.h"\n#include "parts/part.h"\n',
            "plugins/frontend/api/server.h": "#include <sys/socket.h>\n",
            "plugins/frontend/api/parts/part.h": '#include "server.h"\n#include "../server.h"\n',
            "plugins/frontend/api/chronik/api/v1/api.proto": "",
        },
        set(),
    ),
    "rightward arrow": (
        {"kernel/base/a.h": '// x\n#include "raft/raft.h"\n',
         "kernel/replica/b.cc": '#include "base/a.h"\n#include "shard/shard.h"\n'},
        {"kernel/base/a.h:2 kernel-include", "kernel/replica/b.cc:2 kernel-include"},
    ),
    "raft knows the world": (
        SDK | {"kernel/raft/raft.cc": '#include <fmt/format.h>\n#include <unistd.h>\n'
                                      '#include "chronik/abi/base.h"\n#include <vector>\n'},
        {f"kernel/raft/raft.cc:{n} kernel-include" for n in (1, 2, 3)},
    ),
    "kernel by other ways": (
        {"kernel/shard/a.cc": '#include "../raft/raft.h"\n#include "shard.h"\n#include <base/ids.h>\n'
                              '#include "chronik/abi/absent.h"\n',
         "kernel/misc/b.cc": "#include <vector>\n"},
        {f"kernel/shard/a.cc:{n} kernel-include" for n in (1, 2, 3, 4)}
        | {"kernel/misc/b.cc:1 kernel-include"},
    ),
    "plugin knows the kernel": (
        SDK | {"plugins/frontend/api/a.cc": '#include "base/ids.h"\n#include <raft/raft.h>\n'
                                            '#include "../../../kernel/base/ids.h"\n'
                                            '#include "chronik/host/host.hpp"\n'},
        {f"plugins/frontend/api/a.cc:{n} plugin-include" for n in (1, 2, 3, 4)},
    ),
    "plugin knows another": (
        {"plugins/frontend/api/a.cc": '#include "../other/b.h"\n#include "b.h"\n'
                                      '#include "chronik/api/v1/api.pb.h"\n',
         "plugins/frontend/other/b.h": ""},
        {f"plugins/frontend/api/a.cc:{n} plugin-include" for n in (1, 2, 3)},
    ),
    "SDK knows too much": (
        SDK | {"sdk/include/chronik/abi/x.h": "#include <vector>\n#include <sys/uio.h>\n",
               "sdk/include/chronik/sdk/x.hpp": '#include <fmt/format.h>\n'
                                                '#include "chronik/host/host.hpp"\n'
                                                '#include "base/ids.h"\n'},
        {f"sdk/include/chronik/abi/x.h:{n} sdk-include" for n in (1, 2)}
        | {f"sdk/include/chronik/sdk/x.hpp:{n} sdk-include" for n in (1, 2, 3)},
    ),
}

if __name__ == "__main__":
    sys.exit(main(check, SAMPLES, sys.argv))
