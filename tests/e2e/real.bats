#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Real programs as Debian builds them.

load helper

@test "real: redis-server under redis-benchmark" {
	command -v redis-benchmark >/dev/null || skip 'no redis-tools'
	# Debian's redis-server is a link to this program, which goes by its name.
	ln -s "$(command -v redis-check-rdb)" redis-server
	start ./redis-server --port 0 --unixsocket "$PWD/redis.sock" --save '' --daemonize no
	local server=$PID
	timeout 5 bash -c 'until [ -S redis.sock ]; do sleep 0.05; done'
	start redis-benchmark -s redis.sock -t set,get,lpush,lrange_100 -n 100000000 -P 16 -q
	record -p "$server" -d 2s -F 499
	whole
	holds "$(samples) > 200"
	at_least 90 '^_start;.*aeMain'
}
@test "real: python3" {
	start /usr/bin/python3 -c 'while True: sorted(str(i) for i in range(10000))'
	sleep 0.3
	record -p "$PID" -d 2s -F 499
	whole
	holds "$(percent '_PyEval_EvalFrameDefault') > 90"
}
@test "real: xz" {
	start bash -c 'exec xz -T1 -9 -c </dev/urandom'
	sleep 0.3
	record -p "$PID" -d 2s -F 499
	whole
	holds "$(percent 'liblzma|lzma_') > 80"
}
@test "real: a compiler that starts children" {
	"$CPROF" cpu -F 999 -f folded -o "$FOLDED" -- bash -c "for i in {1..8}; do
		gcc -O2 -c '$ROOT/tests/targets/shares.c' -o shares.o; done" 2>"$ERR"
	whole 97
	holds "$(samples) > 30"
	[ -s shares.o ]
}
@test "real: the machine's 100 MB library" {
	command -v clang >/dev/null || skip 'no clang'
	"$CPROF" cpu -F 999 -f folded -o "$FOLDED" -- clang -O2 -c "$ROOT/tests/targets/shares.c" -o shares.o 2>"$ERR"
	whole 97
	holds "$(percent 'libLLVM|llvm::') > 10"
}
