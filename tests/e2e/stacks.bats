#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Stacks and shares of programs with known answers.

load helper

RATE=1999

# shares VARIANT ARGS... checks three functions 30 calls deep against the program's own clock.
shares() {
	target "$@"
	record_cpu 1.5 -F $RATE
	target_end
	the_three_shares
	whole
	at_least 99.5 "main;run;$(levels)work_" 'level_01;level_02'
}

the_three_shares() {
	local function
	for function in work_a work_b work_c; do
		near "$(percent "$(levels)$function( |;)")" "$(truth $function)" "$(chance "$(truth $function)")"
	done
}

@test "shares: no frame pointers" { shares shares; }
@test "shares: frame pointers" { shares shares-fp; }
@test "shares: static" { shares shares-static; }
@test "shares: static-pie" { shares shares-static-pie; }
@test "shares: not position-independent" { shares shares-nopie; }
@test "shares: clang" { shares shares-clang; }
@test "shares: musl" { shares shares-musl; }
@test "shares: musl, static, four threads" {
	target shares-musl-static 4
	record_cpu 2 -F $RATE
	at_least 99.5 "(libc_start_main_stage2;main|start);run;$(levels)work_" 'level_01;level_02'
	whole
}
@test "shares: only .debug_frame" { shares shares-debug-frame; }

@test "shares: four threads" {
	target shares 4
	record_cpu 3 -F $RATE
	target_end
	the_three_shares
	whole
}

@test "shares: as many samples as the rate and the CPU time say" {
	local stolen
	stolen=$(stolen)
	profiler cpu -F 1999 -f folded -o "$FOLDED" -- "$TARGETS/shares"
	soon child_of "$PROFILER"
	PID=$(child_of "$PROFILER")
	soon executes shares "$PID"
	used 1
	kill -TERM "$PID"
	wait "$PROFILER"
	# Each period on a CPU begins and ends between two ticks, so it may have a tick more or
	# less. At worst every tick is such a period.
	local want
	want=$(awk '$1 == "cpu_seconds" { print $2 * 1999 }' profiler.out)
	near "$(samples)" "$want" "2 * sqrt($want) + 1999 * ($(stolen) - $stolen)"
}

@test "shares: stripped code is one node a function, named by module and start" {
	target shares-stripped
	record_cpu 1.5 -F $RATE
	target_end
	whole
	# There are three leaves, with the shares of the three functions.
	mapfile -t leaves < <(awk '{ sub(/ [0-9]+$/, "") } { n = split($0, f, ";"); print f[n] }' "$FOLDED" |
		grep -oE '^(\[)?shares-stripped\]?\+0x[0-9a-f]+$' | sort -u)
	[ "${#leaves[@]}" -ge 3 ]
	local parts
	parts=$(for leaf in "${leaves[@]}"; do
		percent ";${leaf//[+]/[+]} [0-9]+\$"
	done | sort -rn | head -n 3 | tr '\n' ' ')
	read -r a b c <<<"$parts"
	near "$a" "$(truth work_a)" "$(chance 50)"
	near "$b" "$(truth work_b)" "$(chance 30)"
	near "$c" "$(truth work_c)" "$(chance 20)"
	at_least 99 "$(times 32 '[^;]*shares-stripped[^;]*;')"
}

inlined='deep::hot[^;]*;[^;]*first[^;]*;[^;]*second[^;]*;[^;]*third[^;]*;[^;]*innermost'

@test "inline: every inlined function is a frame, in order" {
	target inline
	record_cpu 1.5 -F 999
	at_least 98 "main;$inlined" 'deep::hot'
	holds "$(percent 'deep::hot') > 10"
	# The C++ runtime rewrites its own frames on the way to a landing pad, where unwinding is
	# impossible.
	whole 98.5
}
@test "inline: clang" {
	target inline-clang
	record_cpu 1 -F 999
	at_least 98 "main;$inlined" 'deep::hot'
}
@test "inline: DWARF 4" {
	target inline-dwarf4
	record_cpu 1 -F 999
	at_least 98 "main;$inlined" 'deep::hot'
}
@test "inline: compressed debug sections" {
	target inline-zdebug
	record_cpu 1 -F 999
	at_least 98 "main;$inlined" 'deep::hot'
}
@test "inline: debug file by debuglink" {
	target inline-debuglink
	record_cpu 1 -F 999
	at_least 98 "main;$inlined" 'deep::hot'
}
@test "inline: none with --no-inlines" {
	target inline
	record_cpu 1 -F 999 --no-inlines --user # an interrupt would add the kernel's frames
	at_least 98 'main;deep::hot[^;]* [0-9]+$' 'deep::hot'
}

