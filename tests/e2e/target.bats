#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is profiled: PIDs, names, the machine, cgroups, commands; with privileges and without.

load helper

@test "target: several PIDs in one profile, told apart" {
	target shares
	local first=$PID
	target vdso
	profiler cpu -p "$first,$PID" -d 0 -F 999 -o p.pb.gz
	used 0.5
	PID=$first used 0.5
	profiler_end
	decoded_samples
	holds "$(count 'work_[abc]') > 250 && $(count read_clock) > 250"
	# Interrupts are an exception, because they belong to no function.
	near "$(label_count pid "$first")" "$(count 'run;level_01')" 10
	near "$(label_count pid "$PID")" "$(count read_clock)" 10
}

@test "target: by name; several matches are listed, --all takes them" {
	local name=named-$$ first # no other test uses it
	cp "$TARGETS/shares" "$name"
	start_ready "./$name"
	first=$PID
	profiler cpu -n "$name" -d 0 -F 999 -f folded -o "$FOLDED"
	used 0.3
	profiler_end
	at_least 95 'work_[abc]'
	holds "$(samples) > 150"
	start_ready "./$name"
	run --separate-stderr "$CPROF" cpu -n "$name" -d 1s
	[ "$status" -eq 1 ]
	# shellcheck disable=SC2154
	[[ $stderr == *"$first"* && $stderr == *"$PID"* && $stderr == *--all* ]]
	profiler cpu -n "$name" --all -d 0 -F 999 -o p.pb.gz
	used 0.3
	PID=$first used 0.3
	profiler_end
	holds "$(label_count pid "$first") > 150 && $(label_count pid "$PID") > 150"
}

@test "target: no such name, no such PID, a kernel thread, a zombie: one line, status 1" {
	need_root
	local kthread
	start_zombie
	kthread=$(pgrep -x kthreadd || true)
	for pid in 4194000 $ZOMBIE $kthread; do
		run --separate-stderr "$CPROF" cpu -p "$pid" -d 1s
		[ "$status" -eq 1 ]
		[ "$(grep -c . <<<"$stderr")" -eq 1 ]
		[[ $stderr == "cprof: cannot "*"$pid"* ]]
	done
	run --separate-stderr "$CPROF" cpu -n no-such-name -d 1s
	[ "$status" -eq 1 ]
	[ "$(grep -c . <<<"$stderr")" -eq 1 ]
}

@test "target: names that would act on a terminal are shown as escapes" {
	local odd=$'a\e]0;b\a\xc2\x9b\xff'
	cp "$TARGETS/shares" "$odd"
	start_ready "./$odd"
	# shellcheck disable=SC2016
	start_ready bash -c 'exec -a "$1" "./$2"' - $'\e[2J\n\xe2\x80\xaeevil' "$odd"
	run -1 --separate-stderr "$CPROF" cpu -n "$odd" -d 1s
	echo "$stderr" >several
	only_shown several
	grep -qF 'are called "a\x1b]0;b\x07\u009b\xff"' several
	grep -qF '\u202eevil' several
	"$CPROF" cpu -vv -p "$PID" -d 500ms -F 499 -o p.pb.gz 2>verbose
	only_shown verbose
	"$CPROF" cpu -p "$PID" -d 500ms -F 499 -f folded --label thread -o "$FOLDED" 2>"$ERR"
	only_shown "$ERR" "$FOLDED"
	# On a terminal the progress line and the generated file name are printed as well.
	script -qec "$CPROF cpu --color never -p $PID -d 1s -F 499" /dev/null >screen </dev/null
	grep -aq 'recording a' screen
	sed 's/\r\x1b\[K//g; s/\r$//' screen >cleaned
	only_shown cleaned
	[ "$(find . -name '*.pb.gz' | tr -d 'a-zA-Z0-9._/\n+-' | wc -c)" -eq 0 ]
}
@test "target: an idle process gives an empty profile, status 3, and the reason" {
	start_asleep sleep 300
	run --separate-stderr "$CPROF" cpu -p "$PID" -d 500ms -f folded -o -
	[ "$status" -eq 3 ]
	[ -z "$output" ]
	[[ $stderr == *empty*'no CPU time'* ]]
}

@test "target: its exit ends the recording early, with everything collected" {
	target shares
	profiler cpu -p "$PID" -d 250s -F 999 -f folded -o "$FOLDED"
	used 0.5
	local began=$SECONDS
	target_end
	wait "$PROFILER"
	[ $((SECONDS - began)) -lt 60 ]
	holds "$(samples) > 250"
	at_least 90 'main;run;level_01'
}

