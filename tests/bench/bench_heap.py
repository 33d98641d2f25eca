#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a memory profile costs the target, compared with its peers in the same run.

First a malloc+free pair in a loop that does nothing else, in 1, 2 and 4 threads: nanoseconds of the
threads' CPU, medians of RUNS pairs of runs (without and with the profiler), BENCH_SECONDS each. Then
redis-server under redis-benchmark and postgres under pgbench: their
throughput beside native. And what cprof itself needs for a process with 10 GB
of live blocks. PEERS="" leaves the peers out; BIG= the last one."""

import glob
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

CPROF = os.environ["CPROF"]
TARGETS = os.environ["TARGETS"]
LIBRARY = os.path.join(os.path.dirname(CPROF), "libcprof-heap.so")
RUNS = int(os.environ.get("RUNS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.5"))
THREADS = [int(n) for n in os.environ.get("THREADS", "1 2 4").split()]
PEERS = os.environ.get("PEERS", "bpftrace memleak heaptrack").split()
BIG = os.environ.get("BIG", "10240")
SERVER_SECONDS = 1

HEAPTRACK = "/usr/lib/heaptrack/libheaptrack_preload.so"
BPFTRACE = """
uprobe:%(lib)s:malloc { @size[tid] = arg0; }
uretprobe:%(lib)s:malloc /@size[tid]/ { @live[retval] = @size[tid]; delete(@size[tid]); }
uprobe:%(lib)s:free { delete(@live[arg0]); }
"""


def wait_for(path, pattern, process, seconds=20):
    """Waits until what `process` writes into the file matches."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if re.search(pattern, open(path, errors="replace").read()):
            return True
        time.sleep(0.02)
    return bool(re.search(pattern, open(path, errors="replace").read()))