@test "exceptions: the thrower's callers are there while the unwinder works" {
	target inline
	record_cpu 1.5 -F 999
	at_least 97 'main;(.*;)?thrown::catcher' '_Unwind_|__cxa_throw'
	at_least 90 "thrown::catcher[^;]*;$(times 9 'thrown::bottom[^;]*;')__cxa_throw" '__cxa_throw;'
}

@test "signal: through the handler's frame to the function that was interrupted" {
	target signal
	record_cpu 1.5 -F 999
	at_least 99 'main;worker;.*on_signal;in_handler' 'in_handler'
	whole
}
@test "signal: on a stack of its own" {
	target signal alt
	record_cpu 1.5 -F 999
	at_least 99 'main;worker;.*on_signal;in_handler' 'in_handler'
	whole
}
@test "signal: at any instruction" {
	target signal timer
	record_cpu 1.5 -F 999
	at_least 99 'main;.*on_signal;in_handler' 'in_handler'
	whole
}

@test "generated code: a trampoline without a frame pointer" {
	target trampoline
	record_cpu 0.7 -F 999 --user
	target_end
	at_least 97 'main;enter;[^;]*;work_below'
	whole 97
}
# moved PROGRAM WHAT HOW: its stacks are those of code that is still in its file.
moved() {
	target "$@"
	record_cpu 0.5 -F 999 --user
	target_end
	at_least 99 'main;moved_outer;moved_middle;moved_leaf' 'moved_'
	holds "$(percent 'moved_leaf') > 90"
	holds "$(count '\\[jit\\]') == 0"
	whole
}
@test "moved text: to anonymous memory" { moved moved all anonymous; }
@test "moved text: a part of it" { moved moved part anonymous; }
@test "moved text: to a file without a name" { moved moved all memfd; }
@test "moved text: of a library" { moved moved library anonymous; }
@test "moved text: of a library, to a file without a name" { moved moved library memfd; }
@test "moved text: not position-independent" { moved moved-nopie all anonymous; }
@test "moved text: of a static program, a part of it" { moved moved-static part anonymous; }
@test "moved text: while it is recorded" {
	target moved all late
	record_cpu 2 -F 999 --user
	target_end
	at_least 99 'main;moved_outer;moved_middle;moved_leaf' 'moved_'
	holds "$(percent 'moved_leaf') > 90"
	whole
}
@test "moved text: without BPF" {
	target moved library anonymous
	record_cpu 0.5 --mode perf -F 499 --user
	target_end
	at_least 95 'main;moved_outer;moved_middle;moved_leaf' 'moved_'
	holds "$(percent 'moved_leaf') > 90"
}
@test "moved text: it cannot have probes, which is said" {
	target moved-static all anonymous
	run --separate-stderr "$CPROF" heap -p "$PID" -d 0.1 -o heap.pb.gz
	# shellcheck disable=SC2154 # set by run
	grep -q "PID $PID has moved functions of .*moved-static away from the file" <<<"$stderr"
}
@test "moved text: generated code in its place is not taken for it" {
	target moved hole
	record_cpu 0.5 -F 999 --user
	target_end
	at_least 99 'main;run_code;\\[jit\\]' 'run_code;'
	holds "$(percent 'run_code;') > 50"
	holds "$(count 'unused_page') == 0"
	whole
}
@test "generated code: in the frame of an interpreter, which it extends" {
	local bytes
	for bytes in 16 256; do
		target interpreter "$bytes"
		record_cpu 0.4 -F 999 --user
		target_end
		whole
		at_least 99 'main;enter;\\[jit\\]' '\\[jit\\]'
		holds "$(percent '\\[jit\\]') > 90"
	done
	target interpreter 16
	record_cpu 0.4 -F 499 --user --mode perf
	whole 98
}
@test "other stack: above or below, also where its frame is marked as a signal's" {
	[ -x "$TARGETS/stack_switch" ] || skip 'stack_switch was not built here'
	local where how
	for where in above below; do
		for how in plain signal; do
			target stack_switch "$where" "$how"
			record_cpu 0.7 -F 999 --user
			target_end
			at_least 97 'worker;request;run_[a-z]*;on_other_stack;work_there'
			whole 97
		done
	done
}
@test "dlopen: libraries that come and go while recording" {
	target dlopen "$TARGETS" 0.3
	record_cpu 3.5 -F 999
	holds "$(percent 'library_one') > 25"
	holds "$(percent 'library_two') > 25"
	at_least 98 'main;use_library;library_(one|two);burn' 'burn'
	# Neither is named by the other's table although both are at the same address.
	holds "$(percent '_start;.*main;use_library;' 'library_') > 98"
	whole 98
}

