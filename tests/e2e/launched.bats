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

# from_the_start NAME BYTES: the programs were probed before they allocated so many bytes.
from_the_start() {
	cat "$ERR" "$FOLDED"
	[ "$(count ';grow(;| )')" = "$2" ]
	grep -Eq "by probes: .*$1 \\(PID [0-9]+\\)$" "$ERR"
	run ! grep -Eq 'no allocation was seen|before their probes' "$ERR"
	said_comment "by probes: .*$1 (PID"
}

@test "launched: a child whose environment was cleared" {
	launched env -i "$TARGETS/launched" 0 1000
	from_the_start launched 1000000
	grep -q 'sampler: 1 programs; ' "$ERR"
}

@test "launched: static children" {
	launched sh -c '"$0" 0 1000; "$0" 0 1000; true' "$TARGETS/launched-static"
	from_the_start launched-static 2000000
}

@test "launched: a static child, by posix_spawn and vfork" {
	launched /usr/bin/python3 -c 'import os, subprocess, sys
child = [sys.argv[1], "0", "1000"]
os.waitpid(os.posix_spawn(child[0], child, {}), 0)
subprocess.run(child, check=True)' "$TARGETS/launched-static"
	from_the_start launched-static 2000000
}

@test "launched: a child that has an allocator of its own" {
	launched sh -c '"$0" 0 1000; env -i "$0" 0 1000; true' "$TARGETS/launched-own"
	from_the_start launched-own 2000000
}

@test "launched: a script that runs a program with an allocator of its own" {
	printf '#!/bin/sh\nexec "$@"\n' >start.sh
	chmod +x start.sh
	launched ./start.sh "$TARGETS/launched-own" 0 1000
	from_the_start launched-own 1000000
}

@test "launched: children that are seen by the sampler, at once and once" {
	launched sh -c '"$0" 0 1000; "$0" 3 1000; exec "$0" 0 1000' "$TARGETS/launched"
	[ "$(count ';grow(;| )')" = 3000000 ]
	run ! grep -Eq 'by probes|no allocation was seen' "$ERR"
}

# Nobody tells what a static program runs, so its child has no probes when it begins.
# Whether the probes are in before the first run allocates, and for all processes, depends on when
# cprof sees its exec. What is not counted is said.
@test "launched: a child that begins without probes is counted or named, also when it runs again" {
	cp "$TARGETS/launched-static" first
	ln first second
	launched sh -c '"$0" 0 0 ./first 3 1000; "$0" 0 0 ./second 0 1000; true' "$TARGETS/launched-static"
	cat "$ERR"
	if [ "$(count ';grow(;| )')" != 2000000 ]; then
		[ "$(count ';grow(;| )')" -ge 1000000 ]
		grep -Eq '(before their probes were in|no allocation was seen).*second \(PID' "$ERR"
		said_comment 'second (PID'
	fi
}

# A question that nobody answers must not stop the program for longer than a moment.
@test "launched: nothing waits when cprof is stopped or gone" {
	need_root
	profiler heap --rate 1 -o heap.pb.gz -- sh -c 'sleep 2; for i in 1 2 3 4 5 6 7 8; do "$0" 0 1; done; echo ended >>ended' "$TARGETS/launched-static"
	kill -STOP "$PROFILER"
	soon test -s ended
	kill -KILL "$PROFILER"
}

@test "launched: plug-ins that are opened with RTLD_DEEPBIND" {
	local plugin mappings
	for plugin in libdeep_now.so libdeep_lazy.so; do
		mappings=$("$TARGETS/deep_host" "$TARGETS/$plugin")
		launched "$TARGETS/deep_host" "$TARGETS/$plugin" >mappings
		cat "$ERR" "$FOLDED"
		[ "$(count ';keep(;| )')" = 1000000 ]
		[ "$(count ';give(;| )')" = 0 ]
		[ "$mappings" = "$(cat mappings)" ]
		run ! grep -q 'pass the preloaded sampler by' "$ERR"
	done
}

# The search depends on who opens it, so it must be opened as without the sampler.
@test "launched: plug-ins that pass the sampler by are said" {
	launched "$TARGETS/deep_host" libdeep_now.so
	grep -q '1 times plug-ins were opened that pass the preloaded sampler by' "$ERR"
	said_comment '1 times plug-ins were opened that pass the preloaded sampler by'
	launched "$TARGETS/deep_host" "$TARGETS/libdeep_now.so" space
	grep -q '1 times plug-ins were opened that pass the preloaded sampler by' "$ERR"
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
