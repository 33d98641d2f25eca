#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures reports, compared with go tool pprof on the same files: one of a million samples with 100,000
distinct stacks, and an ordinary one, 10 s of the sample program. Medians of RUNS, taken in turn."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile

CPROF = os.environ["CPROF"]
DEMO = os.path.join(os.environ["TARGETS"], "demo")
RUNS = int(os.environ.get("RUNS", "3"))
MAKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "pprof_make.py")
PPROF = ["go", "tool", "pprof"]


def run(command):
    """Returns the CPU seconds and the peak in MB of a command. It starts no other process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("failed: %s" % " ".join(command))
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def table(title, commands):
    print("\n%s\n\n| command | CPU s | peak MB |\n|---|---|---|" % title)
    results = [[] for _ in commands]
    for _ in range(RUNS):
        for i, (_, command) in enumerate(commands):
            results[i].append(run(command))
    for (name, _), values in zip(commands, results):
        seconds, memory = (statistics.median(column) for column in zip(*values))
        print("| %s | %.3f | %.0f |" % (name, seconds, memory))


def commands_for(profile, views):
    ours = [("cprof report " + view, [CPROF, "report", profile] + view.split()) for view in views]
    if not shutil.which("go"):
        return ours
    return ours + [("go tool pprof -top", PPROF + ["-top", profile])]


def large(directory):
    profile = os.path.join(directory, "large.pb.gz")
    subprocess.run([sys.executable, MAKER, "1000000", "100000", "5000", "3", profile], check=True)
    title = "1,000,000 samples, 100,000 stacks, %.0f MB" % (os.path.getsize(profile) / 1e6)
    table(title, commands_for(profile, ["--top 20", "--tree", "-g line"]))
    page = os.path.join(directory, "large.html")
    table("The same, written", [("cprof convert -o x.html", [CPROF, "convert", profile, "-o", page]),
                                ("cprof convert -o x.folded", [CPROF, "convert", profile, "-o", page + ".folded"])])
    print("\nThe page has %.1f MB." % (os.path.getsize(page) / 1e6))


def ordinary(directory):
    profile, page = (os.path.join(directory, "ordinary." + end) for end in ("pb.gz", "html"))
    target = subprocess.Popen([DEMO], stdout=subprocess.DEVNULL)
    try:
        subprocess.run([CPROF, "cpu", "-p", str(target.pid), "-d", "10s", "-o", profile],
                       check=True, stderr=subprocess.DEVNULL)
    finally:
        target.kill()
        target.wait()
    subprocess.run([CPROF, "convert", profile, "-q", "-o", page], check=True)
    table("10 s of the sample program at 99 Hz, %.0f KB" % (os.path.getsize(profile) / 1e3),
          commands_for(profile, ["--top 20", "--tree"]))
    print("\nIts page has %.0f KB." % (os.path.getsize(page) / 1e3))


print("== view: reports, beside go tool pprof")
with tempfile.TemporaryDirectory() as scratch:
    large(scratch)
    ordinary(scratch)
