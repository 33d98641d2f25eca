#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What cprof leaves in the target when it is killed: nothing.

load helper

setup_file() {
	export KILLS=${KILLS:-40}
}

# The kernel's workers take the probes away, some milliseconds after the death of cprof.
code_is_whole() {
	local end=$((SECONDS + 30))
	until python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID" >"$BATS_TEST_TMPDIR/bytes"; do
		[ $SECONDS -lt $end ] || { cat "$BATS_TEST_TMPDIR/bytes"; return 1; }
		sleep 0.05
	done
}

# killed MOMENT SIGNAL WHOM COMMAND...: runs cprof in a process group of its own, lets MOMENT pass (attach: some time
# after its start; record: some time into the recording; detach: some milliseconds after it was told to end),
# and sends the signal to it (cprof) or to the whole group.
killed() {
	local moment=$1 signal=$2 whom=$3 profiler ms
	shift 3
	: >"$ERR"
	setsid "$CPROF" "$@" -p "$PID" -d 0 -o /dev/null 2>"$ERR" 3>&- </dev/null &
	profiler=$!
	STARTED+=("$profiler")
	[ "$moment" = attach ] || soon grep -q 'expect .*slowdown' "$ERR"
	case $moment in
	attach) ms=$((RANDOM % 350)) ;;
	record) ms=$((RANDOM % 150)) ;;
	detach)
		soon grep -q 'cprof: recording' "$ERR"
		kill -INT "$profiler"
		ms=$((RANDOM % 60))
		;;
	esac
	sleep "0.$(printf '%03d' "$ms")"
	[ "$whom" = cprof ] || profiler=-$profiler
	kill "-$signal" -- "$profiler" 2>/dev/null || true
	wait "${profiler#-}" || true
}

# many_kills COUNT VERB...: at all moments in turns; the last word on breakpoints after each.
many_kills() {
	local count=$1 i moment signal whom
	shift
	for ((i = 0; i < count; i++)); do
		signal=KILL
		case $((i % 5)) in
		0 | 1) moment=attach ;;
		2) moment=record ;;
		3) moment=detach ;;
		4) moment=detach signal=INT ;;
		esac
		whom=cprof
		[ $((i / 5 % 2)) = 0 ] || whom=group
		killed $moment $signal $whom "$@"
		code_is_whole || { echo "kill $i: $moment, $signal, $whom"; return 1; }
	done
}

# `make check-cycles` does two hundred of each.
@test "kill: heap at any moment of attaching, recording and detaching leaves no breakpoint" {
	need_root
	target heap_pairs 2
	many_kills $((KILLS / 2)) heap --force -v
	CPROF_UPROBES=perf many_kills $((KILLS / 4)) heap --force -v
	target_end
}

@test "kill: mutex --holds at any moment leaves no breakpoint" {
	need_root
	target heap_pairs 2
	many_kills $((KILLS / 4)) mutex --holds --force -v
	target_end
}
