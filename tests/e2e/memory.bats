#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# How much memory cprof itself uses (--max-memory), and what it does if that is not enough.
load helper

setup_file() { [ "$(id -u)" = 0 ] || skip 'needs root'; }

# paths NUMBER KEPT MICROSECONDS VERB... records a program with that many stacks into paths.pb.gz.
# SAID has what it did.
paths() {
	local words="$1 $2 $3"
	shift 3
	# shellcheck disable=SC2086 # three words
	"$CPROF" "$@" -o paths.pb.gz -- "$TARGETS/paths" $words >said 2>"$ERR"
}

under_work() { under work "$@"; }

said_number() { awk -v name="$1" '$1 == name { print $2 }' said; }

# under FUNCTION TYPE [PATTERN] prints the sum of a sample type below a function, for stacks that
# match.
under() {
	"$CPROF" convert paths.pb.gz --sample-type "$2" -f folded -o "$FOLDED" 2>>"$ERR"
	awk -v want="(^|;)$1(;|$).*${3-}" '{ line = $0; sub(/ [0-9]+$/, "", line) } line ~ want { n += $NF } END { printf "%.0f\n", n }' "$FOLDED"
}

# Prints the MB of memory that the summary gives.
megabytes() { sed -n 's/^cprof: cost: .* \([0-9]*\) MB of memory.*/\1/p' "$ERR"; }

merged() { grep -qE 'too little memory for all stacks .*: [1-9][0-9]* rare ones merged' "$ERR"; }

@test "memory: heap of 60,000 stacks within 32 MB: no byte is lost, and cprof says which stacks are merged" {
	paths 60000 5000 0 heap --rate 1 --force --no-preload --max-memory 32M
	merged
	[ "$(under_work alloc_space)" = "$(said_number allocated)" ]
	[ "$(under_work inuse_space)" = "$(said_number kept)" ]
	# Stacks that were merged keep most of their frames.
	[ "$(under_work alloc_space '(zero|one);down;.*\[too many stacks\]$')" -gt 0 ]
	python3 "$BATS_TEST_DIRNAME/pprof_decode.py" paths.pb.gz --check
	gunzip -c paths.pb.gz | grep -aq 'merged: [0-9]* rare stacks, [0-9.]*% of the profile'
	holds "$(megabytes) < 32 * 1.3 + 60"
}

@test "memory: the same with enough memory merges nothing" {
	paths 5000 500 0 heap --rate 1 --force --no-preload
	! merged
	[ "$(under_work alloc_space)" = "$(said_number allocated)" ]
	[ "$(under_work alloc_space 'too many stacks')" = 0 ]
}

@test "memory: offcpu of 40,000 stacks within 32 MB: no time is lost" {
	paths 40000 1 20 offcpu --max-memory 32M
	merged
	# The time from before a sleep to after it is a little more than the time off the CPU.
	holds "$(under_work offcpu) <= $(said_number slept) * 1.01e9"
	holds "$(under_work offcpu) >= $(said_number slept) * 0.6e9"
	# One wait was as long as all the others together, and its length was unknown while others
	# were merged.
	holds "$(under wait_for_thread offcpu 'join') >= $(said_number slept) * 0.9e9"
	holds "$(under_work waits) >= 39000"
	holds "$(megabytes) < 32 * 1.3 + 60"
}

@test "memory: --max-memory of less than 32M is refused" {
	run -2 --separate-stderr "$CPROF" heap -p $$ --max-memory 31M
	[[ $stderr == *'"31M" is not a number of bytes from 32M on'* ]]
}

# ---- memory that runs out

# endless starts a target whose stacks never repeat, until the end of the test.
endless() { start "$TARGETS/paths" 1000000000 1000 200; }

# with_failing NUMBER VERB... records for 200 ms, and the allocation of that number fails.
with_failing() {
	local number=$1
	shift
	rm -f short.pb.gz
	TMPDIR=$PWD timeout 60 env LD_PRELOAD="$TARGETS/libshort.so" SHORT_FIRST="$number" SHORT_COUNT=count \
		"$CPROF" "$@" -v -p "$PID" -d 200ms -o short.pb.gz >out 2>"$ERR"
}

