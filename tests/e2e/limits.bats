#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What cprof does where it may use little: descriptors, addresses, processes, locked memory, stack.
load helper

# verbs COMMAND... runs it for every kind of recording of $PID, with the verb's arguments appended.
# Each gets arguments with which it records something of `libraries`.
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
	# Only locks that no thread waits for leave a profile empty.
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

# The environment is in the same 16 KiB, and so is what the dynamic linker needs.
little_stack() { env -i PATH=/usr/bin:/bin bash -c 'ulimit -s 16; exec "$@"' - "$@"; }

with_little_stack() {
	run --separate-stderr little_stack "$CPROF" "$@" -p "$PID" -d 300ms -o low.pb.gz
	[ "$status" = 0 ] || [[ $stderr == *'is empty'* ]] || { echo "status $status: $stderr"; return 1; }
}

@test "limits: a stack of 16 KiB is enough to record, whatever the kind, and to be interrupted" {
	need_root
	target libraries /nonexistent
	verbs with_little_stack
	"$CPROF" cpu -q -p "$PID" -d 500ms -o own.pb.gz
	little_stack "$CPROF" report own.pb.gz
	run --separate-stderr little_stack timeout -s INT 2 "$CPROF" cpu -v -p "$PID" -o cut.pb.gz
	[[ $stderr == *'cprof: wrote cut.pb.gz'* ]] || { echo "$stderr"; return 1; }
}

@test "limits: a command keeps the limit of the stack's size" {
	need_root
	for verb in cpu heap wall; do
		run --separate-stderr bash -c 'ulimit -s 48; exec "$@"' - "$CPROF" "$verb" -o own.pb.gz -- sh -c 'ulimit -s'
		[ "$output" = 48 ] || { echo "$verb: $output $stderr"; return 1; }
	done
}

# without SETUP ARGS... runs cprof in a separate mount namespace, after SETUP.
without() {
	local setup=$1
	shift
	run --separate-stderr unshare -m bash -c "$setup; exec \"\$@\"" - "$CPROF" "$@"
}

@test "limits: a missing /proc is what the message names" {
	need_root
	target shares
	for verb in cpu 'cpu --mode perf' heap offcpu mutex; do
		# shellcheck disable=SC2086
		without 'mount -t tmpfs none /proc' $verb -p "$PID" -d 100ms
		[ "$status" -eq 1 ]
		[[ $stderr == *'/proc is not mounted'*'mount -t proc'* ]]
	done
	without 'mount -t tmpfs none /proc' doctor
	[ "$status" -eq 1 ]
	[[ $output == *'missing  /proc'*'may trace'* || $output == *'may trace'*'missing  /proc'* ]]
	[[ $output == *'does not work here: it needs /proc'* ]]
}

@test "limits: the /proc of another PID namespace is refused: its numbers are not the kernel's" {
	need_root
	target shares
	run --separate-stderr unshare --pid --fork "$CPROF" cpu -p "$PID" -d 100ms
	[ "$status" -eq 1 ]
	[[ $stderr == *'/proc is that of another PID namespace'* ]]
}

@test "limits: a process that hidepid hides is told from one that does not exist" {
	need_root
	target shares
	# shellcheck disable=SC2016
	hidden='mount -t proc -o hidepid=2 proc /proc && chmod 755 . && cp "$0" ./cprof && exec setpriv --reuid 65534 --regid 65534 --clear-groups ./cprof cpu -d 100ms "$@"'
	run --separate-stderr unshare -m bash -c "$hidden" "$CPROF" -p "$PID"
	[ "$status" -eq 1 ]
	[[ $stderr == *"PID $PID: /proc is mounted with hidepid"* ]]
	run --separate-stderr unshare -m bash -c "$hidden" "$CPROF" -p 4194000
	[[ $stderr == *'no such process'* ]]
	run --separate-stderr unshare -m bash -c "$hidden" "$CPROF" -n "not-there-$PID"
	[[ $stderr == *'no process has that name among those that /proc, mounted with hidepid,'* ]]
}

@test "limits: missing kernel types are what the message names, and perf mode goes without" {
	need_root
	target shares
	without 'mount -t tmpfs none /sys/kernel/btf' cpu -p "$PID" -d 100ms
	[ "$status" -eq 1 ]
	[[ $stderr == *'/sys/kernel/btf/vmlinux'*CONFIG_DEBUG_INFO_BTF* ]]
	without 'mount -t tmpfs none /sys' heap -p "$PID" -d 100ms
	[ "$status" -eq 1 ]
	[[ $stderr == *'mount -t sysfs'* ]]
	without 'mount -t tmpfs none /sys' cpu --mode perf -p "$PID" -d 300ms -o perf.pb.gz
	[ "$status" -eq 0 ]
	without 'umount -R /sys/fs/cgroup' cpu --cgroup /system.slice -d 100ms
	[ "$status" -eq 1 ]
	[[ $stderr == *'no cgroup file system is mounted'* ]]
}

@test "limits: counters are read without /sys/devices, so the cost of probes is still known" {
	need_root
	target libraries /nonexistent
	without 'mount -t tmpfs none /sys/devices' heap --rate 1 --force -p "$PID" -d 500ms -o heap.pb.gz
	[ "$status" -eq 0 ]
	calls=$(sed -n 's/.*): \([0-9]*\) allocations.*/\1/p' <<<"$stderr")
	[ "$calls" -gt 0 ]
}
