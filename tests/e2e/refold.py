#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""refold.py speedscope|firefox|trace TYPE FILE prints the folded stacks in a JSON file of cprof convert."""
import collections
import json
import sys


def speedscope(data, kind):
    frames = data["shared"]["frames"]
    for profile in data["profiles"]:
        if profile["name"] == kind:
            for stack, weight in zip(profile["samples"], profile["weights"]):
                yield [frames[f]["name"] for f in stack], weight


def firefox(data, kind):
    for thread in data["threads"]:
        strings, stacks = thread["stringArray"], thread["stackTable"]
        name_of = [strings[thread["funcTable"]["name"][f]] for f in thread["frameTable"]["func"]]
        for stack, weight in zip(thread["samples"]["stack"], thread["samples"]["weight"]):
            names = []
            while stack is not None:
                names.append(name_of[stacks["frame"][stack]])
                stack = stacks["prefix"][stack]
            yield names[::-1], round(weight * 1e6)  # milliseconds


def trace(data, kind):
    open_events = []  # [end, name, value, value of the children]

    def close(until):
        while open_events and open_events[-1][0] <= until + 1e-6:
            names = [e[1] for e in open_events]
            _, _, value, below = open_events.pop()
            if value > below:
                yield names, value - below

    for e in data["traceEvents"]:
        if e["ph"] != "X":
            continue
        yield from close(e["ts"])
        if open_events:
            open_events[-1][3] += e["args"]["value"]
        open_events.append([e["ts"] + e["dur"], e["name"], e["args"]["value"], 0])
    yield from close(float("inf"))


sums = collections.Counter()
with open(sys.argv[3]) as file:
    for names, value in globals()[sys.argv[1]](json.load(file), sys.argv[2]):
        sums[";".join(names)] += value
for line in sorted("%s %d" % item for item in sums.items()):
    print(line)