class Profiler:
    """A tool that attaches to a process: its command, and what it prints when it is attached."""

    def __init__(self, name, command, ready, environment=None):
        self.name, self.command, self.ready = name, command, ready
        self.environment = environment or {}  # of the target

    def attach(self, pid, allocator, directory):
        out = os.path.join(directory, "profiler")
        with open(out, "w") as f:
            process = subprocess.Popen(self.command(pid, allocator, directory), stdout=f, stderr=f,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        ready = not self.ready or wait_for(out, self.ready, process)
        said = open(out, errors="replace").read()
        if not ready or "No symbol" in said:
            detach(process)
            raise RuntimeError("injection failed" if ready else said.strip() or "it says nothing")
        return process


def reason(error):
    return str(error).strip().splitlines()[-1][-80:]


def detach(process):
    if process is None:
        return
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    except ProcessLookupError:
        process.wait()
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def cprof(verb):
    return lambda pid, allocator, directory: [
        CPROF, verb, "-p", str(pid), "-d", "60s", "--force", "-o",
        os.path.join(directory, verb + ".pb.gz")]


def bpftrace(pid, allocator, directory):
    script = os.path.join(directory, "pairs.bt")
    with open(script, "w") as f:
        f.write(BPFTRACE % {"lib": allocator})
    return ["bpftrace", script]  # whoever maps the file: backends of postgres are forked


def memleak(pid, allocator, directory):
    tool = shutil.which("memleak") or shutil.which("memleak-bpfcc")
    return [tool, "-p", str(pid), "-O", allocator, "3600"]


def heaptrack(pid, allocator, directory):
    return ["sh", "-c", "cd %s && exec heaptrack -p %d" % (directory, pid)]


def profilers():
    found = [Profiler("cprof heap", cprof("heap"), "slowdown"),
             Profiler("cprof allocs", cprof("allocs"), "slowdown")]
    if os.path.exists(LIBRARY):
        found.append(Profiler("libcprof-heap.so, nobody attached", None, None,
                              {"LD_PRELOAD": LIBRARY}))
        found.append(Profiler("libcprof-heap.so, cprof heap", cprof("heap"), "slowdown",
                              {"LD_PRELOAD": LIBRARY}))
    if "bpftrace" in PEERS and shutil.which("bpftrace"):
        found.append(Profiler("bpftrace, three probes", bpftrace, "Attaching"))
    if "memleak" in PEERS and (shutil.which("memleak") or shutil.which("memleak-bpfcc")):
        found.append(Profiler("memleak (bcc)", memleak, "Attaching|Tracing"))
    if "heaptrack" in PEERS and shutil.which("heaptrack") and shutil.which("gdb"):
        found.append(Profiler("heaptrack, attached", heaptrack, "injection finished"))
    if "heaptrack" in PEERS and os.path.exists(HEAPTRACK):
        found.append(Profiler("heaptrack, launched, to /dev/null", None, None, {
            "LD_PRELOAD": HEAPTRACK, "DUMP_HEAPTRACK_OUTPUT": "/dev/null"}))
    return found


def pair(profiler, threads):
    """Returns nanoseconds of a pair in the loop, profiled if there is a profiler."""
    with tempfile.TemporaryDirectory(prefix="cprof-bench.") as directory:
        environment = dict(os.environ, **(profiler.environment if profiler else {}))
        target = subprocess.Popen([os.path.join(TARGETS, "heap_pairs"), str(threads)],
                                  stdout=subprocess.PIPE, text=True, env=environment)
        process = None
        try:
            target.stdout.readline()
            if profiler and profiler.command:
                process = profiler.attach(target.pid, libc(), directory)
                time.sleep(0.3)
            target.send_signal(signal.SIGUSR1)
            time.sleep(SECONDS)
            target.send_signal(signal.SIGTERM)
            said = dict(line.split() for line in target.stdout.read().splitlines())
            if target.wait(20):
                raise RuntimeError("the target died: status %d" % target.returncode)
        finally:
            target.kill()
            target.wait()
            detach(process)
        return float(said["ns_per_pair"])


def libc():
    for line in open("/proc/self/maps"):
        if "/libc.so.6" in line:
            return line.split()[-1]
    return "/lib/x86_64-linux-gnu/libc.so.6"


def bench_pairs():
    print(f"a malloc+free pair, ns of CPU; medians of {RUNS} pairs of runs of {SECONDS:g} s:")
    print(f"  {'':<36} {'threads':>7} {'native':>9} {'with':>10} {'added':>10} {'ratio':>8}")
    for profiler in profilers():
        for threads in THREADS:
            try:
                runs = [(pair(None, threads), pair(profiler, threads)) for _ in range(RUNS)]
            except RuntimeError as e:
                print(f"  {profiler.name:<36} {threads:>7} failed: {reason(e)}")
                break
            native, other = (statistics.median(column) for column in zip(*runs))
            added = statistics.median(b - a for a, b in runs)
            print(f"  {profiler.name:<36} {threads:>7} {native:>9.1f} {other:>10.1f} {added:>10.1f} "
                  f"{other / native:>8.1f}", flush=True)


# ---- a program that does more than allocate

class Redis:
    title = "redis-server, SET of 400 bytes"
    programs = ["redis-server", "redis-benchmark"]

    def __init__(self, environment):
        self.directory = tempfile.TemporaryDirectory(prefix="cprof-bench.")
        self.socket = os.path.join(self.directory.name, "socket")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "",
             "--appendonly", "no", "--dir", self.directory.name],
            stdout=subprocess.DEVNULL, env=dict(os.environ, **environment))
        wait_for_file(self.socket)

    def load(self, seconds):
        """Requests per second; each allocates and frees a few times."""
        done, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            subprocess.run(["redis-benchmark", "-q", "-s", self.socket, "-t", "set", "-d", "400",
                            "-r", "10000", "-c", "20", "-n", "20000"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False, timeout=60)
            done += 20000
        return done / (time.monotonic() - began)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()


class Postgres:
    """Runs as another user, because it refuses root. Each connection is a process."""
    title = "postgres, pgbench -S"
    programs = ["pgbench", "setpriv"]
    bin = max(glob.glob("/usr/lib/postgresql/*/bin"), default=None)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    data = None  # a new cluster takes seconds: one for all

    def __init__(self, environment):
        first = Postgres.data is None
        if first:
            Postgres.data = tempfile.TemporaryDirectory(prefix="cprof-bench.")
            os.chmod(self.data.name, 0o777)
            self.run([self.bin + "/initdb", "-D", self.path(), "-N", "-A", "trust", "-U", "bench"])
        self.process = subprocess.Popen(
            self.user + [self.bin + "/postgres", "-D", self.path(), "-k", self.data.name, "-h", "",
                         "-F"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, **environment))
        wait_for_file(os.path.join(self.data.name, ".s.PGSQL.5432"))
        time.sleep(0.3)
        if first:
            self.run(["pgbench", "-i", "-q", "-h", self.data.name, "-U", "bench", "postgres"])

    def path(self):
        return os.path.join(self.data.name, "cluster")

    def run(self, command):
        return subprocess.run(self.user + command, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=True, timeout=60,
                              cwd=self.data.name).stdout

    def load(self, seconds):
        said = self.run(["pgbench", "-S", "-n", "-c", "4", "-T", str(max(1, round(seconds))), "-h",
                         self.data.name, "-U", "bench", "postgres"])
        return float(re.search(r"tps = ([0-9.]+)", said).group(1))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


def wait_for_file(path):
    for _ in range(250):
        if os.path.exists(path):
            return
        time.sleep(0.02)
    raise RuntimeError("no " + path)


def allocator_of(pid):
    for line in open("/proc/%d/maps" % pid):
        if re.search(r"lib(jemalloc|tcmalloc|mimalloc)\S*\.so", line):
            return line.split()[-1]
    return libc()


def rate_of(kind, profiler):
    server = kind(profiler.environment if profiler else {})
    process = None
    with tempfile.TemporaryDirectory(prefix="cprof-bench.") as directory:
        try:
            server.load(0.1)
            if profiler and profiler.command:
                process = profiler.attach(server.process.pid, allocator_of(server.process.pid),
                                          directory)
                time.sleep(0.3)
            rate = server.load(SERVER_SECONDS)
            if server.process.poll() is not None:
                raise RuntimeError("the target died: status %d" % server.process.returncode)
        finally:
            server.end()
            detach(process)
    return rate


def bench_server(kind):
    print(f"\n{kind.title}, a second; medians of {RUNS} pairs of runs:")
    print(f"  {'':<36} {'native':>9} {'with':>10} {'of native':>10}")
    for profiler in profilers():
        try:
            runs = [(rate_of(kind, None), rate_of(kind, profiler)) for _ in range(RUNS)]
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            print(f"  {profiler.name:<36} failed: {reason(e)}")
            continue
        native, other = (statistics.median(column) for column in zip(*runs))
        part = statistics.median(100 * b / a for a, b in runs)
        print(f"  {profiler.name:<36} {native:>9.0f} {other:>10.0f} {part:>9.1f}%", flush=True)


# ---- cprof's own memory

def bench_memory():
    """heap_leaks' blocks are hardly touched: 10 GB live are some 3 resident."""
    with tempfile.TemporaryDirectory(prefix="cprof-bench.") as directory:
        target = subprocess.Popen([os.path.join(TARGETS, "heap_leaks"), BIG, "0"],
                                  stdout=subprocess.PIPE, text=True)
        process = None
        try:
            target.stdout.readline()
            process = Profiler("cprof heap", cprof("heap"), "slowdown").attach(
                target.pid, libc(), directory)
            target.send_signal(signal.SIGUSR1)
            live = 0
            for line in target.stdout:
                if line.startswith("done"):
                    break
                if line.startswith("truth"):
                    live += int(line.split()[5])
            os.killpg(process.pid, signal.SIGINT)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
            print(f"\ncprof heap on a process with {live / 1e9:.1f} GB of live blocks: "
                  f"{usage.ru_maxrss / 1024:.0f} MB, {usage.ru_utime + usage.ru_stime:.2f} s of CPU")
        finally:
            target.kill()
            target.wait()


def main():
    if os.geteuid():
        print("a memory profile's cost: needs root")
        return 0
    bench_pairs()
    for kind in (Redis, Postgres):
        if all(shutil.which(program) for program in kind.programs) and getattr(kind, "bin", "/"):
            bench_server(kind)
    if BIG:
        bench_memory()
    return 0


if __name__ == "__main__":
    sys.exit(main())
