#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# PID namespaces: a process has one number for cprof's BPF programs, one in cprof's /proc, and one
# for itself. Profiles are the same whichever of them differ.

load helper

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	unshare --pid --fork --mount-proc true 2>/dev/null || skip 'no PID namespaces here'
}

# inside COMMAND... runs it in a separate PID namespace, which ends with the command.
inside() { unshare --pid --fork --mount-proc --kill-child "$@"; }

# tests_inside FILE REGEX runs those tests of another file, with cprof and its targets in one
# namespace.
tests_inside() {
	run inside env -u BATS_TEST_NAME bats --tap -f "$2" "$BATS_TEST_DIRNAME/$1"
	echo "$output"
	[ "$status" -eq 0 ] && [[ $output == *$'\n'ok* ]]
}

@test "pidns: heap inside: children and libraries that come meanwhile" {
	tests_inside heap.bats 'a child that was forked meanwhile|library with an allocator of its own'
}

@test "pidns: locks inside: owners, holds, and a deadlock" {
	tests_inside wait.bats 'an owner that runs on another|how often each kind of lock|a deadlock from before'
}

# A bystander in the namespace has the number that the target has outside.
@test "pidns: heap inside leaves the process alone that has the target's number of the initial namespace" {
	[ -x "$TARGETS/heap_pairs" ] || skip 'heap_pairs was not built here'
	cat >inside.sh <<-'END'
		# /proc is still that of the outer namespace.
		bash -c 'read -r outer _ </proc/self/stat; echo "$outer" >outer; exec "$0" 2' "$TARGETS/heap_pairs" &
		target=$!
		until [ -s outer ]; do sleep 0.05; done
		mount -t proc proc /proc
		echo $(($(<outer) - 1)) >/proc/sys/kernel/ns_last_pid
		sleep 60 &
		bystander=$!
		[ "$bystander" = "$(<outer)" ] || { echo 'the number was taken'; exit 77; }
		sleep 0.3
		"$CPROF" heap -p "$target" --force -d 2s -o heap.pb.gz &
		profiler=$!
		for ((i = 0; i < 100; i++)); do
			python3 "$CODE_BYTES" "$target" >code || break
			sleep 0.05
		done
		grep -q ': 0xcc' code || { echo 'the target has no probes'; exit 1; }
		python3 "$CODE_BYTES" "$bystander"
		status=$?
		wait "$profiler" && exit "$status"
	END
	CODE_BYTES=$BATS_TEST_DIRNAME/code_bytes.py CPROF=$CPROF TARGETS=$TARGETS \
		run unshare --pid --fork --mount --kill-child bash inside.sh
	echo "$output"
	[ "$status" -ne 77 ] || skip 'the number was taken'
	[ "$status" -eq 0 ]
}

# contained LEVELS PROGRAM ARGS... starts the target that many namespaces further in. TARGET is its
# number here.
contained() {
	local levels=$1 wrap=() tries=0
	shift
	[ -x "$TARGETS/$1" ] || skip "$1 was not built here"
	while ((levels--)); do wrap+=(unshare --pid --fork --mount-proc --kill-child); done
	: >"$BATS_TEST_TMPDIR/target.out"
	start "${wrap[@]}" "$TARGETS/$1" "${@:2}"
	said ready
	TARGET=$PID
	until [ "$(</proc/"$TARGET"/comm)" != unshare ]; do TARGET=$(pgrep -P "$TARGET"); done
	holds "$(grep NSpid /proc/"$TARGET"/status | wc -w) > 2"
}

@test "pidns: from outside: a deadlock is found, with the numbers that cprof's user sees" {
	local levels
	for levels in 1 2; do
		contained "$levels" locks deadlock
		PID=$TARGET soon in_futex 2
		profile_wait block -p "$TARGET" -d 1s
		grep -q 'deadlock: 2 threads' "$ERR"
		grep -q 'orders_lock' "$ERR"
		local tid
		for tid in $(grep -o 'thread [^ ]* ([0-9]*)' "$ERR" | grep -o '[0-9]*)' | tr -d ')'); do
			[ -d "/proc/$TARGET/task/$tid" ]
		done
	done
}

@test "pidns: from outside: what the owner of a lock does meanwhile" {
	[ -x "$TARGETS/locks" ] || skip 'locks was not built here'
	profile_wait mutex --owners -- unshare --pid --fork --mount-proc "$TARGETS/locks" busy 2
	"$ROOT/tests/e2e/pprof_decode.py" wait.pb.gz --folded -t owner_delay |
		awk '{ all += $NF } /;hold_busy(;|$| )/ { n += $NF } END { exit !(all && n > 0.9 * all) }'
	holds "$(total owner_delay) > 0.8 * $(total delay)"
}

