#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cprof heap and cprof allocs on programs that know what they allocated.

load helper

setup_file() {
	export HEAP_CYCLES=${HEAP_CYCLES:-8}
}

# beside_me PROGRAM ARGS... is `target` with VARIABLES as its environment.
VARIABLES=()
beside_me() {
	[ -x "$TARGETS/$1" ] || skip "$1 was not built here"
	start_ready env "${VARIABLES[@]}" "$TARGETS/$@"
}

# attach VERB OPTIONS... runs cprof in the background from when its probes are there until detach.
attach() {
	local verb=$1
	shift
	profiler "$verb" -p "$PID" -d 0 "$@"
	grep -q 'expect .*slowdown' "$ERR"
}

# work lets the target do all its work.
work() {
	kill -USR1 "$PID"
	said done
}

# heap OPTIONS... writes the profile of the target's whole work to heap.pb.gz.
heap() {
	attach heap --force -o heap.pb.gz "$@"
	work
	detach
}

compare() { python3 "$BATS_TEST_DIRNAME/heap_truth.py" "$BATS_TEST_TMPDIR/target.out" "$@"; }

# exactly PROGRAM ARGS...: at rate 1 every site is right to the byte, and nothing is lost.
exactly() {
	need_root
	beside_me "$@"
	heap --rate 1
	compare heap.pb.gz
	nothing_lost
	# musl's start-up code has no unwind rows.
	[[ $1 == *musl* ]] || grep -qE '(100|99\.[5-9])[.0-9]*% of stacks whole' "$ERR"
}

nothing_lost() { grep -q 'lost 0;' "$ERR"; }

library() {
	LIBRARY=$(ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }')
	[ -n "$LIBRARY" ] || skip "no $1 here"
}

# under LIBRARY NAME PROGRAM ARGS... is exactly with the library preloaded, which must be
# recognized.
under() {
	library "$1"
	VARIABLES=(LD_PRELOAD="$LIBRARY")
	exactly "${@:3}"
	allocator "$2"
}

allocator() { grep -q "allocator: .*$1" "$ERR" || { echo "not recognised: $1"; return 1; }; }

decode() { python3 "$BATS_TEST_DIRNAME/pprof_decode.py" "$@"; }

# ---- every site to the byte

@test "heap exact: three leaks among half a million short-lived blocks" {
	exactly heap_leaks 64 500000
	allocator 'glibc 2'
	decode --check heap.pb.gz
}
# Each size is a separate key, and all of them occur between two reads by user space.
@test "heap exact: thousands of sizes at once" {
	need_root
	beside_me heap_leaks 16 50000
	heap --rate 1
	compare heap.pb.gz
	nothing_lost
}
@test "heap exact: glibc linked statically" { exactly heap_leaks-static 8 20000; }
@test "heap exact: glibc linked statically, position-independent" { exactly heap_leaks-static-pie 8 20000; }
@test "heap exact: musl" { exactly heap_leaks-musl 8 20000; allocator musl; }
@test "heap exact: musl linked statically" { exactly heap_leaks-musl-static 8 20000; }
@test "heap exact: jemalloc preloaded" { under libjemalloc.so.2 jemalloc heap_leaks 8 20000; }
@test "heap exact: jemalloc linked" { exactly heap_leaks-jemalloc 8 20000; allocator jemalloc; }
@test "heap exact: jemalloc linked statically" { exactly heap_leaks-jemalloc-static 8 20000; allocator jemalloc; }
@test "heap exact: tcmalloc preloaded" { under libtcmalloc.so.4 tcmalloc heap_leaks 8 20000; }
@test "heap exact: tcmalloc linked" { exactly heap_leaks-tcmalloc_minimal 8 20000; allocator tcmalloc; }
@test "heap exact: tcmalloc linked statically" { exactly heap_leaks-tcmalloc-static 8 20000; allocator tcmalloc; }
@test "heap exact: mimalloc preloaded" { under libmimalloc.so.2 mimalloc heap_leaks 8 20000; }
@test "heap exact: mimalloc linked" { exactly heap_leaks-mimalloc 8 20000; allocator mimalloc; }

@test "heap exact: every function of glibc" { exactly heap_realloc 500; }
@test "heap exact: every function of glibc, a perf event each" { CPROF_UPROBES=perf exactly heap_realloc 500; }
@test "heap exact: every function of glibc, uprobe_multi" { CPROF_UPROBES=multi exactly heap_realloc 500; }
@test "heap exact: every function of glibc, static" { exactly heap_realloc-static 100; }
@test "heap exact: every function of musl" { exactly heap_realloc-musl 100; }
@test "heap exact: every function of jemalloc" { under libjemalloc.so.2 jemalloc heap_realloc 100; }
@test "heap exact: every function of tcmalloc" { under libtcmalloc.so.4 tcmalloc heap_realloc 100; }
@test "heap exact: every function of mimalloc" { under libmimalloc.so.2 mimalloc heap_realloc 100; }