@test "storm: forked children that live 10 ms" {
	target storm fork
	record_cpu 2 -F 999
	holds "$(percent 'child_main;child_work') > 60"
	at_least 99 'main;.*child_main;child_work' 'child_work'
	whole 99
}
@test "storm: children that exec" {
	target storm exec
	record_cpu 2 -F 999
	at_least 97 'main;.*child_main;child_work' 'child_work'
	holds "$(percent 'child_main;child_work') > 50"
}
@test "storm: static children by posix_spawn" {
	target storm-static vfork
	record_cpu 2 -F 999
	at_least 97 'main;.*child_main;child_work' 'child_work'
	holds "$(percent 'child_main;child_work') > 50"
}
@test "storm: without children only the parent" {
	target storm fork
	run "$CPROF" cpu -p "$PID" --no-children -d 1s -F 999 -f folded -o -
	[[ $output != *child_work* ]]
}

@test "deep: 600 calls are all there" {
	target deep 600
	record_cpu 1 -F 99
	at_least 99 "main;$(times 600 'descend;')bottom"
	whole
}
@test "deep: 5000 calls keep the leaf's side and say that they are cut" {
	target deep 5000
	record_cpu 1 -F 99
	at_least 99 "$(times 512 'descend;')bottom"
	grep -qE 'cut' "$ERR"
}

@test "threads: each by its name, including those started later" {
	target threads
	record_pprof 3 -F 999 --label thread
	# The scheduler decides how much each gets, but each must get some of 3000.
	for i in 1 2 3 4 brief; do
		holds "$(count "work_$i") > 30"
	done
	at_least 99.5 'start_thread;|clone' 'work_[1-4b]'
	whole
	for i in 1 2 3 4; do
		near "$(label_count thread "worker-$i")" "$(count "work_$i")" 10
	done
}

@test "frames: realigned, large and variable ones" {
	target frames
	record_cpu 1.5 -F 999
	at_least 99 'main;realigned;realigned_with_alloca;variable_frame;large_frame;bottom' ';bottom'
	whole
}
@test "frames: clang's" {
	target frames-clang
	record_cpu 1.5 -F 999
	at_least 99 'main;realigned;realigned_with_alloca;variable_frame;large_frame;bottom' ';bottom'
	whole
}

# no_cfi PROGRAM: the same through functions in assembly that have no call frame information.
no_cfi() {
	target "$1"
	record_cpu 1.5 -F 999
	whole
}
@test "code: frames of assembly without call frame information" {
	no_cfi no_cfi
	at_least 99.5 \
		'main;no_cfi_pushes;no_cfi_aligned;no_cfi_pointer;no_cfi_table;no_cfi_bottom' ';no_cfi'
}
@test "code: frames of assembly without call frame information or symbols" { no_cfi no_cfi-stripped; }
@test "code: a stack pointer that is only in a register which called functions leave alone" {
	no_cfi kept_register
	at_least 99 'main;kept_outer;kept_middle;kept_leaf' ';kept_leaf'
}
# Wrong call frame information leads to a word that is 0, which is not where the stack begins.
zero_in_the_middle() { # MODE [OPTION...]
	target zero_return "$1"
	record_cpu 1.5 -F 999 "${@:2}"
	at_least 95 '^.stack cut: return address of 0 in the middle of a stack.;zero_wrong;zero_bottom' \
		';zero_bottom'
}
@test "zero: in the middle of the first thread's stack" { zero_in_the_middle main; }
@test "zero: in the middle of the first thread's stack, without BPF" { zero_in_the_middle main --mode perf; }
@test "zero: in the middle of a thread's stack" { zero_in_the_middle thread; }
@test "zero: at the bottom of a stack that the program has made" {
	target zero_return own
	record_cpu 1.5 -F 999
	at_least 95 '(^|;)zero_coroutine;zero_bottom' ';zero_bottom'
	whole
}
# A function is followed when a stack first leads there, and that stack is walked on as well.
@test "code: only what is met of a large library of assembly is followed" {
	target many_asm
	record_cpu 2 -F 999 -vv
	whole 99
	local followed
	followed=$(sed -n 's/.*many_asm: followed \([0-9]*\) instructions.*/\1/p' "$ERR" | tail -n 1)
	# There are 800,000, and the 250 functions have 1,500. Each is followed with at most 16.
	holds "$followed >= 200 && $followed <= 50000" || return 1
	holds "$(sed -n 's/^cprof: samples walked on in user space: //p' "$ERR") >= 20"
}
@test "code: inside of musl" { no_cfi inner-musl; }
@test "code: inside of musl, static" { no_cfi inner-musl-static; }
@test "code: inside of musl, static and stripped" { no_cfi inner-musl-stripped; }
@test "code: inside of musl, without any call frame information" { no_cfi inner-musl-without; }

