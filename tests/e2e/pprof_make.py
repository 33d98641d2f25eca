#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pprof_make.py SAMPLES STACKS FUNCTIONS SEED OUT [plain] writes a pprof file with inlining, recursion, labels, unnamed code.

Written by hand so that what reads it shares no code with what made it. SAMPLES repeat STACKS distinct ones. plain: one module has all, functions have no start lines.
"""
import gzip
import random
import sys


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, body):
    return varint(field << 3 | 2) + varint(len(body)) + body


class Strings:
    def __init__(self):
        self.list = [""]
        self.index = {"": 0}

    def __call__(self, text):
        if text not in self.index:
            self.index[text] = len(self.list)
            self.list.append(text)
        return self.index[text]


def make(samples, stacks, functions, seed, plain=False):
    rng = random.Random(seed)
    s = Strings()
    out = bytearray()
    for kind, unit in (("samples", "count"), ("cpu", "nanoseconds")):
        out += message(1, number(1, s(kind)) + number(2, s(unit)))
    bodies = []
    for _ in range(stacks):
        at = rng.randint(0, functions - 1)
        stack = []
        for _ in range(rng.randint(3, 45)):
            stack.append(varint(at % (functions * 2) + 1))
            at = (at * 3 + rng.randint(0, 2)) % (functions * 2)
        label = b""
        if rng.random() < 0.5:
            label = message(3, number(1, s("thread")) + number(2, s("worker-%d" % rng.randint(0, 7))))
        bodies.append((message(1, b"".join(stack)), label))
    for i in range(samples):
        stack, label = bodies[i % stacks]
        count = rng.randint(1, 5)
        out += message(2, stack + message(2, varint(count) + varint(count * 10000000)) + label)
    for i, name in enumerate(("/usr/bin/prog", "/usr/lib/libfoo.so.1", "[kernel.kallsyms]")):
        out += message(3, number(1, i + 1) + number(2, 0x40000000 * (i + 1)) +
                       number(3, 0x40000000 * (i + 2)) + number(5, s(name)) + number(7, 1))
    for i in range(functions * 2):
        lines = message(4, number(1, i % functions + 1) + number(2, i % 100 + 1))
        if i % 5 == 0:
            lines += message(4, number(1, (i + 7) % functions + 1) + number(2, i % 50 + 1))
        if i % 41 == 0:
            lines = b""
        out += message(4, number(1, i + 1) + number(2, 1 if plain else i % 3 + 1) +
                       number(3, 0x40000000 * (i % 3 + 1) + i * 16) + lines)
    for i in range(functions):
        out += message(5, number(1, i + 1) + number(2, s("ns::func_%d" % i)) +
                       number(3, s("_Zfunc_%d" % i)) + number(4, s("src/file_%d.cc" % (i % 20))) +
                       (number(5, i % 30) if not plain else b""))
    out += number(9, 1700000000000000000) + number(10, 10000000000)
    out += message(11, number(1, s("cpu")) + number(2, s("nanoseconds"))) + number(12, 10000000)
    for text in s.list:
        out += message(6, text.encode())
    return bytes(out)


if __name__ == "__main__":
    numbers = [int(x) for x in sys.argv[1:5]]
    with open(sys.argv[5], "wb") as f:
        f.write(gzip.compress(make(*numbers, plain="plain" in sys.argv), 1))
