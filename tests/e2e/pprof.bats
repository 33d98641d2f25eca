#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The pprof file, read by Go's own tool and by a decoder of the tests.

load helper

setup_file() {
	command -v go >/dev/null || skip 'no go'
}

pprof() { go tool pprof "$@" 2>/dev/null; }

@test "pprof: -top has the shares and the total" {
	target shares
	record_pprof 1.5 -F 999
	target_end
	pprof -top p.pb.gz >top
	cat top
	grep -q '^Type: cpu' top
	local flat
	flat=$(awk '$NF == "work_a" { sub(/%/, "", $2); print $2 }' top)
	near "$flat" "$(truth work_a)" "$(chance 50)"
	# One thread runs for 2 s, which is checked in time and in samples.
	pprof -top -sample_index=samples p.pb.gz | grep -q '^Type: samples'
	awk '$NF == "main" { sub(/%/, "", $5); exit !($5 + 0 > 99) }' top
}
@test "pprof: -peek and -list work with no binary at hand" {
	target inline
	record_pprof 0.7 -F 999
	target_end
	pprof -peek 'innermost' p.pb.gz >peek
	grep -q third peek
	pprof -list 'deep::hot' p.pb.gz >list
	grep -q 'mark: hot' list
}
@test "pprof: inlined frames with their depth and lines" {
	target inline
	record_pprof 0.7 -F 999
	pprof -raw p.pb.gz >raw
	# One location lists the innermost function first, each with the line of its call.
	awk '/^ *[0-9]+: 0x/ { inside = 0 } /innermost/ { inside = 1 } inside' raw | head -n 5 >lines
	cat lines
	local at
	for at in innermost third second first hot; do
		read -r line
		[[ $line == *"inline.cpp:$(line_of $at)"* ]] || { echo "$at: $line"; return 1; }
	done <lines
}
@test "pprof: mappings carry build ids and the main program comes first" {
	target shares
	record_pprof 0.3 -F 499
	local id
	id=$(readelf -n "$TARGETS/shares" | sed -n 's/.*Build ID: //p')
	pprof -raw p.pb.gz >raw
	sed -n '/^Mappings/,$p' raw >mappings
	cat mappings
	sed -n 2p mappings | grep -q "shares $id"
	pprof -raw p.pb.gz | sed -n '/^Mappings/,$p' | grep -q 'libc'
}
@test "pprof: comments state command, kernel, event, rate and losses" {
	target shares
	record_pprof 0.3 -F 499
	pprof -comments p.pb.gz >comments
	cat comments
	grep -q 'cprof' comments
	grep -q "$(uname -r)" comments
	grep -q 'cpu-clock' comments
	grep -q '499 Hz' comments
	grep -qi 'lost' comments
}
@test "pprof: events that are no clock have their own type" {
	target syscall
	"$CPROF" cpu -p "$PID" -e context-switches -d 1s -F 99 -o p.pb.gz 2>"$ERR" || [ $? -eq 3 ]
	target inline
	"$CPROF" cpu -e page-faults -F 999 -o p.pb.gz -- bash -c 'for i in {1..9}; do /bin/true; done' 2>"$ERR"
	pprof -top p.pb.gz | grep -qi '^Type: page-faults'
	pprof -top p.pb.gz | grep -q 'flat%'
}
@test "pprof: an event that the machine lacks is refused by name" {
	target shares
	"$CPROF" cpu -p "$PID" -e cycles -d 500ms -o p.pb.gz 2>"$ERR" && skip 'this machine counts cycles'
	grep -q 'cycles' "$ERR"
	grep -q 'cpu-clock' "$ERR"
}

# decoded SECONDS OPTIONS... writes a profile to p.pb.gz, in which the tests' own decoder finds no
# errors.
decoded() {
	record_pprof "$@"
	python3 "$BATS_TEST_DIRNAME/pprof_decode.py" p.pb.gz --check
}
decode() { python3 "$BATS_TEST_DIRNAME/pprof_decode.py" p.pb.gz "$@"; }

@test "pprof: the decoder of the tests reads the same shares" {
	target shares
	decoded 1.5 -F 999
	target_end
	near "$(percent "$(levels)work_a( |;)")" "$(truth work_a)" "$(chance 50)"
	at_least 99 "_start;.*main;run;$(levels)work_" 'level_30;work_'
	decode --info >info
	cat info
	grep -q 'cpu/nanoseconds\|cpu.*nanoseconds' info
	grep -q 'samples.*count' info
}
@test "pprof: sound for threads, kernel frames, JIT, the machine, perf mode, without inlines" {
	target threads
	decoded 1 -F 999 --label thread --label pid --label cpu
	holds "$(label_count thread worker-1) > 0"
	target_end
	target syscall
	decoded 0.3 -F 999
	target_end
	target jit
	decoded 0.3 -F 999
	target_end
	target inline
	decoded 0.3 -F 999
	decoded 0.3 -F 999 --no-inlines
	decoded 0.3 -F 999 --mode perf
	profiler cpu -a -d 0 -F 499 -o p.pb.gz
	used 0.3
	profiler_end
	decode --check
}
@test "pprof: sound for Go" {
	target go-shares
	decoded 0.5 -F 999
}
@test "pprof: sound for Rust" {
	target rust-shares
	decoded 0.5 -F 999
}
