#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""map_entries.py PID prints how many entries each hash map of this process has, as "NAME N" lines."""
import json
import os
import re
import shutil
import sys

import subprocess

BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"


def bpftool(*words):
    return json.loads(subprocess.run([BPFTOOL, "-j", "map", *words], check=True, stdout=subprocess.PIPE).stdout)


def map_ids(pid):
    directory = "/proc/%s/fdinfo" % pid
    for name in os.listdir(directory):
        try:
            found = re.search(r"^map_id:\s*(\d+)", open(os.path.join(directory, name)).read(), re.M)
        except FileNotFoundError:
            continue
        if found:
            yield found.group(1)


def main():
    for number in sorted(set(map_ids(sys.argv[1])), key=int):
        info = bpftool("show", "id", number)
        if info["type"].endswith("hash"):
            print(info["name"], len(bpftool("dump", "id", number)))


if __name__ == "__main__":
    main()
