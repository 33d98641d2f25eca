#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Real programs as Debian builds them.

load helper

# This runs the compilers themselves, and not a cache of their output.
export CCACHE_DISABLE=1

@test "real: redis-server under redis-benchmark" {
	command -v redis-benchmark >/dev/null || skip 'no redis-tools'
	redis_server
	start ./redis-server --port 0 --unixsocket "$PWD/redis.sock" --save '' --daemonize no
	local server=$PID
	soon test -S redis.sock
	start redis-benchmark -s redis.sock -t set,get,lpush,lrange_100 -n 100000000 -P 16 -q
	PID=$server
	record_cpu 1 -F 999
	whole
	holds "$(samples) > 500"
	at_least 90 '^_start;.*aeMain'
}
@test "real: python3" {
	start_ready /usr/bin/python3 -uc 'print("ready")
while True: sorted(str(i) for i in range(10000))'
	record_cpu 1 -F 999
	whole
	holds "$(percent '_PyEval_EvalFrameDefault') > 90"
}
@test "real: xz" {
	start bash -c 'exec xz -T1 -9 -c </dev/urandom >/dev/null'
	soon executes xz "$PID"
	record_cpu 1 -F 999
	whole
	holds "$(percent 'liblzma|lzma_') > 80"
}
@test "real: a compiler that starts children" {
	"$CPROF" cpu -F 999 -f folded -o "$FOLDED" -- bash -c "for i in {1..8}; do
		gcc -O2 -c '$ROOT/tests/targets/shares.c' -o shares.o; done" 2>"$ERR"
	whole_but_new 97
	holds "$(samples) > 30"
	[ -s shares.o ]
}
@test "real: the machine's 100 MB library" {
	command -v clang >/dev/null || skip 'no clang'
	# On a busy machine the first one ends before its table is loaded.
	"$CPROF" cpu -F 999 -f folded -o "$FOLDED" -- bash -c "for i in {1..4}; do
		clang -O2 -c '$ROOT/tests/targets/shares.c' -o shares.o; done" 2>"$ERR"
	whole_but_new 97
	holds "$(count 'libLLVM|llvm::') > 10"
}
