#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Where cprof may use little: descriptors, addresses, processes, locked memory, stack.
load helper

# verbs COMMAND...: runs it for every kind of recording of $PID, with the verb's arguments behind.
# Each is given what makes it record something of `libraries`.
verbs() {
	local verb
	for verb in cpu 'cpu --mode perf' 'heap --rate 1 --force' offcpu wall block mutex 'mutex --holds --force'; do
		# shellcheck disable=SC2086 # the words of a verb
		"$@" $verb || { echo "with cprof $verb"; return 1; }
	done
}

libraries() {
	local i
	mkdir -p libs
	for ((i = 0; i < $1; i++)); do cp "$TARGETS/libburn1.so" "libs/l$i.so"; done
	target libraries libs
}

with_few_files() {
	local said
	run --separate-stderr bash -c 'ulimit -Sn 100; exec "$@"' - "$CPROF" "$@" -p "$PID" -d 500ms -o few.pb.gz
	[ "$status" = 0 ] || [[ $stderr == *'is empty'* ]] || { echo "status $status: $stderr"; return 1; }
	said=$(sed -n 's/.*; \([0-9.]*\)% of stacks whole.*/\1/p' <<<"$stderr")
	[ -z "$said" ] || holds "$said >= 99" || { echo "$stderr"; return 1; }
	# Nothing but locks that nobody waits for leaves a profile empty.
	[ "$status" = 0 ] || [[ $1 == block || $1 == mutex ]]
}

@test "limits: ulimit -n 100, and a process with 150 libraries: stacks are whole in every kind of profile" {
	need_root
	libraries 150
	verbs with_few_files
}

@test "limits: a command keeps the limit of open files that cprof was started with" {
	need_root
	for verb in cpu 'cpu --mode perf' heap offcpu; do
		# shellcheck disable=SC2086
		run --separate-stderr bash -c 'ulimit -Sn 123; exec "$@"' - "$CPROF" $verb -o own.pb.gz -- bash -c 'ulimit -Sn; for ((i = 0; i < 100000; i++)); do :; done'
		[ "$output" = 123 ] || { echo "$verb: $output $stderr"; return 1; }
	done
}

with_few_addresses() {
	run --separate-stderr bash -c 'ulimit -v "$1"; shift; exec "$@"' - "$KILOBYTES" "$CPROF" "$@" -p "$PID" -d 300ms -o small.pb.gz
	[ "$status" = 0 ] || [[ $stderr == *'is empty'* ]] || { echo "status $status: $stderr"; return 1; }
}

@test "limits: 400 MB of addresses are enough to record, whatever the kind" {
	need_root
	target libraries /nonexistent
	KILOBYTES=400000 verbs with_few_addresses
}