@test "heap exact: C++ operators" { exactly heap_cxx 1000; }
@test "heap exact: C++ operators, static" { exactly heap_cxx-static 200; }
@test "heap exact: C++ operators of jemalloc" { under libjemalloc.so.2 jemalloc heap_cxx 200; }
@test "heap exact: C++ operators of tcmalloc" { under libtcmalloc.so.4 tcmalloc heap_cxx 200; }
@test "heap exact: C++ operators of mimalloc" { under libmimalloc.so.2 mimalloc heap_cxx 200; }

# A return probe replaces the return address, and an exception cannot unwind through it.
@test "heap exact: C++ operators that throw" { exactly heap_cxx 100 throw; }
@test "heap exact: C++ operators of tcmalloc that throw" { under libtcmalloc.so.4 tcmalloc heap_cxx 100 throw; }
@test "heap exact: C++ operators of jemalloc that throw" { under libjemalloc.so.2 jemalloc heap_cxx 100 throw; }
@test "heap exact: C++ operators of tcmalloc, in memory that gets full" {
	under libtcmalloc.so.4 tcmalloc heap_cxx 100 full
}
@test "heap exact: C++ operators of jemalloc, in memory that gets full" {
	under libjemalloc.so.2 jemalloc heap_cxx 100 full
}

@test "heap exact: threads that free each other's blocks, and one that leaves its own" {
	exactly heap_threads 20000
}
@test "heap exact: the same under tcmalloc" { under libtcmalloc.so.4 tcmalloc heap_threads 5000; }
@test "heap exact: allocations in a signal handler" { exactly heap_signal 1000; }
@test "heap exact: allocations in a signal handler on its own stack" { exactly heap_signal 1000 alt; }
@test "heap exact: a child that was forked meanwhile, with its copies of all blocks" {
	exactly heap_fork 1000
	! grep -q 'allocated before' "$ERR"
}
@test "heap exact: a child whose number is another one's again, which held the same addresses" {
	need_root
	beside_me heap_reuse 1000
	heap --rate 1
	! grep -q ^skip target.out || skip 'no process gets the number again here'
	compare heap.pb.gz
	nothing_lost
}
@test "heap exact: a library with an allocator of its own, opened meanwhile" {
	exactly heap_dlopen "$TARGETS/libheap_own.so" 1000
}
@test "heap exact: through a library that was opened just before, whose stacks are whole" {
	exactly heap_first "$TARGETS/libheap_first.so" 200
}

# ---- estimates

