#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""speedscope_check.py SCHEMA FILE checks FILE against the parts of speedscope's JSON schema that it uses."""
import json
import sys


def fail(where, what):
    sys.exit("%s: %s" % (where, what))


def check(schema, root, value, where):
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        for choice in schema["anyOf"]:
            try:
                return check(choice, root, value, where)
            except SystemExit as e:
                last = e
        raise last
    if "enum" in schema and value not in schema["enum"]:
        fail(where, "%r is none of %r" % (value, schema["enum"]))
    if "const" in schema and value != schema["const"]:
        fail(where, "%r is not %r" % (value, schema["const"]))
    kinds = {"object": dict, "array": list, "string": str, "number": (int, float)}
    kind = schema.get("type")
    if kind in kinds and not isinstance(value, kinds[kind]):
        fail(where, "is no %s" % kind)
    for name in schema.get("required", []):
        if name not in value:
            fail(where, "lacks %s" % name)
    if isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                check(part, root, value[name], where + "." + name)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for i, item in enumerate(value):
            check(schema["items"], root, item, "%s[%d]" % (where, i))


schema = json.load(open(sys.argv[1]))
check(schema, schema, json.load(open(sys.argv[2])), "file")
