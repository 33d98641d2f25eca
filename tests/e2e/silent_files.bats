#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files on file systems that do not answer: FUSE here, but NFS and others are alike. A process that
# hangs there cannot be killed, so cprof must not hang itself. If they do answer, everything is as
# with local files.
load helper

ALL='getattr open read readlink statfs '
ANSWER_SECONDS=3

# file_system DIR shows DIR at ./mnt, through FUSE.
file_system() {
	need_root
	[ -w /dev/fuse ] || skip 'no /dev/fuse'
	[ -x "$TARGETS/stuck_fs" ] || skip 'stuck_fs was not built here (libfuse3-dev)'
	mkdir -p mnt
	start "$TARGETS/stuck_fs" "$1" "$PWD/stuck" mnt
	SERVER=$PID
	MOUNTS+=("$PWD/mnt")
	soon mounted_or_gone
	mountpoint -q mnt || skip 'FUSE cannot be mounted here'
}

mounted_or_gone() { mountpoint -q mnt || ! kill -0 "$SERVER" 2>/dev/null; }

# readers prints those of cprofs that were started here.
readers() {
	local pid
	for pid in $(pgrep -x cprof-reader); do
		[ ! "/proc/$pid/cwd" -ef "$PWD" ] || echo "$pid"
	done
}

# There is the one that all are forked from, and another one.
has_readers() { [ "$(readers | wc -l)" -gt 1 ]; }

# run_there NAME ARGS... starts a program from that file system; PID is its number.
run_there() { start_ready "mnt/$1" "${@:2}"; }

copy_of() {
	mkdir -p source
	cp "$TARGETS/$1" "source/${2:-$1}"
}

falls_silent() { echo "${1:-$ALL}" >stuck; }
answers_again() { rm -f stuck; }

says_silent() { grep -q "could not read .*mnt/${1:-libraries}: its file system did not answer within $ANSWER_SECONDS s" "${2:-$ERR}"; }

@test "silent files: a program on a file system that answers is profiled as any other" {
	copy_of shares
	file_system "$PWD/source"
	run_there shares
	record_cpu 0.5 -F 499
	whole
	at_least 99 '(^|;)main;'
	at_least 40 'main;.*;work_a'
	record_pprof 0.3 -F 499
	"$CPROF" report p.pb.gz --list work_a | grep -q 'shares.c'
	record_cpu 0.5 --mode perf -F 499
	at_least 40 'main;.*;work_a'
}

@test "silent files: so is a command there, from its first instruction" {
	copy_of storm
	file_system "$PWD/source"
	"$CPROF" cpu -F 999 -f folded -o "$FOLDED" -- bash -c 'for i in {1..40}; do mnt/storm child; done' 2>"$ERR"
	# On a busy machine the first children have ended before the file has been read.
	whole 85
	at_least 20 ';child_work[; ]'
}

# All kinds of recording run at once, because they wait for the same thing.
@test "silent files: a program whose file system has fallen silent, in every kind of profile" {
	local verb pids=() n=0
	copy_of libraries
	file_system "$PWD/source"
	run_there libraries /nonexistent
	falls_silent
	begin=$SECONDS
	for verb in cpu 'cpu --mode perf' 'cpu --kernel' 'heap --rate 1 --force' offcpu wall block mutex 'mutex --holds --force'; do
		n=$((n + 1))
		# shellcheck disable=SC2086
		timeout 60 "$CPROF" $verb -p "$PID" -d 700ms -o "kind$n.pb.gz" >"out$n" 2>"err$n" &
		pids+=($!)
	done
	n=0
	for pid in "${pids[@]}"; do
		n=$((n + 1))
		status=0
		wait "$pid" || status=$?
		[ "$status" = 0 ] || grep -q 'is empty' "err$n" || { echo "status $status"; cat "err$n"; return 1; }
		says_silent libraries "err$n" || { cat "err$n"; return 1; }
		ls -l "kind$n.pb.gz"
	done
	[ $((SECONDS - begin)) -lt 50 ]
	# Its frames are there without names, and those of its libraries are as usual.
	"$CPROF" report kind1.pb.gz >report
	grep -q '\[libraries\]' report
	grep -q 'cut stacks: file could not be read in time' err1
	answers_again
}

@test "silent files: processes are chosen by name without touching their programs" {
	copy_of shares silent-name
	file_system "$PWD/source"
	run_there silent-name
	falls_silent
	timeout 60 "$CPROF" cpu -n silent-name -d 500ms -o named.pb.gz 2>"$ERR"
	says_silent silent-name
	timeout 20 "$CPROF" doctor >/dev/null
	answers_again
}