# some_runs writes profiles at the default rate, 1.heap to 5.heap, with the truth and its
# deviations. The number of samples in all of them matters; there are several runs because each has
# a beginning.
some_runs() {
	local run
	VARIABLES=(HEAP_RATE=524288)
	for ((run = 1; run <= 5; run++)); do
		beside_me heap_leaks 2048 40000
		heap
		mv heap.pb.gz "$run.heap"
		target_end
	done
	compare --sd 3 --percent 2 --values inuse --sites leak_small,leak_medium,leak_large ./*.heap
}

# The limits are three deviations for the means of three sites and 3.4 for that of their sum. It
# fails once in a hundred times, so it may try again.
@test "heap estimate: the mean of several runs is within 3 standard errors and 2 %" {
	need_root
	some_runs || some_runs
}

# There are six sums. Each is outside of 4 deviations once in 16,000 times; with 3 it would be once
# in 60.
@test "heap estimate: one run is within the statistical error, also for short-lived blocks" {
	need_root
	VARIABLES=(HEAP_RATE=524288)
	beside_me heap_leaks 256 600000
	heap
	compare --sd 4 --sites leak_small,leak_medium,leak_large heap.pb.gz
	compare --sd 4 --values alloc --sites churn heap.pb.gz
	nothing_lost
}

@test "heap estimate: another rate" {
	need_root
	VARIABLES=(HEAP_RATE=16384)
	beside_me heap_leaks 64 100000
	heap --rate 16k
	compare --sd 4 --sites leak_small,leak_medium,leak_large heap.pb.gz
	compare --sd 4 --values alloc --sites churn heap.pb.gz
}

@test "heap estimate: what frees everything holds nothing" {
	need_root
	beside_me heap_pairs 2
	attach heap --force -o heap.pb.gz --rate 64k
	used 0.3
	detach
	# Each thread holds one block with the weight of a sample.
	decode --info heap.pb.gz >info
	holds "$(jq_total info 3) <= 2 * 66000"
	holds "$(jq_total info 1) > 1000000"
}

# jq_total FILE COLUMN
jq_total() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["total"][int(sys.argv[2])])' "$@"; }

# ---- beside the allocators' own profiles of the same run

# While a sampled allocation is under way its return address is the kernel's, so the allocator's own
# stacks end there. Therefore sums over all stacks are compared.

@test "heap agrees with jemalloc's own profile of the same run" {
	need_root
	library libjemalloc.so.2
	VARIABLES=(LD_PRELOAD="$LIBRARY" MALLOC_CONF="prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:own")
	beside_me heap_leaks 16 50000
	heap --rate 1
	compare heap.pb.gz
	target_end
	mv own.*.heap own.heap || skip 'this jemalloc cannot profile'
	local objects bytes
	# The line for everything is "  t*: objects: bytes [...]".
	read -r objects bytes < <(awk '$1 == "t*:" { print $2 + 0, $3 + 0; exit }' own.heap)
	beside_own "$objects" "$bytes" 20
}

@test "heap agrees with gperftools' own profile of the same run" {
	need_root
	library libtcmalloc.so.4
	VARIABLES=(LD_PRELOAD="$LIBRARY" HEAPPROFILE="$BATS_TEST_TMPDIR/own" HEAP_PROFILE_INUSE_INTERVAL=1000000000
		HEAP_PROFILE_ALLOCATION_INTERVAL=0)
	beside_me heap_leaks 16 50000
	heap --rate 1
	compare heap.pb.gz
	target_end
	mv "$(find . -name 'own.*.heap' | sort | tail -n 1)" own.heap
	local objects bytes
	# The line is "heap profile: objects: bytes [...] @ heapprofile".
	read -r objects bytes < <(awk 'NR == 1 { print $3 + 0, $4 + 0 }' own.heap)
	beside_own "$objects" "$bytes" 0.5
}

# beside_own OBJECTS BYTES PERCENT: there are as many live blocks, except for two or three allocated
# before cprof attached, and as many bytes. jemalloc counts its size classes, which are up to a
# fifth larger.
beside_own() {
	decode --info heap.pb.gz >info
	echo "cprof: $(jq_total info 2) blocks, $(jq_total info 3) bytes; the allocator: $1, $2"
	near "$(jq_total info 2)" "$1" 5
	near "$(jq_total info 3)" "$2" "$3 / 100 * $2"
}

# ---- files

@test "heap pprof: Go's four types in Go's order, period, and what is shown first" {
	need_root
	beside_me heap_leaks 16 20000
	heap
	decode --info heap.pb.gz >info
	python3 - <<-'EOF'
		import json
		i = json.load(open("info"))
		assert i["sample_types"] == ["alloc_objects/count", "alloc_space/bytes",
		                             "inuse_objects/count", "inuse_space/bytes"], i
		assert i["period_type"] == "space/bytes" and i["period"] == 524288, i
		assert i["default_sample_type"] in ("", "inuse_space"), i
		assert i["duration_nanos"] > 0, i
	EOF
}

@test "allocs pprof: the same types, alloc_space first" {
	need_root
	beside_me heap_leaks 16 20000
	attach allocs --force --rate 1 -o allocs.pb.gz
	work
	detach
	compare --values alloc allocs.pb.gz
	decode --info allocs.pb.gz >info
	grep -q '"default_sample_type": "alloc_space"' info
	grep -q '"period": 1,' info
	# The summary does not mention freed blocks.
	! grep -q ' [1-9][0-9]* frees' "$ERR"
}

@test "heap pprof: go tool pprof reads what the test's own reader reads" {
	need_root
	beside_me heap_leaks 16 20000
	heap --rate 1
	local type index want have
	for type in alloc_objects alloc_space inuse_objects inuse_space; do
		go tool pprof -unit=B -nodecount=0 -sample_index=$type -top heap.pb.gz >top 2>/dev/null
		grep -qx "Type: $type" top
		want=$(decode --top -t $type heap.pb.gz | awk '$3 == "leak_medium" { print $2 }')
		have=$(awk '$6 == "leak_medium" { sub(/B$/, "", $4); print $4 }' top)
		echo "$type: $have, $want"
		[ "$have" = "$want" ]
	done
	go tool pprof -sample_index=inuse_space -tagfocus=bytes=32kb: -top heap.pb.gz 2>/dev/null >top
	grep -q leak_large top
	! grep -qE 'leak_small|leak_medium' top
	# The label is the size of one block, so size times blocks is the sum of bytes.
	decode --json heap.pb.gz >all
	python3 - <<-'EOF'
		import json
		for s in json.load(open("all"))["samples"]:
		    assert set(s["labels"]) == {"bytes"}, s["labels"]
		    assert s["values"][0] * s["labels"]["bytes"] == s["values"][1], s
		    assert s["values"][2] * s["labels"]["bytes"] == s["values"][3], s
	EOF
}

@test "heap folded and text: the default value, and any other with --sample-type" {
	need_root
	beside_me heap_leaks 8 5000
	local type
	heap --rate 1
	for type in alloc_objects alloc_space inuse_objects inuse_space; do
		decode --folded -t $type heap.pb.gz | awk '$NF > 0' | grep 'leak_small [0-9]*$' >want.$type
		"$CPROF" convert -q heap.pb.gz -f folded -o have.folded --sample-type $type
		[ "$(grep 'leak_small [0-9]*$' have.folded | awk '{ print $NF }')" = "$(awk '{ print $NF }' want.$type)" ]
	done
	kill -KILL "$PID"
	for type in default alloc_objects; do
		beside_me heap_leaks 8 5000
		attach heap --force --rate 1 -f folded -o "$FOLDED" $([ $type = default ] || echo --sample-type $type)
		work
		detach
		kill -KILL "$PID"
		folded_form
		[ $type != default ] || type=inuse_space
		[ "$(grep 'leak_small [0-9]*$' "$FOLDED" | awk '{ print $NF }')" = "$(awk '{ print $NF }' want.$type)" ]
	done
	beside_me heap_leaks 8 5000
	attach heap --force --rate 1 -f text -o heap.txt --sample-type inuse_objects
	work
	detach
	grep -qx 'Type: inuse_objects' heap.txt
	grep -q leak_small heap.txt
	run --separate-stderr "$CPROF" heap -p "$PID" -d 100ms --force -f text -o - --sample-type nonsense
	[ "$status" -ne 0 ]
	[[ $stderr == *nonsense* && $stderr == *inuse_space* ]]
}

# ---- leaks

@test "heap --leaks: what is alive by stack, with age, growth, and a mark for what only ever grew" {
	need_root
	beside_me heap_grow
	attach heap --force --rate 1 --leaks -f text -o heap.txt
	work
	detach
	cat heap.txt
	# A line is "live blocks growth oldest youngest [mark]", and the stack follows, leaf first.
	awk '/^ +[0-9.]+(B|kB|MB) / { line = $0; getline; print $1, line }' heap.txt >leaks
	grep -qE '^grows +244.14kB +250 +[12][0-9]{2}\.[0-9]+kB +[0-9.]+s +[0-9.]+(s|ms) +only ever grew$' leaks
	# The ages are those of its first step and its last one.
	oldest=$(awk '$1 == "grows" { print $5 + 0 }' leaks)
	holds "$oldest > $(awk '$1 == "step" { if (!first) first = $2; last = $2 } END { print last - first }' target.out) - 0.2"
	holds "$oldest < $(date +%s.%N) - $(awk '$1 == "step" { print $2; exit }' target.out) + 0.2"
	grep -qE '^breathes +39.06kB +20 ' leaks
	grep -qE '^renews +4.88kB +1 ' leaks
	! grep -E '^(breathes|renews) .*only ever grew' leaks
	! grep -q '^bursts' leaks
}

# old_enough TIME counts the blocks of the growing site that are older than 1.5 s at that time.
old_enough() { awk -v time="$1" '$1 == "step" && time - $2 > 1.5 { n += 10 } END { print n + 0 }' target.out; }

@test "heap --older-than and --peak: young blocks are left out; what was alive at the highest point" {
	need_root
	beside_me heap_grow
	attach heap --force --rate 1 --peak --older-than 1500ms -o heap.pb.gz
	work
	local before after
	before=$(date +%s.%N)
	detach
	after=$(date +%s.%N)
	decode --info heap.pb.gz >info
	grep -q '"peak_space/bytes"' info
	decode --top -t inuse_objects heap.pb.gz >now
	decode --top -t peak_space heap.pb.gz >peak
	cat now peak
	! grep -qE '^[1-9][0-9]* [0-9]+ (breathes|renews|bursts)$' now
	# Of 250 blocks in 25 steps, those of the last second and a half before the end are too
	# young.
	have=$(awk '$3 == "grows" { print $1 }' now)
	holds "${have:-0} >= $(old_enough "$before") && ${have:-0} <= $(old_enough "$after")"
	grep -qx '5000000 5000000 bursts' peak
	holds "$(awk '$3 == "grows" { print $1 }' peak) >= 110000 && $(awk '$3 == "grows" { print $1 }' peak) <= 220000"
}

# ---- what is said

@test "heap says: frees of blocks allocated before are ignored, and it gives their share" {
	need_root
	beside_me heap_before 3000
	heap --rate 1
	compare --sites made_after heap.pb.gz
	compare --sites made_before heap.pb.gz
	cat "$ERR"
	# The summary says that 3000 of 3000 frees are of that kind.
	grep -qiE '100(\.0)?% of (the )?frees|3000 .*(before|unknown)' "$ERR"
}

@test "heap says: the table of live blocks is full" {
	need_root
	beside_me heap_leaks 8 2000
	heap --rate 1 --max-live 500
	cat "$ERR"
	grep -qE 'max-live|table of live blocks full' "$ERR"
	# What was allocated is still known.
	compare --values alloc heap.pb.gz
	decode --info heap.pb.gz >info
	[ "$(jq_total info 2)" -le 500 ]
	[ "$(jq_total info 2)" -gt 400 ]
}

@test "heap says: the overhead first; above the limit it refuses and leaves nothing" {
	need_root
	beside_me heap_pairs 1
	run --separate-stderr timeout 200 "$CPROF" heap -p "$PID" -d 1s -o heap.pb.gz
	[ "$status" -eq 1 ]
	echo "$stderr"
	[[ $stderr == *"expect "*"% slowdown"* ]]
	[[ $stderr == *"cprof: cannot "*"$PID"*"50%"*--max-slowdown*--force* ]]
	[ ! -e heap.pb.gz ]
	python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID"
	run --separate-stderr timeout 200 "$CPROF" heap -p "$PID" --rate 4k -d 200ms -o heap.pb.gz --force
	[ "$status" -eq 0 ]
	run --separate-stderr timeout 200 "$CPROF" heap -p "$PID" --rate 4k -d 200ms -o heap.pb.gz --max-slowdown 100000
	[ "$status" -eq 0 ]
	[[ $stderr == *slow* ]]
	python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID"
	kill -0 "$PID"
}

@test "heap says: nothing was allocated" {
	need_root
	start_asleep sleep 300
	run --separate-stderr timeout 200 "$CPROF" heap -p "$PID" -d 300ms -f folded -o -
	[ "$status" -eq 3 ]
	[ -z "$output" ]
	[[ $stderr == *'nothing was allocated'* ]]
}

@test "heap says: no allocator found, where it looked, and how to name one" {
	need_root
	cat >bare.s <<-'EOF'
		.globl _start
		_start: mov $35, %eax
		lea pause(%rip), %rdi
		xor %esi, %esi
		syscall
		jmp _start
		.data
		pause: .quad 300, 0
		.section .note.GNU-stack,"",@progbits
	EOF
	gcc -nostdlib -static -o bare bare.s
	start_asleep ./bare
	run --separate-stderr timeout 200 "$CPROF" heap -p "$PID" -d 300ms -o heap.pb.gz
	[ "$status" -eq 1 ]
	echo "$stderr"
	[[ $stderr == *"$PID"* && $stderr == */bare* && $stderr == *--alloc* ]]
	[ ! -e heap.pb.gz ]
}

