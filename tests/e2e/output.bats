#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Where the profile goes and in which format; what happens if it cannot be written; signals.

load helper

# This is for tests where any sample will do: eight threads get some in any half second, however
# busy the machine is.
some_samples() { target shares 8; }

@test "output: a pipe gets folded stacks, and nothing but" {
	some_samples
	"$CPROF" cpu -p "$PID" -d 500ms -F 499 2>"$ERR" | cat >"$FOLDED"
	folded_form
	holds "$(count work_) > 0"
	[ "$(grep -c . "$ERR")" -le 3 ]
}
@test "output: the name's suffix picks the format, -f overrides it" {
	some_samples
	"$CPROF" cpu -p "$PID" -d 300ms -F 499 -o p.pb.gz 2>"$ERR"
	[ "$(head -c 2 p.pb.gz | od -An -tx1)" = ' 1f 8b' ]
	"$CPROF" cpu -p "$PID" -d 300ms -F 499 -o p.folded 2>"$ERR"
	folded_form p.folded
	"$CPROF" cpu -p "$PID" -d 300ms -F 499 -o p.txt 2>"$ERR"
	grep -q 'flat%' p.txt
	grep -q 'work_a' p.txt
	"$CPROF" cpu -p "$PID" -d 300ms -F 499 -f folded -o p.pb.gz 2>"$ERR"
	folded_form p.pb.gz
	nothing_left
}
@test "output: a terminal gets a table and a file whose name is printed" {
	some_samples
	script -qec "$CPROF cpu -p $PID -d 500ms -F 499" /dev/null >screen </dev/null
	grep -q 'flat%' screen
	grep -q work_a screen
	[ "$(find . -name '*.pb.gz' | wc -l)" -eq 1 ]
	grep -q "$(basename ./*.pb.gz)" screen
}
@test "output: it is replaced as a whole, with ordinary rights" {
	some_samples
	echo old >p.folded
	record -p "$PID" -d 300ms -F 499
	cp "$FOLDED" p.folded
	umask 022
	"$CPROF" cpu -p "$PID" -d 300ms -F 499 -o fresh.pb.gz 2>"$ERR"
	[ "$(stat -c %a fresh.pb.gz)" = 644 ]
}
@test "output: a directory, no directory, nothing writable: at once, one line, status 1" {
	some_samples
	local began=$SECONDS
	mkdir d
	: >file
	for path in d d/none/p.pb.gz file/p.pb.gz; do
		run --separate-stderr "$CPROF" cpu -p "$PID" -d 20s -o $path
		[ "$status" -eq 1 ]
		# shellcheck disable=SC2154
		[ "$(grep -c . <<<"$stderr")" -eq 1 ]
		[[ $stderr == "cprof: cannot write $path: "* ]]
	done
	[ $((SECONDS - began)) -lt 20 ]
}
@test "output: a full disk is reported, status 1, nothing is left" {
	need_root
	mkdir full
	mount -t tmpfs -o size=4k,mode=755 none full 2>/dev/null || skip 'cannot mount a tmpfs'
	some_samples
	echo filler >full/filler
	run --separate-stderr "$CPROF" cpu -p "$PID" -d 300ms -F 999 -o full/p.pb.gz
	local left
	left=$(ls -A full)
	umount full
	[ "$status" -eq 1 ]
	[[ $stderr == *'cannot write full/p.pb.gz: '*[Nn]'o space'* ]]
	[ "$left" = filler ]
}
@test "output: another user's link does not lead root's profile anywhere" {
	need_root
	some_samples
	chmod 755 .
	mkdir mallory
	mkfifo fifo
	echo precious >victim
	chown 4711 mallory
	for aim in /dev/full "$PWD/fifo" "$PWD/victim"; do
		setpriv --reuid 4711 --clear-groups ln -sf "$aim" mallory/p.pb.gz
		"$CPROF" cpu -p "$PID" -d 300ms -o mallory/p.pb.gz 2>"$ERR"
		[ -f mallory/p.pb.gz ] && [ ! -L mallory/p.pb.gz ]
		[ "$(head -c 2 mallory/p.pb.gz | od -An -tx1)" = ' 1f 8b' ]
	done
	[ -p fifo ]
	[ "$(cat victim)" = precious ]
	# A link in the middle of the path is not followed either.
	mkdir secret
	setpriv --reuid 4711 --clear-groups ln -s "$PWD/secret" mallory/d
	run --separate-stderr "$CPROF" cpu -p "$PID" -d 20s -o mallory/d/p.pb.gz
	[ "$status" -eq 1 ]
	[[ $stderr == *'cannot write mallory/d/p.pb.gz: a symbolic link of another user is in that path'* ]]
	[ -z "$(ls -A secret)" ]
	nothing_left mallory
}
@test "output: the limit of ulimit -f is reported, status 1, nothing is left" {
	some_samples
	mkdir small
	# The limit is a KiB, and the page is larger.
	run --separate-stderr bash -c "ulimit -f 1; '$CPROF' cpu -p $PID -d 300ms -F 999 -o small/p.html"
	[ "$status" -eq 1 ]
	[[ $stderr == *'cannot write small/p.html: file too large (the limit is set by ulimit -f)'* ]]
	[ -z "$(ls -A small)" ]
	run --separate-stderr bash -c "ulimit -f 1; '$CPROF' cpu -p $PID -d 300ms -F 999 -f html >small/p.html"
	[ "$status" -eq 1 ]
	[[ $stderr == *'cannot write'*'file too large (the limit is set by ulimit -f)'* ]]
	# The command gets the signal as it would without cprof.
	run --separate-stderr bash -c "ulimit -f 1; '$CPROF' cpu -o p.pb.gz -- dd if=/dev/zero of=small/zero bs=4096 count=1"
	[[ $stderr == *'dd was killed by SIGXFSZ'* ]]
}
@test "output: /dev/full is reported as well" {
	some_samples
	run --separate-stderr bash -c "'$CPROF' cpu -p $PID -d 300ms -F 999 >/dev/full"
	[ "$status" -eq 1 ]
	[[ $stderr == *'cannot write'* ]]
}
@test "output: a reader that closes the pipe early gets no complaint" {
	some_samples
	"$CPROF" cpu -p "$PID" -d 500ms -F 999 2>"$ERR" | head -n 1 >first
	grep -q . first
	run ! grep -qi 'pipe' "$ERR"
}
@test "output: a profile is written also when no more files may be open" {
	need_root
	run --separate-stderr bash -c "ulimit -n 64; '$CPROF' cpu -a -d 500ms -F 499 -f folded -o '$FOLDED'"
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	[ -e "$FOLDED" ]
	[[ $stderr != *'cannot write'* ]]
}
@test "output: -o - with pprof goes through a pipe" {
	some_samples
	"$CPROF" cpu -p "$PID" -d 300ms -F 499 -f pprof -o - 2>"$ERR" >p
	go tool pprof -top p 2>/dev/null | grep -q work_a
}

