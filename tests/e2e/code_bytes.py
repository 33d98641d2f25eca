#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""code_bytes.py PID: compares every executable mapping of a file with that file. Prints where the memory
differs (because a breakpoint of a probe is still there), and then exits with status 1."""
import os
import sys


def main():
    pid = int(sys.argv[1])
    different = looked = 0
    memory = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    for line in open("/proc/%d/maps" % pid):
        words = line.split(None, 5)
        if "x" not in words[1] or len(words) < 6 or not words[5].startswith("/"):
            continue
        start, end = (int(word, 16) for word in words[0].split("-"))
        try:
            with open("/proc/%d/map_files/%x-%x" % (pid, start, end), "rb") as f:
                f.seek(int(words[2], 16))
                wanted = f.read(end - start)
        except OSError:
            continue
        have = os.pread(memory, len(wanted), start)
        looked += len(have)
        for at in range(0, len(have), 4096):
            if have[at:at + 4096] != wanted[at:at + 4096]:
                where = next(i for i in range(at, len(have)) if have[i] != wanted[i])
                print("%s+%#x: %#x, in the file %#x" % (
                    words[5].strip(), int(words[2], 16) + where, have[where], wanted[where]))
                different += 1
    print("%d bytes of code, %d pages differ" % (looked, different))
    return 1 if different or not looked else 0


if __name__ == "__main__":
    sys.exit(main())
