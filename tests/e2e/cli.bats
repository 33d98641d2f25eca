#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The command line: usage, messages, exit statuses, help, version, doctor. Nothing is recorded.

load helper

# usage TEXT ARGS...: the arguments are refused with status 2, this one line on stderr, and nothing
# on stdout.
usage() {
	local text=$1
	shift
	run --separate-stderr "$CPROF" "$@"
	[ "$status" -eq 2 ] || { echo "status $status: $*"; return 1; }
	[ -z "$output" ]
	# shellcheck disable=SC2154
	[ "$stderr" = "cprof: $text" ] || { echo "$stderr"; return 1; }
}

# cannot TEXT ARGS... does the same with status 1.
cannot() {
	local text=$1
	shift
	run --separate-stderr "$CPROF" "$@"
	[ "$status" -eq 1 ] || { echo "status $status: $*"; return 1; }
	[ -z "$output" ]
	[ "$stderr" = "cprof: $text" ] || { echo "$stderr"; return 1; }
}

@test "cli: without arguments the overview goes to stderr, status 2" {
	run --separate-stderr "$CPROF"
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[[ $stderr == *"Usage: cprof VERB"* ]]
}

@test "cli: help goes to stdout, status 0" {
	for arguments in help --help -h "help cpu" "cpu -h" "cpu --help" "help doctor" "doctor -h"; do
		# shellcheck disable=SC2086
		run --separate-stderr "$CPROF" $arguments
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
		[[ $output == *Usage:* ]]
	done
}

@test "cli: help fits 100 columns" {
	for verb in "" cpu doctor help version; do
		# shellcheck disable=SC2086
		"$CPROF" help $verb | awk 'length($0) > 100 { print; bad = 1 } END { exit bad }'
	done
}

@test "cli: unknown verbs and options are refused, near ones suggested" {
	usage 'unknown verb "cup": did you mean cprof cpu?' cup
	usage 'unknown verb "docter": did you mean cprof doctor?' docter
	usage 'unknown verb "frobnicate" (cprof help lists them)' frobnicate
	usage 'unknown verb "xyz" (cprof help lists them)' help xyz
	usage 'unknown option --frequncy: did you mean --frequency?' cpu -a --frequncy=3
	usage 'unknown option -x' cpu -a -x
	usage 'unexpected "x": the usage is cprof doctor' doctor x
}

@test "cli: a target is needed, and only one" {
	usage 'nothing to profile: give -p PID, -n NAME, -a, --cgroup PATH or -- COMMAND' cpu
	usage 'two targets, -p and -a: give one' cpu -p 1 -a
	usage '-- needs a command behind it' cpu --
	usage 'unexpected "4711": did you mean -p 4711?' cpu 4711
	usage '--all goes with -n NAME (the whole machine is -a)' cpu -a --all
}

@test "cli: values are checked" {
	usage '"5x" is not a duration (5s, 500ms, 2m, 0 = until Ctrl-C)' cpu -a -d 5x
	usage '"-1" is not a duration (5s, 500ms, 2m, 0 = until Ctrl-C)' cpu -a -d -1
	usage '"0" is not a frequency (samples a second, such as 99)' cpu -a -F 0
	usage 'unknown format "x": one of pprof, folded, text, html, svg, speedscope, firefox, chrome, dump, jstack, counts' cpu -a -f x
	usage 'unknown mode "x": one of bpf, perf' cpu -a --mode x
	usage '-p needs a value: PID[,PID...]' cpu -p
}

@test "cli: what is not a PID is wrong usage" {
	usage '"12x" is not a PID' cpu -p 12x
	usage '"" is not a PID' cpu -p 1,
}

@test "cli: processes that cannot be profiled are refused with the reason" {
	cannot 'cannot profile PID 2147483647: no such process' cpu -p 2147483647 -d 1
	cannot 'cannot profile "no-such-name": no process has that name' cpu -n no-such-name -d 1
	cannot 'cannot profile cgroup /no/such: no such cgroup' cpu --cgroup /no/such -d 1
	cannot 'cannot profile cgroup /tmp: it is not a cgroup directory' cpu --cgroup /tmp -d 1
	if grep -q '^Kthread:.1' /proc/2/status 2>/dev/null; then
		cannot 'cannot profile PID 2: it is a kernel thread (cprof cpu -a --kernel shows those)' \
			cpu -p 2 -d 1
	fi
}

@test "cli: a zombie is refused" {
	start_zombie
	cannot "cannot profile PID $ZOMBIE: it has exited (zombie)" cpu -p "$ZOMBIE" -d 1
}

