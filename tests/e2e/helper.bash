# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Functions that the end-to-end tests share: targets that are always cleaned up, profiles, and how
# they are read.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CPROF=${CPROF:-$ROOT/cprof}
TARGETS=${TARGETS:-$ROOT/build/targets}
STARTED=()
CGROUPS=() # innermost first
MOUNTS=() # innermost first

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	FOLDED=$BATS_TEST_TMPDIR/profile.folded
	ERR=$BATS_TEST_TMPDIR/cprof.err
}

teardown() {
	local pid
	for pid in "${STARTED[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	[ ${#MOUNTS[@]} = 0 ] || umount -l "${MOUNTS[@]}" 2>/dev/null || true
	[ ${#CGROUPS[@]} = 0 ] || rmdir "${CGROUPS[@]}" 2>/dev/null || true
	# This is shown only if the test failed.
	[ ! -s "$ERR" ] || sed 's/^/stderr: /' "$ERR"
	[ ! -s "$FOLDED" ] || sort -t' ' -k1 "$FOLDED" | awk '{print $NF, $0}' | sort -rn | head -n 6 | cut -c1-600
}

# start PROGRAM ARGS... runs it in the background; PID is its number.
start() {
	"$@" >"$BATS_TEST_TMPDIR/target.out" 2>"$BATS_TEST_TMPDIR/target.err" 3>&- </dev/null &
	PID=$!
	STARTED+=("$PID")
}

# soon COMMAND... runs it until it succeeds. A busy machine delays everything, so the limit is a
# long one.
soon() {
	local tries
	for ((tries = 0; tries < 1200; tries++)); do
		! "$@" || return 0
		sleep 0.05
	done
	echo "not within a minute: $*"
	return 1
}

# said WORD [FILE PID] waits until a line of FILE begins with WORD; by default FILE is the output of
# the program from `start`.
said() {
	local file=${2:-$BATS_TEST_TMPDIR/target.out} pid=${3:-$PID}
	soon said_or_gone "$1" "$file" "$pid" || return 1
	grep -q "^$1" "$file" || { echo "it ended before it said $1"; cat "$file" "$BATS_TEST_TMPDIR/target.err"; return 1; }
}

said_or_gone() { grep -q "^$1" "$2" 2>/dev/null || ! kill -0 "$3" 2>/dev/null; }

# start_ready PROGRAM ARGS... starts it and waits until it prints "ready".
start_ready() {
	: >"$BATS_TEST_TMPDIR/target.out"
	start "$@"
	said ready
}

# target NAME ARGS... does the same for one of the tests' own programs.
target() {
	[ -x "$TARGETS/$1" ] || skip "$1 was not built here"
	start_ready "$TARGETS/$1" "${@:2}"
}

# Ends the target; what it prints about itself is then in TRUTH.
target_end() {
	kill -TERM "$PID"
	wait "$PID" || true
	TRUTH=$BATS_TEST_TMPDIR/target.out
}

truth() { awk -v name="$1" '$1 == name { print $2 }' "$TRUTH"; }

# record OPTIONS... writes folded stacks to $FOLDED and the summary to $ERR; it must succeed.
record() {
	"$CPROF" cpu "$@" -f folded -o "$FOLDED" 2>"$ERR" || { echo "status $?: cprof cpu $*"; return 1; }
	[ -s "$FOLDED" ]
}

# profiler VERB OPTIONS... runs cprof in the background as PROFILER, and returns once it records. In
# a shell without job control, background jobs ignore SIGINT.
profiler() {
	: >"$ERR"
	env --default-signal=INT "$CPROF" "$1" -v "${@:2}" >profiler.out 2>"$ERR" 3>&- </dev/null &
	PROFILER=$!
	STARTED+=("$PROFILER")
	said 'cprof: recording' "$ERR" "$PROFILER"
}

# profiler_end ends the recording with SIGTERM, and cprof must succeed.
profiler_end() {
	kill -TERM "$PROFILER"
	wait "$PROFILER" || { echo "cprof: status $?"; return 1; }
}

# detach ends a recording with Ctrl-C, and cprof must succeed.
detach() {
	kill -INT "$PROFILER"
	wait "$PROFILER" || { echo "cprof: status $?"; return 1; }
}

# cpu_ticks prints the CPU time that the target and the children it has waited for have used, in
# hundredths of a second.
cpu_ticks() {
	local stat
	stat=$(<"/proc/$PID/stat")
	# shellcheck disable=SC2086 # words, after the name in parentheses
	set -- ${stat##*) }
	TICKS=$((${12} + ${13} + ${14} + ${15}))
}

# child_of PID prints the command that a cprof has started, and not the process that reads files for
# it.
child_of() {
	local pid
	for pid in $(pgrep -P "$1"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = cprof-reader ] || { echo "$pid"; return 0; }
	done
	return 1
}

# opens_something PID: whether it waits in a system call of the open family: open, openat, openat2.
opens_something() { grep -qE '^(2|257|437) ' "/proc/$1/syscall" 2>/dev/null; }

# used SECONDS waits until the target has used that much more CPU time, or is gone.
used() {
	local until
	cpu_ticks
	until=$(awk "BEGIN { print int($TICKS + 100 * $1) }")
	soon used_or_gone "$until" || soon used_or_gone "$until" || soon used_or_gone "$until"
}

used_or_gone() { ! kill -0 "$PID" 2>/dev/null || { cpu_ticks && [ "$TICKS" -ge "$1" ]; }; }

# record_cpu SECONDS OPTIONS... records folded stacks for that much CPU time of the target, so there
# are as many samples on a busy machine as on an idle one.
record_cpu() {
	profiler cpu -p "$PID" -d 0 -f folded -o "$FOLDED" "${@:2}" && used "$1" && profiler_end && [ -s "$FOLDED" ]
}
# record_pprof SECONDS OPTIONS... does the same with a pprof file, p.pb.gz, and writes its samples
# to $FOLDED.
record_pprof() {
	profiler cpu -p "$PID" -d 0 -o p.pb.gz "${@:2}" && used "$1" && profiler_end && decoded_samples
}

decoded_samples() { "$ROOT/tests/e2e/pprof_decode.py" p.pb.gz --folded -t samples >"$FOLDED"; }

# label_count KEY VALUE prints the samples of p.pb.gz with this label.
label_count() {
	"$ROOT/tests/e2e/pprof_decode.py" p.pb.gz --labels -t samples |
		awk -v key="$1" -v value="$2" '$1 == key && $2 == value { n += $NF } END { print n + 0 }'
}

# in_state LETTER PID: whether its first thread is running (R), sleeping (S), a zombie (Z).
in_state() { [[ $(cat "/proc/$2/stat" 2>/dev/null) == *") $1 "* ]]; }

# start_asleep PROGRAM ARGS... starts it and waits until it has begun to wait.
start_asleep() {
	start "$@"
	soon executes "$1" "$PID"
	soon in_state S "$PID"
}

# start_zombie starts ZOMBIE, whose parent is a sleep that does not wait for it. It ends after the
# shell that could wait for it has become the sleep.
start_zombie() {
	# shellcheck disable=SC2016 # the inner shell's
	bash -c '{ until [ "$(cat /proc/$$/comm)" = sleep ]; do sleep 0.01; done; } & echo $! >zombie; exec sleep 300' 3>&- &
	STARTED+=($!)
	soon test -s zombie
	ZOMBIE=$(cat zombie)
	soon in_state Z "$ZOMBIE"
}

# executes PROGRAM PID: whether the process has already executed the program.
executes() { [ "$(cat "/proc/$2/comm" 2>/dev/null)" = "${1##*/}" ]; }

# record_wait VERB OPTIONS... does the same for one of the verbs that measure waits.
record_wait() {
	local verb=$1
	shift
	"$CPROF" "$verb" -f folded -o "$FOLDED" "$@" >"$BATS_TEST_TMPDIR/command.out" 2>"$ERR" ||
		{ echo "status $?: cprof $verb $*"; return 1; }
	[ -s "$FOLDED" ]
}

# profile_wait VERB OPTIONS... writes a pprof file, wait.pb.gz.
profile_wait() {
	local verb=$1
	shift
	rm -f wait.pb.gz.*
	"$CPROF" "$verb" -o wait.pb.gz "$@" >"$BATS_TEST_TMPDIR/command.out" 2>"$ERR" ||
		{ echo "status $?: cprof $verb $*"; return 1; }
	TRUTH=$BATS_TEST_TMPDIR/command.out
}

# decode_wait WHAT [TYPE] prints wait.pb.gz with pprof_decode.py, which reads it once for each WHAT
# and TYPE.
decode_wait() {
	local cached=wait.pb.gz.$1.${2:-}
	[ -e "$cached" ] || "$ROOT/tests/e2e/pprof_decode.py" wait.pb.gz "--$1" ${2:+-t "$2"} >"$cached" || rm "$cached"
	cat "$cached"
}

# site_total TYPE [FUNCTION] prints the sum of a sample type over the stacks of wait.pb.gz that
# contain the function.
site_total() {
	decode_wait folded "$1" | awk -v site="${2:+;$2;}" 'site == "" || index($0, site) { n += $NF } END { printf "%.0f\n", n }'
}

# label_share KEY VALUE [TYPE] prints the percentage of the profile's value with this label.
label_share() {
	decode_wait labels ${3:+"$3"} | awk -v key="$1" -v value="$2" '
		$1 == key { all += $NF; if ($2 == value) n += $NF }
		END { printf "%.2f\n", all ? 100 * n / all : 0 }'
}

# total TYPE prints the sum of a sample type over wait.pb.gz.
total() { site_total "$1"; }

# duration prints how long the recording of wait.pb.gz really was, in nanoseconds.
duration() { decode_wait info | sed -n 's/.*"duration_nanos": \([0-9]*\).*/\1/p'; }

# in_futex COUNT: whether that many threads of the target wait for a lock.
in_futex() { [ "$(cat "/proc/$PID"/task/*/syscall 2>/dev/null | grep -c '^202 ')" -ge "$1" ]; }

samples() { awk '{ n += $NF } END { print n + 0 }' "${1:-$FOLDED}"; }

# percent REGEX [OF-REGEX] prints the share of samples whose stack matches, among those that match
# OF-REGEX.
percent() {
	awk -v want="$1" -v of="${2:-.}" '
		$0 ~ of { all += $NF; if ($0 ~ want) n += $NF }
		END { printf "%.2f\n", all ? 100 * n / all : 0 }' "$FOLDED"
}

# count REGEX prints the samples whose stack matches.
count() { awk -v want="$1" '$0 ~ want { n += $NF } END { print n + 0 }' "$FOLDED"; }

# holds EXPRESSION evaluates arithmetic on decimals.
holds() { awk "BEGIN { exit !($1) }" || { echo "not true: $1"; return 1; }; }

# near HAVE WANT TOLERANCE
near() { holds "$1 - $2 <= $3 && $2 - $1 <= $3"; }

# held_as_told WAY: the probes are outside of the program's own clock readings, so a thread that is
# preempted between the two appears to hold for longer, by a time slice or more.
held_as_told() {
	local took told
	took=$(takes held "$1")
	told=$(truth "$1"_held)
	holds "$took >= 0.95 * $told - 2000000 && $took <= 1.05 * $told + 60000000"
}

# stolen prints the seconds that the host of this virtual machine has taken from it since it began.
# Ticks fall into that time, and the kernel leaves it out of a thread's CPU time.
stolen() { awk '$1 == "cpu" { print $9 / 100 }' /proc/stat; }

# chance PERCENT prints four standard errors of a share of that size among the samples there are.
chance() { awk -v p="$1" -v n="$(samples "$FOLDED")" 'BEGIN { print 4 * sqrt(p * (100 - p) / (n ? n : 1)) }'; }

# at_least PERCENT REGEX [OF-REGEX]
at_least() {
	local have
	have=$(percent "$2" "${3:-.}")
	holds "$have >= $1" || { echo "only $have % match $2"; return 1; }
}

# Checks that stacks are whole, by cprof's own summary and by the folded stacks. A stack that was
# cut begins with a frame in brackets that says so.
whole() {
	local said
	said=$(sed -n 's/.*; \([0-9.]*\)% of stacks whole.*/\1/p' "$ERR")
	[ -n "$said" ] || { echo 'no "N% of stacks whole" in the summary'; return 1; }
	holds "$said >= ${1:-99.5}"
	holds "$(percent '\\[[^];]*(cut|missing|no rows|truncated)') <= 100 - (${1:-99.5})"
}

# whole_but_new PERCENT does the same for programs that have just begun. On a busy machine cprof may
# run only after many samples were taken in files that it has not read yet; those are counted
# separately.
whole_but_new() {
	local all new
	all=$(sed -n 's/^cprof: \([0-9]*\) samples in .*/\1/p' "$ERR")
	new=$(sed -n 's/^cprof: cut stacks: //p' "$ERR" | tr ',' '\n' |
		awk '/not loaded yet|larger than the copied part/ { n += $NF } END { print n + 0 }')
	holds "$new < 0.7 * $all"
	whole "$1 * (1 - $new / $all)"
}

# Every line must be "frame;frame count" and nothing else.
folded_form() { ! grep -nvE '^[^;]+(;[^;]+)* [1-9][0-9]*$' "${1:-$FOLDED}"; }

# line_of MARK prints where inline.cpp has the comment "mark: MARK".
line_of() { grep -n "mark: $1 \*/" "$ROOT/tests/targets/inline.cpp" | cut -d: -f1; }

# Checks that DIR contains no temporary files of an unfinished profile.
nothing_left() { ! find "${1:-.}" -name '*.tmp*' -o -name '.*pb.gz*' -o -name '.cprof*' | grep .; }

levels() {
	local from=${1:-1} i
	for ((i = from; i <= 30; i++)); do printf 'level_%02d;' "$i"; done
}

# times N TEXT repeats a text, because not every awk has {N}.
times() {
	local i
	for ((i = 0; i < $1; i++)); do printf '%s' "$2"; done
}

# redis_server sets up ./redis-server from redis-tools. Debian's redis-server is a link to this
# program, which behaves according to its name.
redis_server() {
	local program
	program=$(command -v redis-check-rdb) || skip 'no redis-tools'
	ln -s "$program" redis-server
}

need_root() { [ "$(id -u)" = 0 ] || skip 'needs root'; }

# only_shown FILE... checks that they contain nothing that a terminal would act on: no controls
# except newlines, no C1, no direction marks, no bytes outside of UTF-8.
only_shown() {
	python3 - "$@" <<-'END'
		import re, sys
		bad = re.compile('[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]')
		for path in sys.argv[1:]:
		    text = open(path, "rb").read().decode("utf-8")
		    found = bad.search(text)
		    if found:
		        sys.exit(f"{path}: {text[max(0, found.start() - 40):found.end() + 20]!r}")
	END
}