@test "heap finds: an allocator that is named with --alloc" {
	need_root
	beside_me heap_named 2000
	heap --rate 1 --alloc malloc=pool_get,free=pool_put
	compare heap.pb.gz
}

@test "heap finds: the same after an exec from inside an allocation" {
	need_root
	beside_me heap_named 2000 exec
	heap --rate 1 --alloc malloc=pool_get,free=pool_put
	compare heap.pb.gz
}

# ---- functions that are left in another way than by a return

# A return probe replaces the return address. An exception cannot unwind through it, and a switch of
# stacks makes the kernel forget it.

# left HOW ARGS... runs the pool of heap_leave with --alloc; what returned is right to the byte, and
# the target survives.
left() {
	need_root
	beside_me heap_leave 3000 "$1"
	heap --rate 1 --alloc malloc=pool_get,free=pool_put "${@:2}"
	compare heap.pb.gz "${COMPARED[@]}"
	nothing_lost
	kill -0 "$PID"
}
COMPARED=()

@test "heap leaves: a pool that throws, and callers that catch at several depths" { left throw; }
@test "heap leaves: a pool in which threads end" { left exit; }
@test "heap leaves: a pool that longjmp leaves" { left jump; }
@test "heap leaves: a pool that waits on another stack, where it is called as well" {
	COMPARED=(--sites from_other_stack)
	left switch
}
@test "heap leaves: a pool that throws, a perf event each" { CPROF_UPROBES=perf left throw; }
@test "heap leaves: a pool that waits on another stack, uprobe_multi" {
	COMPARED=(--sites from_other_stack)
	CPROF_UPROBES=multi left switch
}

