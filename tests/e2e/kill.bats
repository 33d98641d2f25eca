#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cprof leaves nothing in the target when it is killed.

load helper

setup_file() {
	export KILLS=${KILLS:-20}
}

# The kernel's workers remove the probes some milliseconds after cprof has died.
code_is_whole() {
	local end=$((SECONDS + 30))
	until python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID" >"$BATS_TEST_TMPDIR/bytes" 2>&1; do
		kill -0 "$PID" && [ $SECONDS -lt $end ] || { cat "$BATS_TEST_TMPDIR/bytes"; return 1; }
		sleep 0.05
	done
}

# killed MOMENT SIGNAL WHOM COMMAND... runs cprof in a separate process group, waits for MOMENT
# (attach: some time after its start; record: some time into the recording; detach: some
# milliseconds after it was told to end), and sends the signal (INT is sent twice more, which ends
# it at once) to cprof or to the whole group.
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
	# Its group may not exist yet.
	kill "-$signal" -- "$profiler" 2>/dev/null || kill "-$signal" "${profiler#-}" 2>/dev/null || true
	[ "$signal" = KILL ] || { sleep 0.01; kill "-$signal" "${profiler#-}" 2>/dev/null || true; }
	wait "${profiler#-}" || true
}

# many_kills COUNT VERB... kills it at all these moments in turn and checks for breakpoints after
# each. Targets run for some minutes only.
many_kills() {
	local count=$1 i moment signal whom
	shift
	target heap_pairs 2
	for ((i = 0; i < count; i++)); do
		[ $((i % 20)) != 19 ] || { target_end; target heap_pairs 2; }
		signal=KILL
		case $((i % 5)) in
		0 | 1) moment=attach ;;
		2) moment=record ;;
		3) moment=detach ;;
		4) moment=detach signal=INT ;;
		esac
		whom=cprof
		[ $((i % 2)) = 0 ] || whom=group
		killed $moment $signal $whom "$@"
		code_is_whole || { echo "kill $i: $moment, $signal, $whom"; return 1; }
	done
}

# `make check-cycles` does two hundred of each.
@test "kill: heap at any moment of attaching, recording and detaching leaves no breakpoint" {
	need_root
	many_kills $((KILLS / 2)) heap --force -v
	target_end
	CPROF_UPROBES=perf many_kills $((KILLS / 4)) heap --force -v
	target_end
}

@test "kill: mutex --holds at any moment leaves no breakpoint" {
	need_root
	many_kills $((KILLS / 4)) mutex --holds --force -v
	target_end
}

# changed_code prints how many pages of the target's code differ from its files.
changed_code() { { python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID" || true; } | sed -n 's/.* \([0-9]*\) pages differ/\1/p'; }

@test "kill: breakpoints that another program has left are removed, those that one holds stay" {
	local tool ms
	need_root
	target probe_leaver
	for ((ms = 2; ms < 60 && $(changed_code) == 0; ms += 2)); do
		"$TARGETS/probe_leaver" "$PID" 2000 $ms || [ $? -ne 77 ] || skip 'no uprobe_multi links here'
		sleep 0.2
	done
	[ "$(changed_code)" -gt 0 ] || skip 'the kernel left nothing behind'
	"$CPROF" allocs --rate 1 --force -p "$PID" -d 200ms -o /dev/null 2>"$ERR"
	grep -Eq "PID $PID: removed [0-9]+ breakpoints from its code" "$ERR"
	code_is_whole

	"$TARGETS/probe_leaver" "$PID" 400 hold >tool.out 3>&- </dev/null &
	tool=$!
	STARTED+=("$tool")
	said ready tool.out "$tool"
	"$CPROF" mutex --holds --force -v -p "$PID" -d 200ms -o /dev/null 2>"$ERR" || [ $? -eq 3 ]
	! grep 'removed' "$ERR"
	grep -q "PID $PID: 400 breakpoints in its code are another program's" "$ERR"
	! grep 'still has' "$ERR"
	[ "$(changed_code)" -gt 0 ]
	kill "$tool"
	code_is_whole
	target_end
}

@test "kill: the end of one recording takes nothing from another of the same process" {
	need_root
	target heap_pairs 1
	profiler heap --force -p "$PID" -d 0 -o a.pb.gz
	"$CPROF" heap --force -v -p "$PID" -d 300ms -o b.pb.gz 2>b.err
	! grep 'removed' b.err
	grep -q 'breakpoints in its code are another program' b.err
	[ "$(changed_code)" -gt 0 ]
	profiler_end
	code_is_whole
	target_end
}