# Once the recording has begun there is a profile, here or saved elsewhere; before that there is a
# message.
survives() {
	local status=0 saved
	with_failing "$@" || status=$?
	if ! grep -q '^cprof: recording ' "$ERR"; then
		[ "$status" = 1 ] && grep -q '^cprof: ' "$ERR"
		return
	fi
	saved=$(sed -n 's/.*; the profile was saved as //p' "$ERR")
	[ "$status" = 0 ] || [ "$status" = 3 ] || [ -n "$saved" ] || { echo "allocation $1 failed: status $status"; return 1; }
	python3 "$BATS_TEST_DIRNAME/pprof_decode.py" "${saved:-short.pb.gz}" --check
}

# in_each_part VERB... runs it once without a failure, and then with failures throughout the
# recording and what comes after it.
in_each_part() {
	local all i
	endless
	with_failing 1000000000 "$@"
	all=$(cat count)
	for ((i = 0; i < 7; i++)); do
		# Most of what comes before the recording is loading programs.
		survives $((all * 7 / 10 + all * (4 * i + RANDOM % 4) / 100)) "$@" || return 1
	done
}

@test "memory: one allocation that fails costs no recording: offcpu" { in_each_part offcpu; }
@test "memory: one allocation that fails costs no recording: heap" { in_each_part heap --rate 1 --force --leaks --peak; }
@test "memory: one allocation that fails costs no recording: wall" { in_each_part wall; }
@test "memory: one allocation that fails costs no recording: perf mode" { in_each_part cpu --mode perf -F 499; }

# in_addresses KILOBYTES VERB...: stacks come until the address space is used up, because the memory
# limit is higher than it.
in_addresses() {
	local kilobytes=$1
	shift
	start "$TARGETS/paths" 1000000000 1000 0
	bash -c 'ulimit -v "$1"; shift; exec "$@"' - "$kilobytes" "$CPROF" "$@" -p "$PID" -d 1s -o small.pb.gz 2>"$ERR"
	merged
	python3 "$BATS_TEST_DIRNAME/pprof_decode.py" small.pb.gz --check
}

@test "memory: with too few addresses stacks are merged, and the profile is written" {
	in_addresses 90000 heap --rate 1 --force
}

# ran N: waits until so many programs have run.
ran() {
	local tries=0
	until grep -q "^ran $1\$" target.out; do
		tries=$((tries + 1))
		[ "$tries" -lt 6000 ] && ! grep -q failed target.out || { tail -2 target.out; return 1; }
		sleep 0.1
	done
}

# held: prints what cprof holds now, as a number of files and as kB of its own memory.
held() {
	FILES=$(ls "/proc/$PROFILER/fd" | wc -l)
	KB=$(awk '/^Rss(Anon|Shmem)/ { n += $2 } END { print n }' "/proc/$PROFILER/status")
	echo "$FILES files, $KB kB"
}

# Each program is an inode of its own, with samples. PROGRAMS=20000 is the long form (make
# check-cycles). At most 32 files are loaded, and 32 stay open for their names. Each of these takes
# two descriptors: the file and its process' root.
@test "memory: what programs that come and go leave behind is bounded" {
	local n=${PROGRAMS:-500} files kb
	target programs "$n" 4 "$PWD"
	CPROF_TABLES=32 profiler cpu -F 999 -p "$PID" -d 0 -o programs.pb.gz
	kill -USR1 "$PID"
	ran 100
	sleep 6 # a file that is not seen for 5 s may be evicted
	held
	files=$FILES kb=$KB
	ran "$n"
	sleep 7
	held
	holds "$FILES <= 2 * (32 + 32) + 100"
	holds "$FILES <= $files + 100"
	# Each program leaves its stacks and its name, which take some 10 kB.
	holds "$KB <= $kb + 4096 + ($n - 100) * 12"
	profiler_end
	"$CPROF" convert programs.pb.gz --sample-type samples -f folded -o "$FOLDED"
	# All of them worked for the same time, whether they could be named at the end or not. The
	# busier the machine is, the more of them end before cprof reads what they have mapped.
	holds "$(count '(short_work|\\[program[0-9]+\\]|\\[unknown\\])') >= $n * 2"
	holds "$(grep -o '\[program[0-9]*\]' "$FOLDED" | sort -u | wc -l) >= 64"
	holds "$(count 'short_work') > 0"
	grep -q 'left out: names of program[0-9]* (gone before it was named)' "$ERR"
}