@test "plt: samples on the stub have its caller" {
	target plt
	record_cpu 1.5 -F $RATE
	at_least 99.5 'main;caller' '.'
	holds "$(count 'caller;tiny@plt ') > 50" # of 3000; the processor decides how long a jump takes
	whole
}
@test "vdso: time spent there has its callers" {
	target vdso
	record_cpu 1.5 -F 999
	holds "$(percent 'main;read_clock;.*clock_gettime') > 50"
	at_least 99.5 'main;read_clock'
	whole
}
@test "hidden: return addresses that the return probes of two recordings replaced" {
	local i pids=()
	target hidden
	for i in 1 2; do
		"$CPROF" heap -v -p "$PID" --rate 1 --force -d 0 -o "heap$i.pb.gz" 2>"heap$i.err" 3>&- &
		pids+=($!)
	done
	STARTED+=("${pids[@]}")
	said 'cprof: recording' heap1.err "${pids[0]}"
	said 'cprof: recording' heap2.err "${pids[1]}"
	record_cpu 1.5 -F 4999
	holds "$(percent 'realloc') > 20"
	at_least 99 'main;grow;.*realloc' 'realloc'
	whole 99
	# The trampoline of return probes is not in a file, and every path through it leaves it.
	holds "$(count '\\[jit\\]') == 0"
}
@test "kernel: its frames above the whole user stack" {
	target syscall
	record_cpu 1.5 -F 999
	at_least 95 '_start;.*main;read_zeros;.*;.*(read_zero|clear_user|rep_stos)' 'read_zeros'
	whole
}
@test "kernel: --user leaves it out, --kernel leaves the user out" {
	target syscall
	record_cpu 1 -F 999 --user
	holds "$(percent 'vfs_read|ksys_read') == 0"
	holds "$(percent 'read_zeros') > 95"
	record_cpu 1 -F 999 --kernel
	holds "$(percent 'main;') == 0"
	holds "$(percent 'vfs_read|ksys_read|read_zero') > 50"
}

@test "jit: names of the perf map, through to the caller by frame pointers" {
	target jit
	record_cpu 1.5 -F 999
	at_least 98 'main;run_jit;jit_outer;jit_inner with spaces' 'jit_inner'
	at_least 98 'main;run_jit;jit_outer;jit_inner with spaces;called_back' 'called_back'
	holds "$(percent 'called_back') > 20"
	target_end
}

@test "jit: code in a file without a name that is mapped at several places" {
	target jit memfd
	record_cpu 1.5 -F 999
	at_least 98 'main;run_jit;jit_outer;jit_inner with spaces' 'jit_inner'
	at_least 98 'main;run_jit;jit_outer;jit_inner with spaces;called_back' 'called_back'
	holds "$(percent 'called_back') > 20"
	holds "$(percent 'doublemapper') == 0"
	record_cpu 0.5 -F 499 --mode perf
	at_least 95 'main;run_jit;jit_outer;jit_inner with spaces' 'jit_inner'
	target_end
}

@test "jit: names and lines of a jitdump file" {
	target jit dump
	record_cpu 1.5 -F 999
	at_least 98 'main;run_jit;jit_outer;jit_inner with spaces' 'jit_inner'
	holds "$(percent 'called_back') > 20"
	"$CPROF" cpu -p "$PID" -d 0.5 -F 999 -q -o lines.pb.gz
	"$CPROF" report lines.pb.gz -g line --top 0 >lines
	grep -q 'inner.jit:6' lines
	target_end
}