@test "target: the whole machine" {
	need_root
	# It is copied to a unique name, because other tests may be running the same programs.
	cp "$TARGETS/shares" "$BATS_TEST_TMPDIR/whole_machine"
	start_ready "$BATS_TEST_TMPDIR/whole_machine"
	local first=$PID
	target vdso
	profiler cpu -a -d 0 -F 999 -f folded -o "$FOLDED"
	used 0.5
	PID=$first used 0.5
	profiler_end
	# The number of samples of other processes is not known here.
	holds "$(count '^whole_machine;.*work_[abc]') > 250 && $(count '^vdso;.*read_clock') > 250"
	at_least 90 '^whole_machine;_start;.*;main;run;level_01;' '^whole_machine;'
	folded_form
	profiler cpu -a -d 0 -F 999 -o p.pb.gz
	used 0.2
	PID=$first used 0.2
	profiler_end
	holds "$(label_count pid "$first") > 100 && $(label_count pid "$PID") > 100"
}

# in_cgroup DIR creates a group with one target inside and one outside.
in_cgroup() {
	mkdir "$1" 2>/dev/null || skip "cannot make a cgroup in ${1%/*}"
	CGROUPS=("$1/below" "$1")
	mkdir "$1/below"
	target vdso
	target shares
	echo "$PID" >"$1/below/cgroup.procs"
	profiler cpu --cgroup "$1" -d 0 -F 999 -f folded -o "$FOLDED"
	used 0.5
	profiler_end
	at_least 99 'work_[abc]|\[' 'main;'
	holds "$(count read_clock) == 0"
	holds "$(samples) > 250"
	kill -KILL "$PID"
	wait "$PID" || true
	soon rmdir "$1/below"
}

# The whole machine is busy with other tests, so only what the two targets have counts.
@test "target: containers and units of the whole machine" {
	need_root
	top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$top" ] || skip 'no version 2 hierarchy'
	local id pod=8f1c2d3e-1111-2222-3333-abcdef$RANDOM group
	id=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
	pod=$(printf '%.36s' "${pod}0000000")
	CGROUPS=("$top/docker-$id.scope" "$top/kubepods-pod${pod//-/_}.slice/cri-containerd-$id.scope"
		"$top/kubepods-pod${pod//-/_}.slice")
	mkdir -p "${CGROUPS[@]}" 2>/dev/null || skip 'cannot make a cgroup'
	local pids=()
	for group in "${CGROUPS[@]:0:2}"; do
		target shares
		echo "$PID" >"$group/cgroup.procs"
		pids+=("$PID")
	done
	# These live for some milliseconds, and are gone when cprof reads their first stack.
	cp "$(command -v gzip)" "short_$$"
	start sh -c "echo \$\$ >${CGROUPS[0]}/cgroup.procs; while :; do head -c 100000 '$CPROF' | ./short_$$ >/dev/null; done"
	profiler cpu -a -d 0 -F 499 -o all.pb.gz
	PID=${pids[1]} used 0.3
	PID=${pids[0]} used 0.3
	profiler_end
	kill -KILL "$PID"
	of() { "$CPROF" convert all.pb.gz -q -f folded --label "$1" --tagroot "$2" | awk -F ';' '{ print $1 }' | sort -u; }
	[ "$(of "pid=${pids[0]}" container)" = "docker:$id" ]
	[ "$(of "pid=${pids[0]}" unit)" = "docker-$id.scope" ]
	[ "$(of "pid=${pids[1]}" container)" = "kubernetes:$pod/$id" ]
	[ "$(of "pid=${pids[1]}" comm)" = shares ]
	[ "$(of "comm=short_$$" container)" = "docker:$id" ]
	# The groups of a report are the sums of their samples.
	value() { "$CPROF" report all.pb.gz --top 0 "${@:2}" | awk -v n="$1" '$NF == n { print $1; exit }'; }
	[ -n "$(value "kubernetes:$pod/$id" -g container)" ]
	[ "$(value "kubernetes:$pod/$id" -g container)" = "$(value "(${pids[1]})" -g process)" ]
	[ "$(value "docker-$id.scope" -g unit)" = "$(value "docker:$id" -g label:container)" ]
	# Processes come before functions, with where they are.
	"$CPROF" report all.pb.gz --top 0 >shown
	grep -q "shares (${pids[1]}) .*kubernetes:$pod/$id" shown
	[ "$(grep -n 'container or unit' shown | cut -d: -f1)" -lt "$(grep -n 'flat  flat%' shown | cut -d: -f1)" ]
	for pid in "${pids[@]}"; do
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null || true
	done
	soon rmdir "${CGROUPS[@]}"
}