# interrupted SIGNAL ends the recording early, and the profile is written.
interrupted() {
	some_samples
	profiler cpu -p "$PID" -d 250s -F 499 -f folded -o "$FOLDED"
	used 0.3
	local began=$SECONDS
	kill -"$1" "$PROFILER"
	wait "$PROFILER"
	[ $((SECONDS - began)) -lt 60 ]
	folded_form
	holds "$(samples) > 50"
}
@test "signals: Ctrl-C ends early and writes" { interrupted INT; }
@test "signals: SIGTERM ends early and writes" { interrupted TERM; }
@test "signals: several at once end early and write as one does" {
	some_samples
	profiler cpu -p "$PID" -d 0 -F 499 -f folded -o "$FOLDED"
	used 0.3
	kill -STOP "$PROFILER"
	kill -INT "$PROFILER"
	kill -TERM "$PROFILER"
	kill -HUP "$PROFILER"
	kill -CONT "$PROFILER"
	wait "$PROFILER"
	folded_form
	holds "$(samples) > 50"
	nothing_left
}
@test "signals: a FIFO without a reader does not hold cprof" {
	some_samples
	mkfifo out.pb.gz
	profiler cpu -p "$PID" -d 0 -o out.pb.gz
	used 0.1
	kill -INT "$PROFILER"
	soon opens_something "$PROFILER"
	kill -INT "$PROFILER"
	quit_with 1
}
@test "signals: one Ctrl-C is enough when the recording is over" {
	some_samples
	mkfifo out.pb.gz
	profiler cpu -p "$PID" -d 300ms -o out.pb.gz
	soon opens_something "$PROFILER"
	kill -INT "$PROFILER"
	quit_with 1
}

# quit_with STATUS: the profiler ends with it, and leaves the FIFO and nothing else.
quit_with() {
	local status=0
	wait "$PROFILER" || status=$?
	[ "$status" = "$1" ]
	[ -p out.pb.gz ]
	nothing_left
}
@test "summary: three lines at most, with what was lost and what it cost" {
	some_samples
	record -p "$PID" -d 500ms -F 499
	[ "$(grep -c . "$ERR")" -le 3 ]
	grep -qE '^cprof: [0-9]+ samples in [0-9.]+ s at 499 Hz; lost ' "$ERR"
	grep -qE '[0-9.]+% of [0-9]+ addresses named' "$ERR"
	grep -qE '^cprof: cost: [0-9.]+ s of CPU, [0-9]+ MB' "$ERR"
}
@test "summary: none with -q" {
	some_samples
	record -q -p "$PID" -d 300ms -F 499
	[ ! -s "$ERR" ]
}
@test "folded: flamegraph's form, also for names with spaces" {
	target inline
	record_cpu 0.5 -F 999
	folded_form
	target_end
	target jit
	record_cpu 0.3 -F 999
	folded_form
	holds "$(count ';jit_inner with spaces') > 0"
	target_end
}