# tcmalloc's own limit is below the memory of the machine, so operator new fails although nothing
# else would.
@test "heap leaves: operator new of tcmalloc at its own limit, as it is caught" {
	library libtcmalloc_minimal.so.4
	VARIABLES=(LD_PRELOAD="$LIBRARY" TCMALLOC_HEAP_LIMIT_MB=64)
	exactly heap_cxx 50 limit
}

# above PROGRAM HOW...: malloc runs on a stack below another one, on which it is called meanwhile.
above() {
	local program=$1
	shift
	need_root
	[ -x "$TARGETS/$program" ] || skip "$program was not built here"
	# It is a separate program, because the return probes of another test's recording would
	# reach this process as well.
	cp "$TARGETS/$program" "$BATS_TEST_TMPDIR/heap_above"
	start_ready "$BATS_TEST_TMPDIR/heap_above" "$@"
	heap --rate 1
	kill -0 "$PID"
	compare heap.pb.gz --inner --sites outside_handler
}

@test "heap leaves: malloc for a signal handler whose stack lies above" {
	above heap_above-known 20000
	! grep -q '^interrupted 0' "$BATS_TEST_TMPDIR/target.out"
}
@test "heap leaves: malloc that goes to a stack above, where it is called again" {
	above heap_above-known 3000 switch
	grep -q '1000 allocations were left out' "$ERR"
}

@test "heap leaves: malloc for a signal handler whose stack lies above, uprobe_multi" {
	CPROF_UPROBES=multi above heap_above 5000
}

