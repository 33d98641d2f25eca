#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how long the user waits: from the command to the first possible sample, and from the end of the
recording to the written profile, for a small program and for one that maps a 100 MB library."""

import gzip
import os
import statistics
import subprocess
import tempfile
import time

CPROF = os.environ["CPROF"]
TARGET = os.path.join(os.environ["TARGETS"], "shares")
LIBRARY = "/usr/lib/llvm-14/lib/libLLVM-14.so.1"
RUNS = int(os.environ.get("RUNS", "3"))


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def numbers(data):
    """The numeric fields of a message: time_nanos is 9, duration_nanos 10 (profile.proto)."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            fields[key >> 3], at = varint(data, at)
        else:
            size, at = varint(data, at)
            at += size
    return fields


def run(pid, directory):
    out = os.path.join(directory, "p.pb.gz")
    begin = time.time()
    process = subprocess.Popen([CPROF, "cpu", "-q", "-p", str(pid), "-F", "999", "-d", "1s", "-o", out])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    end = time.time()
    fields = numbers(gzip.decompress(open(out, "rb").read()))
    started = fields[9] / 1e9
    return started - begin, end - started - fields[10] / 1e9, usage.ru_maxrss / 1024


def main():
    print(f"waiting for cprof, medians of {RUNS} runs:")
    print(f"  {'program':<28} {'to ready s':>10} {'to file s':>10} {'peak MB':>8}")
    for name, preload in (("small", ""), ("maps libLLVM-14 (100 MB)", LIBRARY)):
        if preload and not os.path.exists(preload):
            continue
        target = subprocess.Popen([TARGET], stdout=subprocess.PIPE, env={**os.environ, "LD_PRELOAD": preload})
        target.stdout.readline()
        with tempfile.TemporaryDirectory(prefix="cprof-bench.") as directory:
            columns = zip(*(run(target.pid, directory) for _ in range(RUNS)))
            ready, written, memory = (statistics.median(column) for column in columns)
        target.terminate()
        target.wait()
        print(f"  {name:<28} {ready:>10.3f} {written:>10.3f} {memory:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
