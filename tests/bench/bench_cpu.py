#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a CPU profile costs, compared with perf in the same run: two busy threads, 30 calls deep, no frame
pointers. The target counts its own rounds, so its slowdown is measured from inside. Medians of RUNS
pairs (without and with the profiler); SECONDS each."""

import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

CPROF = os.environ["CPROF"]
TARGET = os.path.join(os.environ["TARGETS"], "shares")
RUNS = int(os.environ.get("RUNS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
RATES = [int(rate) for rate in os.environ.get("RATES", "99 999 4000").split()]
SETTLE = 1.5  # seconds in which the profiler gets ready, outside the measured window


class Target:
    def __init__(self):
        self.process = subprocess.Popen([TARGET, "2"], stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def measure(self):
        """Rounds per second in a window of SECONDS; ends the target."""
        time.sleep(SETTLE)
        self.process.send_signal(signal.SIGUSR1)
        time.sleep(SECONDS)
        self.process.send_signal(signal.SIGTERM)
        said = dict(line.split() for line in self.process.stdout.read().splitlines())
        self.process.wait()
        return float(said["rounds_per_second"])


def whole_by_cprof(directory):
    said = open(os.path.join(directory, "err")).read()
    return float(re.search(r"([0-9.]+)% of stacks whole", said).group(1))


def whole_by_perf(directory):
    """Stacks that reach the start of the program or of a thread."""
    script = subprocess.Popen(
        ["perf", "script", "--no-inline", "-F", "comm,ip,sym", "-i", os.path.join(directory, "out")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    stacks = whole = 0
    reached = False
    for line in script.stdout:
        if not line.strip():
            stacks += 1
            whole += reached
            reached = False
        elif re.search(r"\b(_start|_*clone3?)\b", line):
            reached = True
    script.wait()
    return 100.0 * whole / stacks if stacks else 0.0


def cprof(pid, rate, out):
    return [CPROF, "cpu", "-p", str(pid), "-F", str(rate), "-d", "60s", "-o", out + ".pb.gz"]


def perf(mode):
    return lambda pid, rate, out: ["perf", "record", "-q", "--call-graph", mode, "-e", "cpu-clock",
                                   "-F", str(rate), "-p", str(pid), "-o", out]


TOOLS = [("cprof", cprof, whole_by_cprof)]
if shutil.which("perf"):
    TOOLS += [("perf dwarf", perf("dwarf"), whole_by_perf), ("perf fp", perf("fp"), whole_by_perf)]


def profile(command, whole, rate):
    """One run: CPU seconds, MB, KB, rounds per second of the target, whole stacks in %."""
    target = Target()
    with tempfile.TemporaryDirectory(prefix="cprof-bench.") as directory:
        out = os.path.join(directory, "out")
        with open(os.path.join(directory, "err"), "w") as err:
            profiler = subprocess.Popen(command(target.process.pid, rate, out),
                                        stdout=subprocess.DEVNULL, stderr=err)
        rounds = target.measure()
        _, _, usage = os.wait4(profiler.pid, 0)
        profiler.returncode = 0
        size = sum(os.path.getsize(os.path.join(directory, name))
                   for name in os.listdir(directory) if name.startswith("out"))
        said = open(os.path.join(directory, "err")).read()
        in_kernel = re.search(r"([0-9.]+) us per sample", said)
        return (usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, size / 1024, rounds,
                whole(directory), float(in_kernel.group(1)) if in_kernel else 0.0)


def main():
    print(f"CPU profile of two busy threads, 30 calls deep, {SECONDS:g} s, medians of {RUNS} pairs:")
    print(f"  {'tool':<12} {'Hz':>5} {'CPU s':>7} {'MB':>6} {'file KB':>9} {'slowdown %':>10} "
          f"{'whole %':>8} {'us/sample':>9}")
    for rate in RATES:
        for name, command, whole in TOOLS:
            runs, slower = [], []
            for _ in range(RUNS):
                alone = Target().measure()
                run = profile(command, whole, rate)
                runs.append(run)
                slower.append(100.0 * (1.0 - run[3] / alone))
            cpu, memory, size, _, complete, in_kernel = (
                statistics.median(column) for column in zip(*runs))
            print(f"  {name:<12} {rate:>5} {cpu:>7.2f} {memory:>6.0f} {size:>9.0f} "
                  f"{statistics.median(slower):>10.1f} {complete:>8.1f} "
                  + (f"{in_kernel:>9.1f}" if in_kernel else f"{'-':>9}"), flush=True)


if __name__ == "__main__":
    main()