# Nothing is known about a program's own allocator, even if its functions have the names of C's.
@test "heap leaves: a malloc of the program's own for a signal handler whose stack lies above" {
	above heap_above 20000
}
@test "heap leaves: a malloc of the program's own that throws" { exactly heap_throws 3000; }
@test "heap leaves: a malloc of the program's own that throws, around a known allocator" {
	exactly heap_throws-wrapper 3000
}

@test "heap leaves: functions that keep something below the stack pointer, behind a nop" {
	need_root
	beside_me heap_red_zone 3000
	heap --rate 1 --alloc malloc=red_get,free=red_put
	compare heap.pb.gz
}

# A return probe ends in a system call, which must not reach the target's own handler.
@test "heap leaves: a thread whose system calls go to a handler of its own" {
	need_root
	# The program is a copy of its own, as above.
	cp "$TARGETS/heap_intercepted" "$BATS_TEST_TMPDIR/heap_intercepted"
	start_ready "$BATS_TEST_TMPDIR/heap_intercepted" 1000
	heap --rate 1
	kill -0 "$PID"
	grep -q '^came 0' "$BATS_TEST_TMPDIR/target.out"
	compare heap.pb.gz --values alloc
	grep -q '1000 sampled allocations were not followed .* system calls are intercepted' "$ERR"
}

@test "heap leaves: a function whose returns are hidden is counted, not followed, and cprof says so" {
	need_root
	beside_me heap_hidden 1000
	heap --rate 1 --alloc malloc=hidden_get,free=hidden_put
	compare heap.pb.gz --values alloc
	grep -q 'hidden_get of .* counted, but not followed' "$ERR"
	grep -q '1000 sampled allocations were not followed' "$ERR"
}

@test "heap finds: with --lib that file's allocator only" {
	need_root
	library libjemalloc.so.2
	VARIABLES=(LD_PRELOAD="$LIBRARY")
	beside_me heap_leaks 8 2000
	heap --rate 1 --lib "${LIBRARY##*/}"
	compare heap.pb.gz
	allocator jemalloc
	! grep -q 'allocator: .*glibc' "$ERR"
}

# ---- processes

@test "heap: two processes at once" {
	need_root
	beside_me heap_before 0
	local first=$PID
	beside_me heap_before 4000
	profiler heap --force --rate 1 -d 0 -p "$first,$PID" -o heap.pb.gz
	work
	detach
	compare --sites made_after heap.pb.gz
	decode --labels heap.pb.gz | grep -q "^pid $PID"
}

