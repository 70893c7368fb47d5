#!/usr/bin/env python3
"""Files that aren't fit to be plugins are each refused with a sentence, and the node starts and works
with the good ones beside them; a config that wants what isn't there ends the start with status 2."""
import os
import shutil

import harness


def bad_plugins_live(lab):
    plugins = lab.path("plugins")
    os.mkdir(plugins, 0o755)

    def put(name, source, mode=0o755):
        target = os.path.join(plugins, name)
        shutil.copyfile(os.path.join(lab.plugin_dir, source), target)
        os.chmod(target, mode)
        return target

    for name in os.listdir(lab.plugin_dir):
        if name.endswith(".so"):
            put(name, name)
    with open(os.path.join(plugins, "text.so"), "w", encoding="utf-8") as file:
        file.write("This isn't a library.\n")
    os.chmod(os.path.join(plugins, "text.so"), 0o755)
    whole = os.path.getsize(put("truncated.so", "stream.so"))
    os.truncate(os.path.join(plugins, "truncated.so"), whole // 2)
    put("writable.so", "memory.so", 0o777)
    with open(os.path.join(plugins, "empty.so"), "wb"):
        pass
    with open(os.path.join(plugins, "README.txt"), "w", encoding="utf-8") as file:
        file.write("Not a library, and not called one.\n")

    node = lab.node()
    node.plugin_dirs = [plugins]
    node.start()
    for name in ("text.so", "truncated.so", "writable.so", "empty.so"):
        said = [line for line in node.lines() if name in line]
        harness.check_equal(len(said), 1, f"lines about {name} in {node.lines()}: number")
        sentence = said[0].replace(plugins + "/", "")
        harness.check(len(sentence.split(name, 1)[1]) > 15, f"{name}: no sentence: {said[0]}")
        lab.step(sentence)
    harness.check(not any("README" in line for line in node.lines()), "README.txt was looked at")
    lab.cli(node, "topic", "create", "t")
    lab.produce(node, "t", [b"works"])
    harness.check_equal(lab.consume(node, "t", 0), [(0, b"works")], "what a record comes back as")
    node.stop()
    lab.step("the node works beside them")

    # What the config wants is a refused one: nothing starts.
    os.chmod(os.path.join(plugins, "segment_wal.so"), 0o777)
    status, text = node.start_refused()
    harness.check_equal(status, 2, "exit status with the log storage's plugin refused")
    harness.check("segment_wal" in text, lambda: text)
    lab.step("the config's own plugin world-writable: exit status 2")
    os.chmod(os.path.join(plugins, "segment_wal.so"), 0o755)
    node.sections["log_storage.main"]["plugin"] = "segment_val"
    status, text = node.start_refused()
    harness.check_equal(status, 2, "exit status with an unknown plugin")
    harness.check("did you mean 'segment_wal'" in text, lambda: text)
    lab.step("an unknown plugin: exit status 2, the nearest name said")


harness.main(bad_plugins_live)
