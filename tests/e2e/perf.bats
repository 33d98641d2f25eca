#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The mode that needs no BPF (--mode perf): stacks are copied and unwound in user space.

load helper

record_perf() { record_cpu "$1" --mode perf "${@:2}"; }

@test "perf mode: children that live 10 ms, at a period as long as their lives" {
	for how in fork exec vfork; do
		target storm "$how"
		record_perf 1.5 -F 99
		target_end
		holds "$(samples) > 50"
		at_least 60 'main;(child_start;)?child_main;child_work'
		whole 98
	done
}
@test "perf mode: --no-children leaves them out" {
	target storm fork
	"$CPROF" cpu --mode perf --no-children -p "$PID" -d 1s -F 999 -f folded -o "$FOLDED" 2>"$ERR" || [ $? = 3 ]
	target_end
	! grep child_work "$FOLDED"
}
@test "perf mode: a command from its first instruction" {
	"$CPROF" cpu --mode perf -F 9999 -f folded -o "$FOLDED" -- "$TARGETS/storm" child 2>"$ERR"
	holds "$(percent 'main;child_main;child_work') > 50"
	whole 97
}
@test "perf mode: libraries that come and go" {
	target dlopen "$TARGETS" 0.3
	record_perf 3.5 -F 999
	holds "$(percent 'library_one') > 25"
	holds "$(percent 'library_two') > 25"
	at_least 98 'main;use_library;library_(one|two);burn' 'burn'
	whole 98
}
@test "perf mode: a handler on the interrupted stack is whole, on its own stack it is counted as cut" {
	target signal
	record_perf 0.7 -F 999
	target_end
	at_least 95 'worker;.*on_signal;in_handler'
	whole
	target signal alt
	record_perf 0.7 -F 999
	target_end
	at_least 95 '^\[stack cut: .*\];.*on_signal;in_handler'
}
@test "perf mode: as many samples as the rate and the CPU time say" {
	local rate before from until
	for rate in 99 999; do
		target shares 2
		cpu_ticks
		before=$TICKS
		profiler cpu --mode perf -p "$PID" -d 0 -F $rate -f folded -o "$FOLDED"
		cpu_ticks
		from=$TICKS
		used 2
		until=$TICKS
		profiler_end
		cpu_ticks
		# It recorded all the time in between, and at most from its start to its end.
		holds "$(samples) > 0.75 * $rate * ($until - $from) / 100"
		holds "$(samples) < 1.1 * $rate * ($TICKS - $before) / 100"
		target_end
	done
}
