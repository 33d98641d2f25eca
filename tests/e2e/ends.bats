#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Recordings end when they should, whatever the target does meanwhile.

load helper

# recorded prints the duration of the last recording in milliseconds, as given in its profile.
recorded() {
	python3 "$BATS_TEST_DIRNAME/pprof_decode.py" profile.pb.gz --info |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["duration_nanos"] // 1000000)'
}

# stormed PAUSE LIFE runs `heap -d 2s` on a process that forks all the time. Children used to be
# attached to and released one after the other in between, which took up to ten times as long.
stormed() {
	target fork_storm "$1" "$2"
	timeout 120 "$CPROF" heap --rate 1 --force -p "$PID" -d 2s -o profile.pb.gz 2>"$ERR"
	echo "storm $1 $2: $(recorded) ms"
	[ "$(recorded)" -ge 2000 ]
	[ "$(recorded)" -lt 4000 ]
	grep -Eq 'cprof: [0-9]+ of [0-9]+ new processes were probed late, or ended before that' "$ERR"
	kill "$PID"
	wait "$PID" || true
}

@test "ends: heap in a storm of forks" {
	need_root
	stormed 0 0
	stormed 0 20000
}

# within VERB...: one of ten recordings of 300 ms does not take much longer; on a busy machine some
# do.
within() {
	local i shortest=1000000
	for ((i = 0; i < 10 && shortest > 340; i++)); do
		"$CPROF" "$@" -p "$PID" -d 300ms -o profile.pb.gz 2>"$ERR"
		[ "$(recorded)" -ge 300 ]
		[ "$(recorded)" -ge "$shortest" ] || shortest=$(recorded)
	done
	echo "$*: $shortest ms"
	[ "$shortest" -le 340 ]
}

@test "ends: every verb keeps the time it is given, while the target forks now and then" {
	need_root
	target fork_storm 20000 3000
	within cpu -F 4000
	within heap --rate 1 --force
	within mutex --holds --force
	within offcpu
	target_end
}

@test "ends: a signal before anything is recorded quits, and leaves nothing" {
	need_root
	local i status
	target fork_storm 20000 3000
	for ((i = 0; i < 20; i++)); do
		status=0
		: >"$ERR"
		"$CPROF" heap --force -v -p "$PID" -d 0 -o profile.pb.gz 2>"$ERR" 3>&- </dev/null &
		PROFILER=$!
		STARTED+=("$PROFILER")
		soon grep -q 'probes by' "$ERR"
		kill -TERM "$PROFILER"
		wait "$PROFILER" || status=$?
		# On a busy machine it may have reached a later step.
		! grep -q 'interrupted before anything was recorded' "$ERR" || break
	done
	[ "$i" -lt 20 ]
	[ "$status" -eq 1 ]
	[ ! -e profile.pb.gz ]
	soon python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID" >bytes
	target_end
}
