#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# libcprof-heap.so in front of the allocator: what its probes count, and that programs do not notice
# it. The kernel itself counts, with uprobe events at the probes' places, so cprof is not involved.

load helper

AFTER=
JEMALLOC=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2

setup_file() {
	export BUILD=${BUILD:-$BATS_TEST_DIRNAME/../../build}
}

# This test gets its own copy of the library, so that all its hits come from this test.
library() {
	LIBRARY=$BATS_TEST_TMPDIR/libcprof-heap.so
	cp "$BUILD/libcprof-heap.so" "$LIBRARY"
	OFFSETS=$(readelf -nW "$LIBRARY" | awk '
		/Name:/ { name = $2 }
		/Location:/ { at[name] = substr($2, 1, length($2) - 1) }
		END { print at["alloc"], at["free"], at["dropped"] }')
}

# probes RATE [-l] COMMAND... writes how often each probe was hit to $HITS; PRELOAD is loaded after
# the library. A program that is LINKED with it needs nothing preloaded.
probes() {
	local rate=$1 list=
	shift
	[ "$1" != -l ] || { list=-l; shift; }
	[ -n "${LIBRARY:-}" ] || library
	# shellcheck disable=SC2086 # three words
	HITS=$(timeout 200 "$BUILD/preload-tests/probe_count" $list "$LIBRARY" $OFFSETS \
		env ${LINKED:-LD_PRELOAD="$LIBRARY ${PRELOAD:-}"} CPROF_HEAP_RATE="$rate" "$@")
}

hits() { awk -v name="$1" '$1 == name { print $2 }' <<<"$HITS"; }

# exactly ALLOCS FREES PROGRAM [KIND] checks how many each round adds, for 1000 rounds and for none;
# $AFTER follows the number of rounds.
exactly() {
	local allocs=$1 frees=$2 before_allocs before_frees
	shift 2
	probes 1 "$@" 0 "$AFTER"
	before_allocs=$(hits alloc) before_frees=$(hits free)
	probes 1 "$@" 1000 "$AFTER"
	echo "$* : $before_allocs, $before_frees, then ${HITS//$'\n'/, }"
	[ $(($(hits alloc) - before_allocs)) = $((allocs * 1000)) ]
	[ $(($(hits free) - before_frees)) = $((frees * 1000)) ]
	[ "$(hits dropped)" = 0 ]
}

program() { echo "$BUILD/preload-tests/$1"; }

need_jemalloc() { [ -e "$JEMALLOC" ] || skip 'no jemalloc here'; }

@test "preload: the notes name eight probes, with arguments in registers and no semaphore" {
	run -0 readelf -nW "$BUILD/libcprof-heap.so"
	[ "$(grep -c 'Provider: otel_memory' <<<"$output")" = 2 ]
	[ "$(grep -c 'Provider: cprof_heap' <<<"$output")" = 6 ]
	[ "$(grep -c 'Semaphore: 0x0*$' <<<"$output")" = 8 ]
	grep -q 'Arguments: 8@%rdi 8@%rsi 8@%rdx$' <<<"$output"
	# The probe is a one-byte nop that every kernel emulates, then five bytes that newer ones
	# turn into a call.
	run -0 objdump -d --no-show-raw-insn "$BUILD/libcprof-heap.so"
	[ "$(grep -A1 -E '[08]:	nop$' <<<"$output" | grep -cE '[19]:	nopl   0x0\(%rax,%rax,1\)')" = 8 ]
}

@test "preload: it needs no library and leaves nothing writable that is called" {
	run -0 readelf -dW "$BUILD/libcprof-heap.so"
	run ! grep -q NEEDED <<<"$output"
	run -0 readelf -lW "$BUILD/libcprof-heap.so"
	grep -q 'GNU_EH_FRAME' <<<"$output"
	grep -qE 'GNU_STACK .* RW ' <<<"$output"
	run -0 nm -D --defined-only "$BUILD/libcprof-heap.so"
	run ! grep -vE ' (aligned_alloc|calloc|cfree|dlm?open|execlp?|execle|execvp?e?|execve|f?execve|free|free_aligned_sized|free_sized|malloc|memalign|posix_memalign|posix_spawnp?|pvalloc|realloc|reallocarray|valloc|_Zn[wa]m.*|_Zd[la]Pv.*)$' <<<"$output"
}

@test "preload: at rate 1 every function counts once" {
	need_root
	exactly 16 16 "$(program wrappers)"
}

@test "preload: at rate 1 each hit has the address and the size" {
	need_root
	probes 1 -l "$(program wrappers)" 10
	awk '
		$1 == "alloc" { if ($2 in live) bad = bad " twice " $2; live[$2]; n++; bytes += $3
				if ($3 != $4) bad = bad " weight " $4 }
		$1 == "free"  { if (!($2 in live)) bad = bad " unknown " $2; delete live[$2] }
		END { for (p in live) bad = bad " left " p
		      print n, bytes, bad; exit n != 160 || bytes != 4015790 || bad != "" }' <<<"$HITS"
}

@test "preload: at rate 1 four threads that free each other's blocks lose nothing" {
	need_root
	exactly 4 4 "$(program exchange)"
	probes 1 "$(program exchange)" 100000
	[ "$(hits free)" = 400000 ]
}

@test "preload: at rate 1 a realloc that fails keeps its block" {
	need_root
	exactly 3 1 "$(program trouble)" refused
}

# Another thread may be given the old address before realloc has returned. What the threads and the
# C library keep is as much without rounds.
@test "preload: at rate 1 four threads that move their blocks lose nothing" {
	need_root
	local before
	probes 1 "$(program exchange)" 0 moving
	before=$(hits alloc)
	probes 1 "$(program exchange)" 50000 moving
	echo "$before, then ${HITS//$'\n'/, }"
	[ $(($(hits alloc) + $(hits dropped) - before)) = 400000 ]
	[ $(($(hits alloc) - $(hits free))) = "$before" ]
	[ "$(hits dropped)" -lt 400 ]
}

@test "preload: every C++ operator counts once, be it the C++ library's or the allocator's own" {
	need_root
	exactly 8 8 "$(program operators)"
	need_jemalloc
	PRELOAD=$JEMALLOC
	exactly 8 8 "$(program operators)"
}

@test "preload: a plugin that alone brings the C++ library keeps its operators" {
	need_root
	AFTER=$(program liboperators.so) exactly 8 8 "$(program trouble)" plugin
}

@test "preload: allocations in signal handlers count" {
	need_root
	exactly 1 1 "$(program trouble)" signal
}

@test "preload: threads that end leave their blocks to others" {
	need_root
	exactly 1 1 "$(program trouble)" exit
}

@test "preload: in front of jemalloc, itself preloaded" {
	need_root
	need_jemalloc
	PRELOAD=$JEMALLOC
	AFTER=no-pvalloc exactly 16 16 "$(program wrappers)"
	exactly 4 4 "$(program exchange)"
}

@test "preload: an allocator whose functions go through each other counts once" {
	need_root
	local seen want
	PRELOAD=$BUILD/preload-tests/libentering.so
	exactly 4 4 "$(program exchange)"
	probes 8192 -l "$(program stream)" 100000
	seen=$(awk '$1 == "alloc" { sum += $4 } END { printf "%.0f\n", sum }' <<<"$HITS")
	want=$(grep -vE '^(alloc|free)' <<<"$HITS")
	echo "$seen of $want"
	near "$seen" "$want" "0.05 * $want"
}

@test "preload: in front of musl" {
	need_root
	[ -x "$(program exchange-musl)" ] || skip 'no musl-gcc here'
	exactly 4 4 "$(program exchange-musl)"
}

@test "preload: linked with a program, it does the same" {
	need_root
	library
	gcc -o linked -O2 -fno-builtin -w "$ROOT/tests/preload/wrappers.c" "$LIBRARY" -Wl,-rpath,"$BATS_TEST_TMPDIR"
	LINKED=LINKED=1 exactly 16 16 ./linked
}

@test "preload: fork with threads that allocate" {
	local rate
	library
	for rate in 1 4096 524288; do
		LD_PRELOAD=$LIBRARY CPROF_HEAP_RATE=$rate timeout 200 "$(program trouble)" fork 200
	done
}

@test "preload: libraries come and go while threads allocate" {
	local rate
	library
	for rate in 1 524288; do
		LD_PRELOAD=$LIBRARY CPROF_HEAP_RATE=$rate timeout 200 \
			"$(program trouble)" dlopen 500 /lib/x86_64-linux-gnu/libm.so.6
	done
}

@test "preload: a rate of nothing samples nothing, and a wrong one is the default" {
	need_root
	probes 0 "$(program wrappers)" 1000
	[ "$(hits alloc)" = 0 ]
	probes none "$(program stream)" 100000
	holds "$(hits alloc) > 300 && $(hits alloc) < 600" # 212 MB / 512 KiB
}

# 5 runs of some 26,000 samples have a standard error of the mean of 0.3 %.
@test "preload: the weighted bytes are unbiased" {
	need_root
	local run have=0 want=0
	for run in 1 2 3 4 5; do
		probes 8192 -l "$(program stream)" 100000
		have=$(awk -v sum="$have" '$1 == "alloc" { sum += $4 } END { printf "%.0f\n", sum }' <<<"$HITS")
		want=$((want + $(grep -vE '^(alloc|free)' <<<"$HITS")))
	done
	echo "estimated $have of $want"
	near "$have" "$want" "0.015 * $want"
}

@test "preload: a full set of live samples drops, counts and continues" {
	need_root
	probes 1 "$(program hoard)" 2400000
	echo "$HITS"
	[ "$(hits dropped)" -gt 1000 ]
	[ $(($(hits alloc) + $(hits dropped))) -ge 2400000 ]
	[ "$(hits alloc)" -gt 1000000 ]
}

# same COMMAND... must print the same with and without the library.
same() {
	local bare
	bare=$("$@" 2>&1)
	[ "$bare" = "$(LD_PRELOAD=$LIBRARY CPROF_HEAP_RATE=$rate timeout 200 "$@" 2>&1)" ]
}

@test "preload: real programs do not notice" {
	local rate
	library
	for rate in 1 524288; do
		same python3 -c 'import json, threading
rows = [{str(i): [i * 1.5] * 5} for i in range(5000)]
out = [None] * 4
def work(n): out[n] = len(json.dumps(json.loads(json.dumps(rows))))
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(out)'
		same bash -c "xz -T2 -c '$BUILD/libcprof-heap.so' | md5sum"
		same bash -c "seq 200000 -1 1 | sort --parallel=2 | md5sum"
		same bash -c "gcc -O2 -S -o - -x c '$ROOT/preload/sampler.c' | md5sum"
	done
}

@test "preload: redis answers under it" {
	redis_server
	library
	start env LD_PRELOAD="$LIBRARY" CPROF_HEAP_RATE=1 ./redis-server --port 0 --save '' \
		--unixsocket "$BATS_TEST_TMPDIR/redis.sock" --dir "$BATS_TEST_TMPDIR"
	local cli="redis-cli -s $BATS_TEST_TMPDIR/redis.sock"
	answers() { [ "$($cli ping 2>&1)" = PONG ]; }
	soon answers
	grep -q libcprof-heap "/proc/$PID/maps"
	timeout 200 $cli eval "for i = 1, 20000 do redis.call('rpush', 'l' .. i % 100, string.rep('x', i % 700)) end
		return redis.call('dbsize')" 0 | grep -x 100
	timeout 200 $cli flushall sync | grep -q OK
	$cli ping | grep -q PONG
}