# watched: records one more heap_watched, WATCHED_PID[i], into i.heap, until SIGINT.
watched() {
	local i=${#WATCHED_PID[@]}
	beside_me heap_watched 20000
	mv target.out "$i.out"
	profiler heap --force -d 0 -p "$PID" -o "$i.heap" "$@"
	WATCHED_PID+=("$PID") WATCHED_BY+=("$PROFILER")
	cp "$ERR" "$i.err"
}

# replaced I: prints in how many of its calls the return address was another one.
replaced() { awk '/^calls 20000 replaced/ { print $4 }' "$1.out"; }

@test "heap: two recordings of two processes with one allocator, whose calls have no return probe for it" {
	need_root
	"$CPROF" doctor | grep -q 'session: yes' || skip 'without uprobe sessions each call has a return probe'
	WATCHED_PID=() WATCHED_BY=()
	watched
	watched
	for i in 0 1; do
		kill -USR1 "${WATCHED_PID[i]}"
		said done "$i.out" "${WATCHED_PID[i]}"
		echo "$i: $(replaced $i) of 20000"
	done
	# Some four of 2 MB are sampled, at the default rate.
	[ "$(replaced 0)" -lt 60 ]
	[ "$(replaced 1)" -eq 0 ]
}
@test "heap exact: two recordings of two processes with one allocator, and when the first one has ended" {
	need_root
	WATCHED_PID=() WATCHED_BY=()
	watched --rate 1
	watched --rate 1
	kill -USR1 "${WATCHED_PID[0]}"
	said done 0.out "${WATCHED_PID[0]}"
	kill -INT "${WATCHED_BY[0]}"
	wait "${WATCHED_BY[0]}"
	kill -USR1 "${WATCHED_PID[1]}"
	said done 1.out "${WATCHED_PID[1]}"
	kill -INT "${WATCHED_BY[1]}"
	wait "${WATCHED_BY[1]}"
	for i in 0 1; do
		python3 "$BATS_TEST_DIRNAME/heap_truth.py" "$i.out" "$i.heap"
	done
}

@test "heap: the target's exit ends it, with all that it held" {
	need_root
	beside_me heap_before 3000 exit
	attach heap --force --rate 1 -o heap.pb.gz
	kill -USR1 "$PID"
	local began=$SECONDS
	wait "$PROFILER"
	[ $((SECONDS - began)) -lt 60 ]
	compare --sites made_after heap.pb.gz
}

@test "heap: exec clears what was held, and the new program is followed" {
	need_root
	beside_me heap_before 3000 exec
	heap --rate 1
	# There are 300 blocks before it and 300 after it.
	decode --top -t alloc_objects heap.pb.gz | grep -qx '600 600 made_after'
	decode --top -t inuse_objects heap.pb.gz | grep -qx '300 300 made_after'
}

# allocations prints how many cprof has seen.
allocations() { sed -n 's/^cprof: \([0-9]*\) allocations, .*/\1/p' "$ERR"; }

# Each of these programs has some ten places in a file of its own.
@test "heap exact: more programs than there are places for probes, one after the other" {
	need_root
	target heap_programs 40 3 60000 "$PWD"
	CPROF_TABLES=64 profiler heap --force --rate 1 -d 0 -p "$PID" -o heap.pb.gz
	work
	detach
	# Some stacks may come before their table is loaded, so they end at the allocator.
	[ "$(allocations)" -ge 400 ]
	run ! grep 'places for probes' "$ERR"
	decode --top -t alloc_objects heap.pb.gz >top
	grep -q 'made_by_program$' top
	run ! grep 'malloc$' top
}

# It may take seconds on a busy machine until cprof has looked at enough of them.
@test "heap says: more programs at once than there are places for probes" {
	local said='[0-9]+ files with allocators were probed late, or not at all: all 64 places for probes were in use' ms
	need_root
	for ms in 2000 10000 40000; do
		target heap_programs 20 20 "$ms" "$PWD"
		CPROF_TABLES=64 profiler heap --force --rate 1 -d 0 -p "$PID" -o heap.pb.gz
		work
		detach
		if grep -Eq "$said" "$ERR"; then break; fi
	done
	grep -Eq "$said" "$ERR"
	# Two programs fit at least, also where other recordings make this one take more places.
	[ "$(allocations)" -ge 10 ]
	[ "$(allocations)" -lt 200 ]
}

@test "heap -- COMMAND: from its first instruction to its exit" {
	need_root
	[ -e "${CPROF%/*}/libcprof-heap.so" ] || skip 'no preloaded sampler'
	HEAP_GO=1 timeout 200 "$CPROF" heap --rate 1 -o heap.pb.gz -- "$TARGETS/heap_leaks" 16 50000 \
		>target.out 2>"$ERR"
	compare heap.pb.gz
	HEAP_GO=1 HEAP_RATE=524288 timeout 200 "$CPROF" heap -o heap.pb.gz -- "$TARGETS/heap_leaks" 256 200000 \
		>target.out 2>"$ERR"
	compare --sd 4 --sites leak_small,leak_medium,leak_large heap.pb.gz
}

@test "heap -- COMMAND: what another program with the same sampler frees is not counted" {
	need_root
	local sampler="${CPROF%/*}/libcprof-heap.so"
	[ -e "$sampler" ] || skip 'no preloaded sampler'
	VARIABLES=(LD_PRELOAD="$sampler" CPROF_HEAP_RATE=1)
	beside_me heap_pairs 1
	HEAP_GO=1 timeout 200 "$CPROF" heap --rate 1 -o heap.pb.gz -- "$TARGETS/heap_leaks" 16 50000 \
		>leaks.out 2>"$ERR"
	python3 "$BATS_TEST_DIRNAME/heap_truth.py" leaks.out heap.pb.gz
	grep -q 'frees' "$ERR"
	run ! grep 'blocks allocated before' "$ERR"
}

@test "heap -- COMMAND: an allocator in the program itself, which no library can stand in front of" {
	need_root
	local name
	for name in heap_leaks-static heap_leaks-musl-static heap_leaks-jemalloc-static heap_leaks-tcmalloc-static; do
		[ -x "$TARGETS/$name" ] || continue
		HEAP_GO=1 timeout 200 "$CPROF" heap --rate 1 -o heap.pb.gz -- "$TARGETS/$name" 8 20000 >target.out 2>"$ERR"
		compare heap.pb.gz
		allocator "$name"
	done
}

@test "heap -- COMMAND: probes in place of the sampler, in the libraries that it is linked with" {
	need_root
	local name
	for name in heap_leaks heap_leaks-musl heap_leaks-jemalloc heap_leaks-mimalloc; do
		[ -x "$TARGETS/$name" ] || continue
		HEAP_GO=1 timeout 200 "$CPROF" heap --no-preload --rate 1 -o heap.pb.gz -- "$TARGETS/$name" 8 20000 \
			>target.out 2>"$ERR"
		compare heap.pb.gz
	done
	HEAP_GO=1 LD_BIND_NOW=1 timeout 200 "$CPROF" heap --no-preload --rate 1 -o heap.pb.gz -- \
		"$TARGETS/heap_cxx" 500 throw >target.out 2>"$ERR"
	compare heap.pb.gz
}

# AddressSanitizer ends a program in which another library comes first, unless it is told not to
# check.
@test "heap -- COMMAND: AddressSanitizer, in the command and in what it starts" {
	need_root
	[ -x "$TARGETS/heap_leaks-asan" ] || skip "heap_leaks-asan was not built here"
	export ASAN_OPTIONS=detect_leaks=0 HEAP_GO=1
	timeout 200 "$CPROF" heap --rate 1 -o heap.pb.gz -- "$TARGETS/heap_leaks-asan" 8 2000 >target.out 2>"$ERR"
	compare heap.pb.gz
	allocator sanitizer
	timeout 200 "$CPROF" heap --rate 1 -o heap.pb.gz -- sh -c '"$0" 8 2000 >target.out' \
		"$TARGETS/heap_leaks-asan" 2>"$ERR"
	compare heap.pb.gz
}

@test "heap -p: a program that preloaded the sampler by hand" {
	need_root
	VARIABLES=(LD_PRELOAD="${CPROF%/*}/libcprof-heap.so" CPROF_HEAP_RATE=1)
	[ -e "${CPROF%/*}/libcprof-heap.so" ] || skip 'no preloaded sampler'
	beside_me heap_leaks 16 50000
	heap
	compare heap.pb.gz
	target_end
	beside_me heap_fork 1000
	heap
	compare heap.pb.gz
}

# ---- bad luck

@test "heap bad luck: fork with more live blocks than it can wait for" {
	need_root
	beside_me heap_fork 70000
	heap --rate 1
	grep -q '^cprof: 1 child process(es) began without' "$ERR"
}

@test "heap bad luck: after SIGKILL of cprof the target continues and nothing stays in it" {
	need_root
	beside_me heap_pairs 2
	python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID"
	attach heap --force -o heap.pb.gz
	# There are breakpoints now.
	run -1 python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID"
	kill -KILL "$PROFILER"
	wait "$PROFILER" || true
	soon python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID"
	[ ! -e heap.pb.gz ]
	nothing_left
	# The speed is the old one again; a pair under probes takes a hundred times as long.
	kill -USR1 "$PID"
	used 0.3
	target_end
	holds "$(truth ns_per_pair) > 0 && $(truth ns_per_pair) < 100"
}

# `make check-cycles` does a thousand of them.
@test "heap bad luck: attach and detach, over and over, under four threads of malloc, forks and dlopen" {
	need_root
	beside_me heap_storm "$TARGETS/libheap_own.so" 3600
	local cycle status
	for ((cycle = 1; cycle <= HEAP_CYCLES; cycle++)); do
		status=0
		case $((cycle % 4)) in
		0) timeout -s KILL 0.15 "$CPROF" heap --force -q -p "$PID" -d 10s -o storm.pb.gz 2>"$ERR" || status=$? ;;
		1) timeout 200 "$CPROF" heap --force -q -p "$PID" -d 20ms -o storm.pb.gz 2>"$ERR" || status=$? ;;
		2) timeout 200 "$CPROF" allocs --force -q -p "$PID" -d 20ms -o storm.pb.gz 2>"$ERR" || status=$? ;;
		3) timeout 200 "$CPROF" heap --force -q --rate 4k -p "$PID" -d 10ms -o storm.pb.gz 2>"$ERR" || status=$? ;;
		esac
		# Status 3 means that nothing was sampled in so short a time.
		[ $status -eq 0 ] || [ $status -eq 3 ] || [ $((cycle % 4)) = 0 ] || { echo "cycle $cycle: status $status"; return 1; }
		kill -0 "$PID" || { echo "cycle $cycle: the target is gone"; cat target.err; return 1; }
	done
	soon python3 "$BATS_TEST_DIRNAME/code_bytes.py" "$PID"
	target_end
	[ ! -s target.err ]
	holds "$(truth pairs) > 1000 && $(truth children) > 10 && $(truth libraries) > 10"
	# On a busy machine a thread may wait a second for its turn; one that waits for a lock of
	# ours waits forever.
	holds "$(truth longest_stall_ms) < 10000"
}
@test "heap: a sampler that another user could have put next to cprof is not preloaded" {
	need_root
	[ -e "${CPROF%/*}/libcprof-heap.so" ] || skip 'no preloaded sampler'
	chmod 755 .
	mkdir -m 1777 shared
	cp "$CPROF" "${CPROF%/*}/libcprof-heap.so" shared
	# preloaded: whether a command gets the library.
	preloaded() { shared/cprof heap --force -o heap.pb.gz -- env 2>"$ERR" | grep -q '^LD_PRELOAD='; }
	preloaded
	chown 4711 shared/libcprof-heap.so
	run ! preloaded
	grep -q 'libcprof-heap.so is not used, because another user could have put it there' "$ERR"
	chown 0 shared/libcprof-heap.so
	chmod 777 shared
	run ! preloaded
	chmod 755 shared
	mv shared/libcprof-heap.so elsewhere.so
	run ! preloaded
	grep -q 'libcprof-heap.so is neither beside cprof.*copy it beside cprof, or run make install' "$ERR"
	ln -s "$PWD/elsewhere.so" shared/libcprof-heap.so
	preloaded
	chown -h 4711 shared/libcprof-heap.so
	run ! preloaded
}
