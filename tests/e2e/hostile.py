#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hostile.py make OUT markup|controls|bytes [TIMES] writes a pprof file in which every string is an attack, with values TIMES as large.
hostile.py check FILE... checks that nothing in these outputs can act on the reader; the name decides what is checked."""
import gzip
import html.parser
import json
import re
import sys
import xml.etree.ElementTree

from pprof_make import message, number, varint

MARKUP = "\"'><script>document.documentElement.id='pwned'</script><img src=x onerror=alert(1)>]]>--><!--&amp;&#27;"
CONTROLS = "\x1b]0;pwned\x07\x1b[2J\x1b[31m\u009b31m\u009d\x01\x7f\u202eevil\u2066\u200b\u200f\u061c\u2028\u2029\ufeff\r\n\t;\\x"
# Lengths of buffers should not matter: what comes first is what a short one holds.
KINDS = {"markup": MARKUP + CONTROLS, "controls": CONTROLS + MARKUP, "bytes": None}
BYTES = b"\x9b31m\xff\xfe\xc0\x9b\xed\xa0\x80\x1b]0;pwned\x07<script>alert(1)</script>"


def attack(kind, name):
    # What follows a NUL is cut off, and may matter all the same.
    return BYTES + name.encode() if kind == "bytes" else (KINDS[kind] + name + "\0" + CONTROLS).encode()


class Strings:
    def __init__(self, kind):
        self.kind = kind
        self.list = [b""]

    def __call__(self, name):
        self.list.append(attack(self.kind, name))
        return len(self.list) - 1

    def plain(self, text):
        self.list.append(text.encode())
        return len(self.list) - 1


def make(kind, times):
    s = Strings(kind)
    out = message(1, number(1, s("type")) + number(2, s("unit")))
    out += message(1, number(1, s("type 2")) + number(2, s.plain("nanoseconds")))
    labels = message(3, number(1, s("key")) + number(2, s("value")))
    labels += message(3, number(1, s("number key")) + number(3, 42) + number(4, s("number unit")))
    labels += message(3, number(1, s.plain("thread")) + number(2, s("thread")))
    # Location 1 has inlined functions, 2 none, 3 a source that is there.
    for stack in ((1, 2), (3, 1), (2,), (3,)):
        out += message(2, message(1, b"".join(map(varint, stack))) + message(2, varint(7 * times) + varint(3000000 * times)) + labels)
    out += message(3, number(1, 1) + number(2, 4096) + number(3, 1 << 40) + number(5, s("mapping")) + number(6, s("build id")))
    out += message(4, number(1, 1) + number(2, 1) + number(3, 5000) + message(4, number(1, 1) + number(2, 5)) +
                   message(4, number(1, 2) + number(2, 6)))
    out += message(4, number(1, 2) + number(2, 1) + number(3, 6000))
    out += message(4, number(1, 3) + number(2, 1) + number(3, 7000) + message(4, number(1, 3) + number(2, 2)))
    for i, file in ((1, s("file")), (2, s("file 2")), (3, s.plain("evil.c"))):
        out += message(5, number(1, i) + number(2, s(f"function {i}")) + number(3, s("system name")) + number(4, file) + number(5, 1))
    out += number(7, s("drop frames")) + number(8, s("keep frames"))
    out += message(11, number(1, s("period type")) + number(2, s("period unit"))) + number(12, 1)
    out += number(15, s("doc url")) + number(13, s("comment")) + number(13, s("comment 2"))
    if kind == "markup":
        out += number(14, s.list.index(attack(kind, "type")))
    return out + b"".join(message(6, text) for text in s.list)


# ---- what must not be there

BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]")


def shown(text, what):
    found = BAD.search(text)
    if found:
        sys.exit(f"{what}: {text[max(0, found.start() - 60):found.end() + 20]!r}")


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.items() if isinstance(value, dict) else value:
            yield from strings_of(list(item) if isinstance(item, tuple) else item)


def check_json(text, what):
    for string in strings_of(json.loads(text)):
        shown(string, what + ", decoded")


def check_svg(text, what):
    for element in xml.etree.ElementTree.fromstring(text).iter():
        name = element.tag.split("}")[-1]
        if name not in ("svg", "g", "title", "rect", "text"):
            sys.exit(f"{what}: an element {name}")
        if any(a.startswith("on") or "href" in a for a in element.attrib):
            sys.exit(f"{what}: {element.attrib}")
        shown(element.text or "", what)


class Page(html.parser.HTMLParser):
    """Elements and the text of the script that holds the data."""

    def __init__(self):
        super().__init__()
        self.elements, self.data, self.in_data = [], "", False

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append(tag)
        self.in_data = tag == "script" and "json" in attrs.get("type", "")
        if any(a.startswith("on") for a in attrs) or tag == "img":
            sys.exit(f"the page has {tag} {attrs}")

    def handle_endtag(self, tag):
        self.in_data = False

    def handle_data(self, data):
        self.data += data if self.in_data else ""


def check_html(text, what):
    page = Page()
    page.feed(text)
    if page.elements.count("script") != 2:
        sys.exit(f"{what}: {page.elements.count('script')} scripts")
    check_json(page.data, what)


def check(path):
    with open(path, "rb") as f:
        text = f.read().decode("utf-8")
    if path.endswith(".svg"):
        check_svg(text, path)
    if path.endswith(".html"):
        check_html(text, path)
    if path.endswith(".json"):
        check_json(text, path)
    # Colours are ours, when they were asked for.
    if path.endswith(".colored"):
        text = re.sub("\x1b\\[[0-9]*m", "", text)
    shown(text.replace("\t", "") if path.endswith(".html") else text, path)
    if "pwned" not in text:
        sys.exit(f"{path}: the attack is not in there, so nothing was tried")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        with open(sys.argv[2], "wb") as f:
            f.write(gzip.compress(make(sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 1)))
    else:
        for file in sys.argv[2:]:
            check(file)
