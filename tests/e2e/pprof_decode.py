#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a pprof file without any library, checks it against the format's rules, and prints it.

    pprof_decode.py FILE [what to print, default --folded]

      --check      nothing, only check
      --json       everything
      --folded     stacks, root first, with one value
      --top        flat, cum and name of each function, one per line, most flat first
      --comments   the comments
      --mappings   start, limit, offset, has_functions, build id, file name
      --labels     every label that occurs: key, value, summed sample value
      --info       types, period, time, duration, counts of everything
    -t TYPE        the sample type for the values (default: the file's default, else the last)
    --no-inlines   only the physical function of a location

Exit status 1 and one line on stderr when a rule is broken: numbers of mappings, locations and
functions are 1..N in table order; string 0 is empty; as many values as sample types; every index in
range; every line has a function, every location a mapping and its address inside; every label a key
and not both a text and a number; nothing scalar (time_nanos above all) twice; strings are UTF-8; no
sample twice, none with zeros only.
"""
import argparse
import collections
import gzip
import json
import sys


class Bad(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Bad(text)


# ---- protobuf's wire format

def varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data), "truncated varint")
        need(shift < 70, "varint of more than 10 bytes")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            size, at = varint(data, at)
            need(size <= len(data) - at, "field %d runs past the end" % number)
            value, at = data[at:at + size], at + size
        else:
            raise Bad("field %d has wire type %d, which the format does not use" % (number, wire))
        yield number, wire, value


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def message(data, spec, name):
    """spec: number -> (field, kind); kinds: u64 i64 bool str, a spec dict, and [kind] if repeated."""
    out = {field: [] if isinstance(kind, list) else None for field, kind in spec.values()}
    for number, wire, value in fields(data):
        need(number in spec, "%s has an unknown field %d" % (name, number))
        field, kind = spec[number]
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        if kind in ("u64", "i64", "bool"):
            if wire == 2:
                need(repeated, "%s.%s is packed" % (name, field))
                values, at = [], 0
                while at < len(value):
                    item, at = varint(value, at)
                    values.append(item)
            else:
                values = [value]
            if kind == "i64":
                values = [signed(v) for v in values]
        else:
            need(wire == 2, "%s.%s is no byte string" % (name, field))
            if kind == "str":
                try:
                    values = [value.decode("utf-8")]
                except UnicodeDecodeError as e:
                    raise Bad("string %d is not UTF-8: %s" % (len(out[field]), e))
            else:
                values = [message(value, kind, field)]
        if repeated:
            out[field] += values
        else:
            need(out[field] is None, "%s.%s occurs twice" % (name, field))
            out[field] = values[0]
    for field, kind in spec.values():
        if out[field] is None and kind in ("u64", "i64", "bool"):
            out[field] = 0
    return out


VALUE_TYPE = {1: ("type", "i64"), 2: ("unit", "i64")}
LABEL = {1: ("key", "i64"), 2: ("str", "i64"), 3: ("num", "i64"), 4: ("num_unit", "i64")}
SAMPLE = {1: ("location_id", ["u64"]), 2: ("value", ["i64"]), 3: ("label", [LABEL])}
MAPPING = {
    1: ("id", "u64"), 2: ("memory_start", "u64"), 3: ("memory_limit", "u64"),
    4: ("file_offset", "u64"), 5: ("filename", "i64"), 6: ("build_id", "i64"),
    7: ("has_functions", "bool"), 8: ("has_filenames", "bool"), 9: ("has_line_numbers", "bool"),
    10: ("has_inline_frames", "bool"),
}
LINE = {1: ("function_id", "u64"), 2: ("line", "i64"), 3: ("column", "i64")}
LOCATION = {1: ("id", "u64"), 2: ("mapping_id", "u64"), 3: ("address", "u64"),
            4: ("line", [LINE]), 5: ("is_folded", "bool")}
FUNCTION = {1: ("id", "u64"), 2: ("name", "i64"), 3: ("system_name", "i64"),
            4: ("filename", "i64"), 5: ("start_line", "i64")}
PROFILE = {
    1: ("sample_type", [VALUE_TYPE]), 2: ("sample", [SAMPLE]), 3: ("mapping", [MAPPING]),
    4: ("location", [LOCATION]), 5: ("function", [FUNCTION]), 6: ("string_table", ["str"]),
    7: ("drop_frames", "i64"), 8: ("keep_frames", "i64"), 9: ("time_nanos", "i64"),
    10: ("duration_nanos", "i64"), 11: ("period_type", VALUE_TYPE), 12: ("period", "i64"),
    13: ("comment", ["i64"]), 14: ("default_sample_type", "i64"), 15: ("doc_url", "i64"),
}


# ---- the rules

def check_strings(p):
    strings = p["string_table"]
    need(strings, "no string table")
    need(strings[0] == "", "string 0 is not empty")

    def string(index, what):
        need(0 <= index < len(strings), "%s: string %d of %d" % (what, index, len(strings)))

    types = p["sample_type"] + ([p["period_type"]] if p["period_type"] else [])
    for vt in types:
        string(vt["type"], "value type")
        string(vt["unit"], "value unit")
        need(vt["type"] and vt["unit"], "a value type without type or unit")
        need("-" not in strings[vt["type"]], "sample type with a '-', which Pyroscope refuses")
    for m in p["mapping"]:
        string(m["filename"], "mapping file")
        string(m["build_id"], "mapping build id")
        need(set(strings[m["build_id"]]) <= set("0123456789abcdef"),
             "build id %r is not lower-case hexadecimal" % strings[m["build_id"]])
    for f in p["function"]:
        for field in ("name", "system_name", "filename"):
            string(f[field], "function " + field)
        need(f["name"] or f["system_name"], "function %d has no name" % f["id"])
    for s in p["sample"]:
        for label in s["label"]:
            for field in ("key", "str", "num_unit"):
                string(label[field], "label " + field)
            need(label["key"], "a label without key")
            need(not (label["str"] and label["num"]), "a label with both text and number")
    for c in p["comment"]:
        string(c, "comment")
    for field in ("drop_frames", "keep_frames", "default_sample_type", "doc_url"):
        string(p[field], field)


def check_tables(p):
    for table in ("mapping", "location", "function"):
        for i, item in enumerate(p[table]):
            need(item["id"] == i + 1, "%s %d has id %d" % (table, i + 1, item["id"]))
    for m in p["mapping"]:
        need(m["memory_start"] <= m["memory_limit"], "mapping %d ends before it begins" % m["id"])
    places = set()
    for l in p["location"]:
        where = "location %d" % l["id"]
        need(1 <= l["mapping_id"] <= len(p["mapping"]), "%s: mapping %d" % (where, l["mapping_id"]))
        m = p["mapping"][l["mapping_id"] - 1]
        if m["memory_limit"]:
            need(m["memory_start"] <= l["address"] < m["memory_limit"],
                 "%s: address %#x outside its mapping" % (where, l["address"]))
        place = (l["mapping_id"], l["address"])
        need(place not in places, "%s: its address has a location already" % where)
        places.add(place)
        need(l["line"] or not m["has_functions"], "%s: no line though has_functions" % where)
        for line in l["line"]:
            need(1 <= line["function_id"] <= len(p["function"]),
                 "%s: function %d" % (where, line["function_id"]))


def check_samples(p):
    need(p["sample_type"], "no sample type")
    seen = set()
    for i, s in enumerate(p["sample"]):
        where = "sample %d" % (i + 1)
        need(len(s["value"]) == len(p["sample_type"]), "%s: %d values" % (where, len(s["value"])))
        need(any(s["value"]), "%s: all values are 0" % where)
        for l in s["location_id"]:
            need(1 <= l <= len(p["location"]), "%s: location %d" % (where, l))
        key = (tuple(s["location_id"]),
               tuple(sorted(tuple(sorted(label.items())) for label in s["label"])))
        need(key not in seen, "%s: same stack and labels as another" % where)
        seen.add(key)


def read(path):
    with open(path, "rb") if path != "-" else sys.stdin.buffer as f:
        data = f.read()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as e:
            raise Bad("gzip: %s" % e)
    p = message(data, PROFILE, "profile")
    check_strings(p)
    check_tables(p)
    check_samples(p)
    return p


# ---- what it says

class View:
    def __init__(self, p, sample_type, inlines):
        self.p = p
        self.strings = p["string_table"]
        self.inlines = inlines
        self.column = self.find_type(sample_type)

    def find_type(self, name):
        names = [self.strings[vt["type"]] for vt in self.p["sample_type"]]
        name = name or self.strings[self.p["default_sample_type"]]
        if not name:
            return len(names) - 1
        need(name in names, "no sample type %s, only %s" % (name, ", ".join(names)))
        return names.index(name)

    def frames(self, sample):
        """Names, leaf first."""
        out = []
        for number in sample["location_id"]:
            location = self.p["location"][number - 1]
            lines = location["line"] if self.inlines else location["line"][-1:]
            for line in lines:
                f = self.p["function"][line["function_id"] - 1]
                out.append(self.strings[f["name"] or f["system_name"]])
            if not lines:
                m = self.p["mapping"][location["mapping_id"] - 1]
                base = self.strings[m["filename"]].rsplit("/", 1)[-1] or "unknown"
                out.append(base if base.startswith("[") else "[%s]" % base)
        return out

    def labels(self, sample):
        return {self.strings[l["key"]]: self.strings[l["str"]] if l["str"] else l["num"]
                for l in sample["label"]}

    def value_type(self, vt):
        return "%s/%s" % (self.strings[vt["type"]], self.strings[vt["unit"]]) if vt else None

    def folded(self):
        stacks = collections.Counter()
        for s in self.p["sample"]:
            names = [" ".join(n.replace(";", ":").split()) for n in reversed(self.frames(s))]
            stacks[";".join(names)] += s["value"][self.column]
        return stacks

    def totals(self):
        flat, cum = collections.Counter(), collections.Counter()
        for s in self.p["sample"]:
            names, value = self.frames(s), s["value"][self.column]
            if names:
                flat[names[0]] += value
            for name in set(names):
                cum[name] += value
        return [(flat[n], cum[n], n) for n in sorted(cum, key=lambda n: (-flat[n], -cum[n], n))]

    def label_totals(self):
        sums = collections.Counter()
        for s in self.p["sample"]:
            for key, value in self.labels(s).items():
                sums[key, value] += s["value"][self.column]
        return sums

    def lines(self, location):
        out = []
        for line in location["line"]:
            f = self.p["function"][line["function_id"] - 1]
            out.append({"function": self.strings[f["name"]],
                        "system_name": self.strings[f["system_name"]],
                        "file": self.strings[f["filename"]], "line": line["line"],
                        "start_line": f["start_line"]})
        return out

    def mappings(self):
        return [{"start": m["memory_start"], "limit": m["memory_limit"],
                 "offset": m["file_offset"], "file": self.strings[m["filename"]],
                 "build_id": self.strings[m["build_id"]],
                 "has_functions": bool(m["has_functions"]),
                 "has_filenames": bool(m["has_filenames"]),
                 "has_line_numbers": bool(m["has_line_numbers"]),
                 "has_inline_frames": bool(m["has_inline_frames"])} for m in self.p["mapping"]]

    def info(self):
        p = self.p
        return {"sample_types": [self.value_type(vt) for vt in p["sample_type"]],
                "default_sample_type": self.strings[p["default_sample_type"]],
                "period_type": self.value_type(p["period_type"]), "period": p["period"],
                "time_nanos": p["time_nanos"], "duration_nanos": p["duration_nanos"],
                "samples": len(p["sample"]), "mappings": len(p["mapping"]),
                "locations": len(p["location"]), "functions": len(p["function"]),
                "strings": len(p["string_table"]),
                "total": [sum(s["value"][i] for s in p["sample"])
                          for i in range(len(p["sample_type"]))]}

    def everything(self):
        out = self.info()
        out["comments"] = [self.strings[c] for c in self.p["comment"]]
        out["mappings"] = self.mappings()
        out["samples"] = [
            {"stack": self.frames(s), "values": s["value"], "labels": self.labels(s),
             "locations": [{"address": self.p["location"][l - 1]["address"],
                            "mapping": self.p["location"][l - 1]["mapping_id"] - 1,
                            "lines": self.lines(self.p["location"][l - 1])}
                           for l in s["location_id"]]} for s in self.p["sample"]]
        return out


def show(view, what):
    if what == "json":
        print(json.dumps(view.everything(), indent=1))
    elif what == "info":
        print(json.dumps(view.info(), indent=1))
    elif what == "folded":
        for stack, value in sorted(view.folded().items()):
            print(stack, value)
    elif what == "top":
        for flat, cum, name in view.totals():
            print(flat, cum, name)
    elif what == "comments":
        for comment in view.p["comment"]:
            print(view.strings[comment])
    elif what == "mappings":
        for m in view.mappings():
            print("%#x %#x %#x %d %s %s" % (m["start"], m["limit"], m["offset"],
                                            m["has_functions"], m["build_id"] or "-", m["file"]))
    elif what == "labels":
        for (key, value), total in sorted(view.label_totals().items(), key=str):
            print(key, value, total)


def main():
    parser = argparse.ArgumentParser(description="Checks and prints a pprof file.")
    parser.add_argument("file")
    what = parser.add_mutually_exclusive_group()
    for name in ("check", "json", "folded", "top", "comments", "mappings", "labels", "info"):
        what.add_argument("--" + name, dest="what", action="store_const", const=name)
    parser.add_argument("-t", "--type")
    parser.add_argument("--no-inlines", action="store_true")
    args = parser.parse_args()
    try:
        view = View(read(args.file), args.type, not args.no_inlines)
        show(view, args.what or "folded")
    except (Bad, OSError) as e:
        print("%s: %s" % (args.file, e), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.exit(1)
