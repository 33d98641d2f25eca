#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs whose files were made to be hard to read: what cprof spends on them, what it says, and
# how it ends.
load helper

# hostile KIND starts `shares` with a file of that kind.
hostile() {
	python3 "$ROOT/tests/e2e/hostile_elf.py" "$1" "$TARGETS/shares" "./$1"
	start_ready "./$1"
}

# spent sets the CPU seconds and megabytes that cprof reports for itself.
spent() {
	SECONDS_SPENT=$(sed -n 's/^cprof: cost: \([0-9.]*\) s of CPU.*/\1/p' "$ERR")
	MEGABYTES=$(sed -n 's/^cprof: cost: .* CPU, \([0-9]*\) MB.*/\1/p' "$ERR")
	[ -n "$SECONDS_SPENT" ] && [ -n "$MEGABYTES" ]
}

comments() { "$ROOT/tests/e2e/pprof_decode.py" "$1" --comments; }

@test "budgets: names that are tails of a megabyte cost a second, not a minute" {
	hostile tails
	"$CPROF" cpu -p "$PID" -d 1s -o p.pb.gz 2>"$ERR"
	spent
	holds "$SECONDS_SPENT < 8 && $MEGABYTES < 200"
	decoded_samples
	# DWARF still names what the symbol table does not.
	at_least 90 'level_30;work_[abc]'
	grep -q '^cprof: left out: names of tails (too large)' "$ERR"
	comments p.pb.gz | grep -q '^left out: names of tails (too large)'
	run --separate-stderr "$CPROF" heap --rate 1 --force -p "$PID" -d 300ms -o h.pb.gz
	[ "$status" = 0 ] || [ "$status" = 3 ]
	printf '%s\n' "$stderr" >"$ERR"
	spent
	holds "$SECONDS_SPENT < 8 && $MEGABYTES < 200"
}

@test "budgets: a line table of 20 million rows takes no memory, and names have lines" {
	hostile rows
	"$CPROF" cpu -p "$PID" -d 1s -o p.pb.gz 2>"$ERR"
	spent
	holds "$SECONDS_SPENT < 10 && $MEGABYTES < 300"
	decoded_samples
	at_least 90 'level_30;work_[abc]'
	! grep -q 'left out' "$ERR"
}

@test "budgets: an unwind table without an end is left out, and cprof says so" {
	hostile cies
	"$CPROF" cpu -p "$PID" -d 1s -o p.pb.gz 2>"$ERR"
	spent
	holds "$SECONDS_SPENT < 10 && $MEGABYTES < 300"
	grep -q '^cprof: left out: unwind table of cies (too large)' "$ERR"
	decoded_samples
	at_least 90 'work_[abc]'
}

@test "budgets: names that take years to demangle stay as they are, and that is said" {
	hostile riddles
	"$CPROF" cpu -p "$PID" -d 1s -o p.pb.gz 2>"$ERR"
	spent
	holds "$SECONDS_SPENT < 8 && $MEGABYTES < 200"
	grep -q '^cprof: left out: names of riddles (it takes too long)' "$ERR"
	decoded_samples
	at_least 90 'level_30;(_Z1fIDp1CI1A1B.*EEvv|_D1a1fF(B2|C1aF).*Zv)'
}

# naming PID: whether cprof is looking up names in a second thread.
naming() { [ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -gt 1 ]; }

@test "budgets: SIGTERM ends naming, and what was recorded is written" {
	hostile endless
	profiler cpu -p "$PID" -d 500ms -o p.pb.gz
	soon naming "$PROFILER"
	sleep 0.5 # into the call that does not come back
	kill -TERM "$PROFILER"
	wait "$PROFILER"
	grep -qE '^cprof: interrupted: [1-9][0-9]* addresses were not named' "$ERR"
	# If it is not interrupted, it takes 10 seconds.
	spent
	holds "$SECONDS_SPENT < 5"
	"$ROOT/tests/e2e/pprof_decode.py" p.pb.gz --check
	decoded_samples
	holds "$(samples) >= 1"
	at_least 90 '\[endless\];\[endless\]'
	comments p.pb.gz | grep -q '^interrupted: '
	nothing_left
}

@test "budgets: code without call frame information that is too long to follow is left out" {
	target long_code
	"$CPROF" cpu -p "$PID" -d 1s -F 499 -o p.pb.gz 2>"$ERR"
	spent
	holds "$SECONDS_SPENT < 8 && $MEGABYTES < 200"
	grep -q '^cprof: left out: code of long_code (too large)' "$ERR"
	comments p.pb.gz | grep -q '^left out: code of long_code (too large)'
	grep -q '^cprof: cut stacks: .*no unwind row for the address' "$ERR"
	decoded_samples
	at_least 90 ".;long_code"
}