@test "silent files: an ordinary user's recording does not hang either" {
	copy_of shares
	file_system "$PWD/source"
	chmod 755 .
	cp "$CPROF" ./cprof-user
	start_ready setpriv --reuid 65534 --regid 65534 --clear-groups mnt/shares
	falls_silent
	mkdir -m 777 user
	timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups ./cprof-user cpu -p "$PID" -d 1500ms -F 499 -o user/p.pb.gz 2>"$ERR" ||
		{ grep -q 'cannot use perf events' "$ERR" && skip 'no perf events for users here'; return 1; }
	says_silent shares
	answers_again
}

@test "silent files: what falls silent while it is recorded costs what had not been read" {
	copy_of shares
	# The padding separates its debug information from what is read at the start.
	head -c 400000 /dev/urandom >padding
	objcopy --add-section .debug_padding=padding source/shares
	file_system "$PWD/source"
	run_there shares
	profiler cpu -p "$PID" -d 0 -F 499 -f folded -o "$FOLDED"
	falls_silent
	used 0.5
	profiler_end
	says_silent shares
	whole
	grep -q 'no debug information for shares' "$ERR"
	at_least 40 'main;.*;work_a'
	answers_again
}

@test "silent files: a perf map that does not answer" {
	mkdir source
	file_system "$PWD/source"
	[ -x "$TARGETS/jit" ] || skip 'jit was not built here'
	# Its /tmp becomes that file system, in a separate mount namespace.
	start_ready unshare -m "$TARGETS/jit"
	nsenter -m -t "$PID" mount --bind "$PWD/mnt" /tmp
	falls_silent
	timeout 60 "$CPROF" cpu -p "$PID" -d 500ms -F 499 -o jit.pb.gz 2>"$ERR"
	grep -q "could not read tmp/perf-.*did not answer within" "$ERR"
	answers_again
}

@test "silent files: sources and programs that a report looks for" {
	copy_of shares
	cp "$ROOT/tests/targets/shares.c" source/
	file_system "$PWD/source"
	# It was built there, so a path of that file system names its source; it was recorded
	# without names, so the same holds for the program.
	gcc -g -O2 -pthread -I"$ROOT/tests/targets" -o built -x c "$PWD/mnt/shares.c"
	start_ready ./built
	record_pprof 0.3 -F 499
	"$CPROF" report p.pb.gz --list work_a | grep -q 'ROUTINE'
	"$CPROF" report p.pb.gz --list work_a | grep -q '{'
	falls_silent
	begin=$SECONDS
	timeout 60 "$CPROF" report p.pb.gz --list 'work_.' >report 2>"$ERR"
	grep -q 'The source is not here: its file system did not answer in time' report
	grep -q "could not read $PWD/mnt/shares.c: its file system did not answer" "$ERR"
	# Only the first of many functions waits.
	[ $((SECONDS - begin)) -lt 20 ]
	answers_again
}

@test "silent files: Ctrl-C ends cprof while it waits for an answer" {
	copy_of libraries
	file_system "$PWD/source"
	run_there libraries /nonexistent
	falls_silent
	env --default-signal=INT "$CPROF" cpu -p "$PID" -d 60s -o c.pb.gz >cprof.out 2>"$ERR" 3>&- &
	cprof=$!
	STARTED+=("$cprof")
	soon has_readers
	kill -INT "$cprof"
	soon ended_or_interrupted "$cprof"
	answers_again
}


# The second Ctrl-C ends a recording that still waits, and the first one ends one that has begun.
ended_or_interrupted() { kill -INT "$1" 2>/dev/null; ! kill -0 "$1" 2>/dev/null; }

@test "silent files: what waits there holds nothing of cprof's" {
	copy_of libraries
	file_system "$PWD/source"
	run_there libraries /nonexistent
	falls_silent
	timeout 60 "$CPROF" cpu -p "$PID" -d 300ms -o p.pb.gz 2>"$ERR" | cat >piped
	# The pipe has ended although a reader still waits. It has no pipe, terminal or BPF object,
	# only the target's root and what it was to open.
	reader=$(readers | tail -n 1)
	[ -n "$reader" ]
	[ "$(find "/proc/$reader/fd" -lname 'socket:*' | wc -l)" -le 4 ]
	! find "/proc/$reader/fd" -type l | xargs -n 1 readlink | grep -E '^(pipe:|anon_inode|/dev/)'
	! grep -q bpf "/proc/$reader/maps"
	[ "$(ps -o sid= -p "$reader" | tr -d ' ')" = "$reader" ]
	answers_again
	soon reader_gone "$reader"
}

# Its parent may not wait for it here.
reader_gone() { ! grep -q 'State:.*[SD]' "/proc/$1/status" 2>/dev/null; }