@test "jit: what would give names to code without them" {
	target jit
	rm -f "/tmp/perf-$PID.map"
	record_cpu 0.5 -F 499
	grep -E "generated code of jit \(PID $PID, [0-9]+% of samples\) has no names: a perf map \(/tmp/perf-$PID.map\)" "$ERR"
	target_end
}

@test "jit: a perf map that is a FIFO or a link is left alone" {
	target jit
	rm -f "/tmp/perf-$PID.map"
	mkfifo "/tmp/perf-$PID.map"
	record_cpu 0.3 -F 499
	holds "$(percent 'jit_outer') == 0"
	rm -f "/tmp/perf-$PID.map"
	echo '0 ffffffffffff taken_in' >elsewhere
	ln -s "$PWD/elsewhere" "/tmp/perf-$PID.map"
	record_cpu 0.3 -F 499
	rm -f "/tmp/perf-$PID.map"
	holds "$(percent 'taken_in') == 0"
}

# Stacks may end in these functions: the beginning of a goroutine or of a thread, and the scheduler
# on a thread's own stack. A stack that ends anywhere else has lost its callers. How many stacks end
# in the scheduler depends on what else the machine does, so it counts as one end of several, and
# what a goroutine surely called is checked by name.
go_rooted() { at_least "$1" '^([^;]*;)?(runtime\.(goexit|mstart|mcall|morestack|rt0_go)|_start|clone3?|__clone3?)[.;]'; }

# go_shares PROGRAM checks its two functions, and that every stack begins at its goroutine.
go_shares() {
	[ -x "$1" ] || skip 'no go'
	start_ready "$1"
	record_cpu 3 -F 999
	near "$(percent 'main.workA(;|$| )' 'main.work[AB]')" 60 "$(chance 60)"
	at_least 99.5 'runtime.goexit[^;]*;main.main.func[^;]*;main.work[AB];main.spin' 'main.spin'
	whole 99.5
	go_rooted 99.5
}
@test "go: shares and goroutines' whole stacks" {
	go_shares "$TARGETS/go-shares"
}
@test "go: position-independent" {
	go_shares "$TARGETS/go-shares-pie"
}
@test "go: stripped, by Go's own table" {
	[ -x "$TARGETS/go-shares" ] || skip 'no go'
	strip -o go-stripped "$TARGETS/go-shares"
	go_shares ./go-stripped
}
@test "go: stripped and position-independent" {
	[ -x "$TARGETS/go-shares-pie" ] || skip 'no go'
	strip -o go-stripped-pie "$TARGETS/go-shares-pie"
	go_shares ./go-stripped-pie
}
@test "go: the collector and the scheduler, through the threads' own stacks" {
	target go-gc
	record_cpu 4 -F 999
	whole 99.5
	go_rooted 99.5
	at_least 99.5 'runtime.goexit[^;]*;main\.' 'main\.(churn|tree|grow|deepen)'
	# These run on the thread's own stack for a goroutine: the collector's workers, and
	# goroutines that must help the collector.
	at_least 99 'runtime.goexit[^;]*;runtime.gcBgMarkWorker[^;]*;runtime.systemstack[^;]*;.*runtime.gcDrain[; ]' 'runtime.gcDrain[; ]'
	at_least 99 'runtime.goexit[^;]*;main.*;runtime.gcAssistAlloc[^;]*;runtime.systemstack[^;]*;.*runtime.gcDrainN' 'runtime.gcDrainN'
	holds "$(count 'runtime.systemstack.*;runtime.gcDrain[; ]') > 20"
}