@test "cli: several processes of one name are listed" {
	local name=cli-nap-$$ # no other test uses it
	cp "$(command -v sleep)" "$name"
	start_asleep "$PWD/$name" 300
	first=$PID
	start_asleep "$PWD/$name" 301
	second=$PID
	run --separate-stderr "$CPROF" cpu -n "$name" -d 1
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ $stderr == *"2 processes are called \"$name\": choose with -p, or add --all"* ]]
	[[ $stderr == *"  $first $name $BATS_TEST_TMPDIR/$name 300"* ]]
	[[ $stderr == *"  $second $name "* ]]
}

@test "cli: another user's process without rights is refused" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to become somebody else"
	# Other users may have no access to the directory of the tests.
	install -m 755 "$CPROF" "$BATS_RUN_TMPDIR/cprof-nobody"
	chmod 755 "$BATS_RUN_TMPDIR"
	start_asleep sleep 300
	run --separate-stderr setpriv --reuid 65534 --clear-groups \
		"$BATS_RUN_TMPDIR/cprof-nobody" cpu -p "$PID" -d 1
	[ "$status" -eq 1 ]
	[ "$stderr" = "cprof: cannot profile PID $PID: it belongs to user root (try sudo)" ]
}

@test "cli: what a target is called does not control the terminal" {
	name=$(printf 'a\033[31mb')
	run --separate-stderr "$CPROF" cpu -n "$name" -d 1
	[ "$status" -eq 1 ]
	[ "$stderr" = 'cprof: cannot profile "a\x1b[31mb": no process has that name' ]
}

@test "cli: the version names libraries and the kernel" {
	for arguments in --version -V version; do
		run --separate-stderr "$CPROF" $arguments
		[ "$status" -eq 0 ]
		[ "${lines[0]}" = "cprof $(cat "$ROOT/VERSION")" ]
		[[ $output == *libbpf*elfutils*protobuf-c*zlib* ]]
		[[ $output == *"$(uname -r)"* ]]
	done
}

@test "cli: the doctor says whether CPU profiles work" {
	run --separate-stderr "$CPROF" doctor
	[ "$status" -le 1 ]
	[ -z "$stderr" ]
	[[ $output == *"$(uname -r)"* ]]
	[[ $output == *perf_event_paranoid* ]]
	if [ "$status" -eq 0 ]; then
		[[ $output == *"cprof cpu works here"* ]]
	else
		[[ $output == *"cprof cpu does not work here"* ]]
	fi
}

@test "cli: the doctor tells an ordinary user what fixes it" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to become somebody else"
	install -m 755 "$CPROF" "$BATS_RUN_TMPDIR/cprof-doctor"
	chmod 755 "$BATS_RUN_TMPDIR"
	run setpriv --reuid 65534 --clear-groups "$BATS_RUN_TMPDIR/cprof-doctor" doctor
	[[ $output == *"limited  privileges"* ]]
	[[ $output == *"-> sudo "* ]]
}

@test "cli: a full disk is an error" {
	run bash -c '"$1" help > /dev/full' bash "$CPROF"
	[ "$status" -eq 1 ]
	[[ $output == "cprof: cannot write to the standard output: no space left on device" ]]
}

@test "cli: a reader that leaves is none" {
	run bash -c 'set -o pipefail; "$1" help cpu | true' bash "$CPROF"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "cli: colours only where they are wanted" {
	run "$CPROF" doctor
	[[ $output != *$'\033'* ]]
}

@test "cli: help, man pages and completions agree with the option table" {
	run "$ROOT/tests/cli_agree.sh" "$(realpath "$CPROF")"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "cli: man pages have no mistakes that groff finds" {
	command -v groff >/dev/null || skip "no groff"
	for page in "$ROOT"/man/*.1; do
		[ -z "$(groff -man -ww -Tutf8 -z "$page" 2>&1)" ]
	done
}

@test "cli: bash completes verbs, options, values and PIDs" {
	complete_at_end() {
		bash -c '
			source "$1/completions/cprof.bash"
			shift
			COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
			_cprof
			printf "%s\n" "${COMPREPLY[@]}"' bash "$ROOT" "$CPROF" "$@"
	}
	[ "$(complete_at_end do)" = doctor ]
	[ "$(complete_at_end cpu --dur)" = --duration ]
	[ "$(complete_at_end cpu --format fo)" = folded ]
	[ "$(complete_at_end cpu --format = fo)" = folded ]
	[ "$(complete_at_end cpu --mode = | tr '\n' ' ')" = "bpf perf " ]
	[ "$(complete_at_end cpu -e cyc)" = cycles ]
	[ "$(complete_at_end cpu --mode b)" = bpf ]
	complete_at_end cpu -p "${$:0:1}" | grep -qx "$$"
	complete_at_end cpu -p "1,${$:0:1}" | grep -qx "1,$$"
	complete_at_end cpu -- ls | grep -qx ls
}