# takes TYPE NAME prints the sum of a sample type under take_NAME.
takes() {
	"$ROOT/tests/e2e/pprof_decode.py" wait.pb.gz --folded -t "$1" |
		awk -v site=";take_$2;" 'index($0, site) { n += $NF } END { printf "%.0f\n", n }'
}

@test "pidns: from outside: how long locks are held, including recursive ones" {
	local levels way
	for levels in 1 2; do
		contained "$levels" holds 1
		profiler mutex --holds --force -p "$TARGET" -d 0 -o wait.pb.gz
		kill -USR1 "$TARGET"
		wait "$PROFILER"
		TRUTH=$BATS_TEST_TMPDIR/target.out
		for way in plain recursive read write spin semaphore around_wait; do
			near "$(takes acquisitions $way)" "$(truth ${way}_taken)" 2
			held_as_told $way
			[ "$(takes contentions $way)" = 0 ]
		done
	done
}

@test "pidns: a process whose children are in another namespace than itself" {
	[ -x "$TARGETS/heap_fork" ] || skip 'heap_fork was not built here'
	local where
	for where in outside inside; do
		: >target.out
		cat >setns.sh <<-'END'
			unshare --pid "$TARGETS/heap_fork" 1000 >target.out &
			target=$!
			until grep -q ^ready target.out; do sleep 0.05; done
			"$CPROF" heap -p "$target" --rate 1 --force -d 0 -o heap.pb.gz 2>"$ERR" &
			profiler=$!
			until grep -q 'expect .*slowdown' "$ERR"; do sleep 0.05; kill -0 "$profiler" || exit 1; done
			kill -USR1 "$target"
			until grep -q ^done target.out; do sleep 0.05; done
			kill -INT "$profiler"
			wait "$profiler"
			status=$?
			kill -KILL "$target"
			exit "$status"
		END
		: >"$ERR"
		if [ "$where" = outside ]; then
			ERR=$ERR CPROF=$CPROF TARGETS=$TARGETS timeout 250 bash setns.sh
		else
			ERR=$ERR CPROF=$CPROF TARGETS=$TARGETS timeout 250 unshare --pid --fork --mount-proc \
				--kill-child bash setns.sh
		fi
		python3 "$BATS_TEST_DIRNAME/heap_truth.py" target.out heap.pb.gz
	done
}

@test "pidns: cprof says so if its children would be in another namespace" {
	run --separate-stderr unshare --pid "$CPROF" cpu -p $$ -d 100ms
	[ "$status" -eq 1 ]
	[[ $stderr == *'another PID namespace than cprof (unshare --pid: add --fork)'* ]]
}

# label_numbers KEY prints the values of a numeric label in outside.pb.gz.
label_numbers() { "$ROOT/tests/e2e/pprof_decode.py" outside.pb.gz --labels | awk -v key="$1" '$1 == key { print $2 }'; }

@test "pidns: the whole machine from inside: processes outside are there, by name, and their stacks cut" {
	[ -x "$TARGETS/shares-static" ] || skip 'shares-static was not built here'
	cp "$TARGETS/shares-static" outside
	cp "$TARGETS/shares" within
	start ./outside
	cat >inside.sh <<-'END'
		./within >/dev/null &
		target=$!
		sleep 0.3
		for mode in bpf perf; do
			"$CPROF" cpu -a --user --mode $mode -d 1s -F 499 --label pid -f folded -o $mode.folded 2>$mode.err || exit 1
			grep -q 'cut stacks:.*process outside of cprof.s PID namespace' $mode.err || exit 1
		done
		"$CPROF" cpu -a -d 500ms --label pid -o outside.pb.gz 2>/dev/null
		kill "$target"
	END
	CPROF=$CPROF inside bash inside.sh
	FOLDED=bpf.folded
	holds "$(percent '^outside;.stack cut: process outside') > 0"
	holds "$(percent '^outside;' '^outside;') - $(percent '^outside;.stack cut: process outside' '^outside;') == 0"
	at_least 98 '^within;.*main;run;level_01' '^within;.*work_'
	FOLDED=perf.folded
	holds "$(percent 'stack cut: process outside') > 0"
	at_least 98 '^within;.*main;run;level_01' '^within;.*work_'
	[ -n "$(label_numbers pid)" ]
	! label_numbers pid | grep -x 0
}
