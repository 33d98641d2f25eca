#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# These processes have code in memory that differs from their files: no probe is set in them, and
# they survive.

load helper

# arrived: waits for the target to do what it did before.
arrived() {
	kill -0 "$PID"
	target_end
	[ "$(truth calls)" -gt 0 ]
	[ "$(truth arrived)" = "$(truth calls)" ]
}

@test "changed code: heap sets no probes where malloc was patched" {
	need_root
	target hooked jump
	said begun
	run -1 "$CPROF" heap --force --rate 1 -p "$PID" -d 300ms -o heap.pb.gz
	grep -q "PID $PID: no probes in .*libc.*: its code at offset 0x[0-9a-f]* is not what the file holds" <<<"$output"
	grep -q 'no allocator of hooked .* can be probed' <<<"$output"
	arrived
}

@test "changed code: mutex --holds sets no probes where pthread_mutex_lock was patched" {
	need_root
	target hooked jump
	said begun
	run "$CPROF" mutex --holds --force -p "$PID" -d 300ms -o mutex.pb.gz
	grep -q "PID $PID: no probes in .*libc.*: its code at offset" <<<"$output"
	arrived
}

@test "changed code: an allocator with text relocations is not probed, by PID or as a command" {
	need_root
	[ -e "$TARGETS/libtext_relocations.so" ] || skip "libtext_relocations.so was not built here"
	start_ready env LD_PRELOAD="$TARGETS/libtext_relocations.so" "$TARGETS/heap_pairs" 1
	"$CPROF" heap --force -p "$PID" -d 300ms -o heap.pb.gz 2>"$ERR" || [ $? -eq 3 ]
	grep -q 'no probes in .*libtext_relocations.so: the dynamic linker changes its code' "$ERR"
	kill -0 "$PID"
	target_end
	[ "$(truth pairs)" = 0 ]
	"$CPROF" heap --no-preload --force -o heap.pb.gz -- \
		"$TARGETS/relocated" 2>"$ERR" || [ $? -eq 3 ]
	grep -q 'no probes in .*libtext_relocations.so: the dynamic linker changes its code' "$ERR"
	grep -q 'relocated exited with status 0' "$ERR"
}

@test "changed code: a library is probed while other mappings of it come and go" {
	local i
	need_root
	target hooked maps
	said begun
	for i in 1 2 3; do
		"$CPROF" heap --force --rate 1 -p "$PID" -d 100ms -o heap.pb.gz 2>"$ERR"
		grep -q 'allocator: glibc' "$ERR"
		"$CPROF" mutex --holds --force -p "$PID" -d 100ms -o mutex.pb.gz 2>"$ERR"
	done
	kill -0 "$PID"
	target_end
	[ "$(truth calls)" -gt 0 ]
}

# This code is not executed but read and translated, so a probe would be taken for the program's
# own.
@test "translated code: no probes by PID, nor in a command" {
	local verb
	need_root
	cp "$TARGETS/heap_pairs" qemu-x86_64
	start_ready ./qemu-x86_64 1
	for verb in 'heap --force' 'mutex --holds --force'; do
		# shellcheck disable=SC2086 # words
		run -1 "$CPROF" $verb -p "$PID" -d 100ms -o refused.pb.gz
		grep -q "cannot put probes into PID $PID: qemu-x86_64 translates its code" <<<"$output"
		# shellcheck disable=SC2086 # words
		run -1 "$CPROF" $verb -o refused.pb.gz -- ./qemu-x86_64 1
		grep -q 'cannot put probes into ./qemu-x86_64: it translates the code' <<<"$output"
	done
	kill -0 "$PID"
	"$CPROF" offcpu -p "$PID" -d 100ms -o offcpu.pb.gz 2>"$ERR" || [ $? -eq 3 ]
}

@test "translated code: the preloaded sampler is silent under valgrind" {
	need_root
	[ -e "${CPROF%/*}/libcprof-heap.so" ] || skip 'no preloaded sampler'
	command -v valgrind >valgrind.path || skip 'no valgrind here'
	"$CPROF" heap --rate 1 -o heap.pb.gz -- sh -c \
		'HEAP_GO=1 valgrind -q --tool=none "$0" 1 500 >out; echo "status $?" >>out' "$TARGETS/heap_leaks" 2>"$ERR" ||
		[ $? -eq 3 ]
	cat out
	grep -q '^status 0' out
}
