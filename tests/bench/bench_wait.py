#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what measuring waits costs: BPF time per context switch, a loop in which two threads hand over to each
other under cprof and its peers, and loops that never wait. The loops time themselves; the fastest of
RUNS runs of SECONDS each: what else runs on the machine only ever adds."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

CPROF = os.environ["CPROF"]
LOOPS = os.path.join(os.environ["BUILD"], "bench", "wait_loops")
RUNS = int(os.environ.get("RUNS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.5"))
SETTLE = 3.0  # seconds in which a profiler gets ready, outside the measured window
STATS = "/proc/sys/kernel/bpf_stats_enabled"
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"


class Loop:
    def __init__(self, name):
        self.process = subprocess.Popen([LOOPS, name, str(SECONDS)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def measure(self):
        """Returns elapsed and CPU nanoseconds per turn from now on, and ends the loop."""
        said, _ = self.process.communicate("go\n")
        return tuple(float(word) for word in said.split())

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Profiler:
    """Records meanwhile; SIGINT ends it."""

    def __init__(self, command):
        self.directory = tempfile.TemporaryDirectory(prefix="cprof-bench.")
        self.process = subprocess.Popen(command, cwd=self.directory.name, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL) if command else None
        if command:
            time.sleep(SETTLE)
            if self.process.poll() is not None:
                raise RuntimeError("it does not run here")

    def end(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.directory.cleanup()


def cprof(verb, pid, *more):
    return [CPROF, verb, "-p", str(pid), "-d", "60s", "-o", "out.pb.gz", *more]


def perf(pid):
    return ["perf", "record", "-q", "-g", "-e", "syscalls:sys_enter_futex", "-e",
            "syscalls:sys_exit_futex", "-p", str(pid), "-o", "perf.data"]


def bpftrace(pid):
    return ["bpftrace", "-e", f"""
        tracepoint:syscalls:sys_enter_futex /pid == {pid}/ {{ @since[tid] = nsecs; }}
        tracepoint:syscalls:sys_exit_futex /@since[tid]/ {{
            @ns[ustack] = sum(nsecs - @since[tid]); delete(@since[tid]); }}"""]


PEERS = [("perf record on the futex tracepoints", "perf", perf),
         ("bpftrace, a futex script", "bpftrace", bpftrace),
         ("offcputime of libbpf-tools", "offcputime", lambda pid: ["offcputime", "-p", str(pid)]),
         ("offcputime-bpfcc", "offcputime-bpfcc", lambda pid: ["offcputime-bpfcc", "-p", str(pid)])]


def timed(name, command):
    """Returns a loop's elapsed and CPU nanoseconds per turn while `command` (a function of its PID, or None) records."""
    runs = []
    for _ in range(RUNS):
        loop = Loop(name)
        time.sleep(0.1)
        try:
            profiler = Profiler(command(loop.pid) if command else None)
        except RuntimeError:
            loop.end()
            raise
        runs.append(loop.measure())
        profiler.end()
    return tuple(min(column) for column in zip(*runs))


def programs():
    """Run time and runs of cprof's programs at the scheduler."""
    listed = json.loads(subprocess.run([BPFTOOL, "-j", "prog", "show"], check=True,
                                       capture_output=True, text=True).stdout)
    return {p["name"]: (p.get("run_time_ns", 0), p.get("run_cnt", 0)) for p in listed
            if p.get("name") in ("on_switch", "on_waking")}


def per_run(verb, target_waits):
    """BPF nanoseconds a run of each program while two threads hand over: the target's, or others'."""
    loop, other = Loop("handover"), Loop("handover") if not target_waits else None
    if other:
        os.kill(loop.pid, signal.SIGSTOP)
    profiler = Profiler(cprof(verb, loop.pid))
    before = programs()
    time.sleep(SECONDS)
    after = programs()
    profiler.end()
    if other:
        os.kill(loop.pid, signal.SIGCONT)
        other.end()
    loop.end()
    return {name: (after[name][0] - before[name][0]) / max(1, after[name][1] - before[name][1])
            for name in after if name in before}


def bpf_time():
    if not os.access(STATS, os.W_OK) or not os.path.exists(BPFTOOL):
        print("  BPF time: needs root and bpftool")
        return
    was = open(STATS).read()
    with open(STATS, "w") as f:
        f.write("1")
    try:
        print("BPF time, in nanoseconds a run (20 frames, no frame pointers):")
        print(f"  {'verb':<8} {'switch of a target':>19} {'wake-up':>8} {'switch of others':>17}")
        for verb in ("block", "mutex", "offcpu", "wall"):
            target, others = per_run(verb, True), per_run(verb, False)
            print(f"  {verb:<8} {target.get('on_switch', 0):>19.0f} {target.get('on_waking', 0):>8.0f} "
                  f"{others.get('on_switch', 0):>17.0f}", flush=True)
    finally:
        with open(STATS, "w") as f:
            f.write(was)


def handover():
    print(f"\nTwo threads that hand over to each other through futexes, 20 frames deep, the fastest "
          f"of {RUNS} runs:")
    alone = timed("handover", None)
    print(f"  {'recorded by':<40} {'ns a turn':>9} {'slower %':>9} {'CPU ns':>7} {'more %':>7}")
    print(f"  {'nobody':<40} {alone[0]:>9.0f} {'':>9} {alone[1]:>7.0f}")
    tools = [("cprof " + verb, lambda pid, verb=verb: cprof(verb, pid))
             for verb in ("block", "mutex", "offcpu", "wall")]
    tools += [(what, command) for what, program, command in PEERS if shutil.which(program)]
    for what, command in tools:
        try:
            turn = timed("handover", command)
        except RuntimeError as e:
            print(f"  {what:<40} {e}")
            continue
        more = [100 * (with_it / without - 1) for with_it, without in zip(turn, alone)]
        print(f"  {what:<40} {turn[0]:>9.0f} {more[0]:>9.1f} {turn[1]:>7.0f} {more[1]:>7.1f}",
              flush=True)


def not_waiting():
    """The loops' own process is the target, which costs more than recording another program."""
    print("\nLoops that never wait, CPU ns a turn: alone, while another program is recorded, and recorded:")
    for name in ("getppid", "eagain", "mutex"):
        idle = subprocess.Popen(["sleep", "600"])
        alone = timed(name, None)
        beside = timed(name, lambda pid: cprof("block", idle.pid))
        recorded = timed(name, lambda pid: cprof("block", pid))
        idle.kill()
        idle.wait()
        print(f"  {name:<10} {alone[1]:>8.1f} {beside[1]:>8.1f} {recorded[1]:>8.1f}", flush=True)


if __name__ == "__main__":
    bpf_time()
    handover()
    not_waiting()
