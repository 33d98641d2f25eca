#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cprof heap -- COMMAND: what the processes of a command allocate where the preloaded sampler is not
# in front of the allocator, and what is said about those that are not seen.

load helper

# launched COMMAND... records its live blocks; they are in $FOLDED, and the summary in $ERR.
launched() {
	need_root
	timeout 200 "$CPROF" heap --rate 1 -o heap.pb.gz -- "$@" 2>"$ERR"
	"$ROOT/tests/e2e/pprof_decode.py" --folded -t inuse_space heap.pb.gz >"$FOLDED"
}

said_comment() { gunzip -c heap.pb.gz | grep -aq "$1"; }

@test "launched: a child whose environment was cleared" {
	launched env -i "$TARGETS/launched" 3 1000
	[ "$(count ';grow(;| )')" = 1000000 ]
	grep -Eq 'sampler: 1 programs; by probes, .*: launched \(PID [0-9]+\)$' "$ERR"
	run ! grep -q 'no allocation was seen' "$ERR"
	said_comment 'by probes, .*: launched (PID'
}

@test "launched: a static child" {
	launched sh -c '"$0" 3 1000; true' "$TARGETS/launched-static"
	[ "$(count ';grow(;| )')" = 1000000 ]
	grep -Eq 'by probes, .*: launched-static \(PID [0-9]+\)$' "$ERR"
}

@test "launched: a child that has an allocator of its own" {
	launched sh -c '"$0" 3 1000; true' "$TARGETS/launched-own"
	[ "$(count ';grow(;| )')" = 1000000 ]
	grep -Eq 'by probes, .*: launched-own \(PID [0-9]+\)$' "$ERR"
}

@test "launched: children that are seen by the sampler, at once and once" {
	launched sh -c '"$0" 0 1000; "$0" 3 1000; exec "$0" 0 1000' "$TARGETS/launched"
	[ "$(count ';grow(;| )')" = 3000000 ]
	run ! grep -Eq 'by probes|no allocation was seen' "$ERR"
}

@test "launched: a child that ends before it has probes is named" {
	launched sh -c 'env -i "$0" 0 1000; "$0" 0 1000; true' "$TARGETS/launched-static"
	[ "$(grep -E 'by probes|no allocation was seen of' "$ERR" | grep -o 'launched-static (PID' | wc -l)" = 2 ]
	said_comment 'launched-static (PID'
}

@test "launched: samples that the sampler drops are counted and said" {
	need_root
	target sampler_full
	profiler heap -p "$PID" -d 0 -o heap.pb.gz
	kill -USR1 "$PID"
	said 'done'
	detach
	"$ROOT/tests/e2e/pprof_decode.py" --folded -t inuse_space heap.pb.gz >"$FOLDED"
	[ "$(count main)" = 3000 ]
	grep -q '7 sampled allocations are missing' "$ERR"
	said_comment '7 sampled allocations are missing'
}