# cgo PROGRAM does equal work in C, in Go called back from C, and in C called from such Go.
cgo() {
	local go='main.main.func[^;]*;main.%s;main._Cfunc_c_%s.*;runtime.asmcgocall[^;]*;[^;]*c_%s;c_%s;'
	local back='crosscall2;runtime.cgocallback[^;]*;.*main.go_%s;'
	[ -x "$1" ] || skip 'no go'
	local of='main\.spin|c_spin' # not runtime.resetspinning
	start_ready "$1"
	record_cpu 3 -F 999
	whole 99.5
	go_rooted 99.5
	# shellcheck disable=SC2059
	{
		near "$(percent "runtime.goexit[^;]*;$(printf "$go" direct direct direct direct)c_spin" "$of")" 33.3 "$(chance 33.3)"
		near "$(percent "$(printf "$go.*$back" back back back back work)main.spin" "$of")" 33.3 "$(chance 33.3)"
		near "$(percent "$(printf "$go.*$back" nested nested nested nested nested).*c_inner;c_spin" "$of")" 33.3 "$(chance 33.3)"
	}
	at_least 99.5 'runtime.goexit' "$of"
}
@test "cgo: into C, back into Go, and into C again" {
	cgo "$TARGETS/go-cgo"
}
@test "cgo: position-independent" {
	cgo "$TARGETS/go-cgo-pie"
}
@test "cgo: stripped" {
	[ -x "$TARGETS/go-cgo" ] || skip 'no go'
	strip -o cgo-stripped "$TARGETS/go-cgo"
	start_ready ./cgo-stripped
	record_cpu 1.5 -F 999
	whole 99.5
	go_rooted 99.5
	at_least 99.5 'runtime.goexit[^;]*;main.main.func[^;]*;main.(direct|back|nested)' 'main.'
}
@test "cgo: without BPF, a stack that continues on another one is counted as cut" {
	target go-cgo
	record_cpu 2 --mode perf -F 499
	at_least 99 'stack cut: continued on another stack|runtime.goexit|runtime.m(start|call)'
	# The few instructions before it switches are allowed.
	at_least 99 'stack cut' 'runtime.asmcgocall'
}

# Prints the samples in the subtree of FUNCTION in Go's own profile, and all.
own() { go tool pprof -top -cum -nodefraction=0 -sample_index=samples own.pb.gz 2>/dev/null |
	awk -v name="$1" '$NF == name { print $4 }'; }

@test "go: the shares of its own profile, taken at the same time" {
	target go-shares "$PWD/own.pb.gz"
	record_cpu 6 -F 999
	target_end
	local a b
	a=$(own main.workA)
	b=$(own main.workB)
	[ "$a" -gt 100 ]
	# Of n samples a share p has a standard error of sqrt(p (1 - p) / n). Go takes 100 a second
	# of CPU time, and cprof ten times as many; four errors of the difference are allowed.
	holds "$((a + b)) > 100"
	awk -v a="$a" -v n="$((a + b))" -v ours="$(percent 'main.workA(;|$| )' 'main.work[AB]')" -v m="$(samples)" 'BEGIN {
		own = 100 * a / n
		error = sqrt(60 * 40 * (1 / n + 1 / m))
		printf "own %.1f of %d, ours %.1f of %d, standard error %.1f\n", own, n, ours, m, error
		exit !(own - ours < 4 * error && ours - own < 4 * error)
	}'
}
@test "node: through JIT code to the program's start, names by --perf-basic-prof" {
	command -v node >/dev/null || skip 'no node'
	printf '%s\n' 'function inner(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) % 1000003; return s; }' \
		'console.log("ready"); for (;;) inner(1e6);' >hot.js
	start_ready node --perf-basic-prof hot.js
	record_cpu 2 -F 499
	rm -f "/tmp/perf-$PID.map"
	at_least 95 '_start;.*node::Start;.*Builtins_JSEntry.*;JS:.*inner' 'JS:.*inner'
	holds "$(percent 'JS:.*hot.js') > 80"
	whole 99
}
@test "rust: shares, legacy names" {
	target rust-shares
	record_cpu 1.5 -F 999
	near "$(percent 'work::slow' 'work::(slow|generic)')" 70 "$(chance 70)"
	at_least 99 'rust_shares::main' 'work::slow'
	whole
}
@test "rust: shares, v0 names" {
	target rust-shares-v0
	record_cpu 1.5 -F 999
	near "$(percent 'work::slow' 'work::(slow|generic)')" 70 "$(chance 70)"
	at_least 99 'rust_shares(\[[0-9a-f]+\])?::main' 'work::slow'
}

@test "a large library that is loaded late costs no sample, because it is compiled in another thread" {
	local library=/usr/lib/llvm-14/lib/libLLVM-14.so.1 lost
	[ -e "$library" ] || skip 'no libLLVM-14'
	target late "$library" LLVMGetDefaultTargetTriple
	record_cpu 1 -F 1999
	at_least 20 ';LLVMGetDefaultTargetTriple[; ]|;llvm::'
	# Compiling takes some 0.5 s, or 1,000 samples. Meanwhile each stack is copied to user
	# space, and 60 of these fill the ring buffer. That is 30 ms, for which a busy machine may
	# not let cprof run, and what comes then is cut or lost.
	whole 90
	lost=$(sed -n 's/.*; lost \([0-9]*\).*/\1/p' "$ERR")
	[ "$lost" -le 100 ]
}
