"""Relative links in *.md pages point to files that exist, and to headings that are there."""

import posixpath
import re
import sys
from urllib.parse import unquote

from source_tree import Finding, Tree, main

_FENCE = re.compile(r"^(?P<fence> {0,3}(?:```+|~~~+)).*?^(?P=fence)[^\n]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:")


def prose_of(text):
    """The page with code blanked, lines where they were."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return _CODE.sub(blank, _FENCE.sub(blank, text))


def anchors_of(text):
    """Ids of a page's headings, as GitHub and most others make them."""
    without_code_blocks = _FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    seen = {}
    anchors = set(re.findall(r"<a\s+(?:id|name)=\"([^\"]+)\"", text))
    for heading in _HEADING.findall(without_code_blocks):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        anchors.add(f"{slug}-{count}" if count else slug)
    return anchors


def links_of(text):
    prose = prose_of(text)
    for pattern in (_INLINE, _DEFINITION):
        for match in pattern.finditer(prose):
            yield prose.count("\n", 0, match.start(1)) + 1, match.group(1)


def check(tree: Tree):
    findings = []
    for path in tree.paths(suffixes=".md"):
        for line, link in links_of(tree.text(path)):
            message = check_link(tree, path, link)
            if message:
                findings.append(Finding(path, line, "link", message))
    return findings


def check_link(tree, path, link):
    if _SCHEME.match(link):
        return None
    if link.startswith("/"):
        return f"{link}: write it relative to this page; the root differs between readers"
    target, _, anchor = link.partition("#")
    target = unquote(target)
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
    if resolved.startswith(".."):
        return f"{link} leads out of the repository"
    if not tree.exists(resolved):
        return f"{resolved} doesn't exist"
    if anchor and resolved.endswith(".md") and anchor not in anchors_of(tree.text(resolved)):
        return f"{resolved} has no heading #{anchor}"
    return None


SAMPLES = {
    "good tree": (
        {
            "README.md":
                "# A tour: `five` minutes\n[web](https://example.org/x) [page](docs/a.md) [here](#a-tour-five-minutes)\n"
                "[titled](docs/a.md \"A page\") [heading](docs/a.md#in-short) ![](docs/x%20y.png)\n"
                "`[code](absent.md)` [folder](docs/) <a@b.c> [mail](mailto:a@b.c) [named][n]\n"
                "\n```\n[code](absent.md)\n```\n\n[n]: docs/a.md\n",
            "docs/a.md": "[up](../README.md)\n\n## In short\n\n## In short\n[second](#in-short-1)\n",
            "docs/x y.png": "",
        },
        set(),
    ),
    "absent": ({"docs/a.md": "\n[x](b.md)\n"}, {"docs/a.md:2 link"}),
    "absent from here": ({"docs/a.md": "[x](docs/b.md)\n", "docs/b.md": ""}, {"docs/a.md:1 link"}),
    "absent picture": ({"a.md": "![x](b.png)\n"}, {"a.md:1 link"}),
    "absent definition": ({"a.md": "[x][y]\n\n[y]: b.md\n"}, {"a.md:3 link"}),
    "absent heading": ({"a.md": "[x](b.md#there)\n", "b.md": "# Here\n"}, {"a.md:1 link"}),
    "absent own heading": ({"a.md": "# Here\n[x](#there)\n"}, {"a.md:2 link"}),
    "heading in code": ({"a.md": "[x](#there)\n```\n# There\n```\n"}, {"a.md:1 link"}),
    "absolute": ({"a.md": "[x](/a.md)\n"}, {"a.md:1 link"}),
    "out of the repository": ({"docs/a.md": "[x](../../b.md)\n"}, {"docs/a.md:1 link"}),
    "in a table": ({"a.md": "| a | b |\n|---|---|\n| [x](b.md) | `y` |\n"}, {"a.md:3 link"}),
}

if __name__ == "__main__":
    sys.exit(main(check, SAMPLES, sys.argv))