@test "target: a version 1 cgroup and what is below it" {
	need_root
	[ -d /sys/fs/cgroup/cpu ] || skip 'no version 1 hierarchy'
	in_cgroup /sys/fs/cgroup/cpu/cprof-test-$$
}
@test "target: a version 2 cgroup and what is below it" {
	need_root
	local top
	top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$top" ] || skip 'no version 2 hierarchy'
	in_cgroup "$top/cprof-test-$$"
}

@test "command: from its first instruction to its exit, its status reported" {
	run --separate-stderr "$CPROF" cpu -d 0 -F 999 -o command.pb.gz -- \
		timeout -s TERM 1 "$TARGETS/shares"
	[ "$status" -eq 0 ]
	[[ $stderr == *'status 124'* ]]
	go tool pprof -top command.pb.gz 2>/dev/null | grep -q work_a
}
@test "command: its own output stays its own when the profile goes to stdout" {
	"$CPROF" cpu -F 999 -- bash -c 'echo said; for ((i = 0; i < 300000; i++)); do :; done; exit 7' \
		2>"$ERR" >"$FOLDED"
	grep -qw said "$ERR"
	grep -q 'status 7' "$ERR"
	folded_form
	holds "$(samples) > 100"
}
@test "command: one that is not there is an error, status 1" {
	run --separate-stderr "$CPROF" cpu -- /no/such/command
	[ "$status" -eq 1 ]
	[[ $stderr == "cprof: cannot "*'/no/such/command'* ]]
}
@test "command: the start-up is in the profile" {
	"$CPROF" cpu -F 9999 -f folded -o "$FOLDED" -- "$TARGETS/storm" child 2>"$ERR"
	# It works for 10 ms; the kernel may lower the rate.
	holds "$(count 'main;child_main;child_work') > 30"
	holds "$(count '_dl_|ld-linux|execve') > 0"
	whole_but_new 97
}

@test "unprivileged: one's own process, user frames only, whole stacks" {
	need_root
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ] || skip 'perf events are closed to users'
	chmod 777 "$BATS_TEST_TMPDIR"
	local as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups) work
	work=$(mktemp -d /tmp/cprof-e2e.XXXXXX)
	chmod 755 "$work"
	cp "$CPROF" "$TARGETS/shares" "$work"
	start_ready "${as_nobody[@]}" "$work/shares"
	"${as_nobody[@]}" "$work/cprof" cpu -p "$PID" -d 2s -F 999 -f folded -o - >"$FOLDED" 2>"$ERR" || {
		rm -rf "$work"
		return 1
	}
	rm -rf "$work"
	target_end
	for function in work_a work_b work_c; do
		near "$(percent "$(levels)$function( |;)")" "$(truth $function)" "$(chance "$(truth $function)")"
	done
	whole
	grep -q 'without privileges' "$ERR"
}
@test "unprivileged: another user's process is refused with the way out" {
	need_root
	local work
	work=$(mktemp -d /tmp/cprof-e2e.XXXXXX)
	chmod 755 "$work"
	cp "$CPROF" "$work"
	target shares
	run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$work/cprof" cpu -p "$PID" -d 1s -f folded -o -
	rm -rf "$work"
	[ "$status" -eq 1 ]
	[[ $stderr == *"cprof: cannot "*"$PID"* ]]
	[ -z "$output" ]
}
@test "mode: --mode perf as root gives the same shares" {
	target shares
	record_cpu 2 --mode perf -F 999
	target_end
	near "$(percent "$(levels)work_a( |;)")" "$(truth work_a)" "$(chance 50)"
	whole
}

@test "bad luck: SIGKILL of cprof leaves the target untouched" {
	target shares
	profiler cpu -p "$PID" -d 0 -o killed.pb.gz
	used 0.5
	kill -KILL "$PROFILER"
	wait "$PROFILER" || true
	used 0.5
	kill -0 "$PID"
	target_end
	near "$(truth work_a)" 50 5 # its own measurement
	[ ! -e killed.pb.gz ]
	nothing_left
}
@test "bad luck: a target that dies while we attach costs one line at most" {
	for i in 1 2 3 4 5; do
		start bash -c "sleep 0.0$i"
		run --separate-stderr "$CPROF" cpu -p "$PID" -d 1s -f folded -o -
		# Status 0 means that it was caught on its way to the end.
		[ "$status" -eq 1 ] || [ "$status" -eq 3 ] || [ "$status" -eq 0 ]
		[[ $stderr == *cprof:* ]]
		[ "$(grep -c 'cprof: cannot' <<<"$stderr")" -le 1 ]
	done
}
