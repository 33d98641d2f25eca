#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cprof threads: what every thread does at one moment, without stopping it.

load helper

setup_file() { [ "$(id -u)" = 0 ] || skip 'needs root'; }

# threads OPTIONS... looks at the target and writes p.pb.gz and what is in it as text.
threads() {
	"$CPROF" threads -p "$PID" -o p.pb.gz "$@" 2>"$ERR" || { echo "status $?: cprof threads $*"; return 1; }
	"$CPROF" convert p.pb.gz -o p.dump && "$ROOT/tests/e2e/pprof_decode.py" p.pb.gz --check
}

# labelled KEY VALUE prints how many threads have the label.
labelled() {
	"$ROOT/tests/e2e/pprof_decode.py" p.pb.gz --json >p.json
	python3 - "$1" "$2" <<-'END'
		import json, sys
		samples = json.load(open("p.json"))["samples"]
		print(sum(s["values"][0] for s in samples if s["labels"].get(sys.argv[1]) == sys.argv[2]))
	END
}

# through FUNCTION prints how many threads have it on their stack.
through() {
	"$ROOT/tests/e2e/pprof_decode.py" p.pb.gz --folded |
		awk -v name="$1" '{ n = $NF; $NF = ""; if ((";" $0 ";") ~ ("[; ]" name "[; ]")) sum += n } END { print sum + 0 }'
}

# asleep N: whether so many threads of the target sleep.
asleep() { [ "$(cat /proc/"$PID"/task/*/stat 2>/dev/null | grep -c ') S ')" = "$1" ]; }

@test "every thread is shown once with its whole stack, its state and what it waits for" {
	target thread_states states 71
	soon asleep 498
	threads
	grep -q 'cprof: 498 threads read in' "$ERR"
	grep -q '100.0% of stacks whole' "$ERR"
	local function reason object pipe epoll
	TRUTH=$BATS_TEST_TMPDIR/target.out
	pipe=$(truth pipe_fd) epoll=$(truth epoll_fd)
	while IFS='|' read -r function reason object; do
		[ "$(through "state_$function")" = 71 ]
		[ "$(labelled reason "$reason")" -ge 71 ]
		[ "$(labelled object "$object")" = 71 ] || { echo "not 71 threads: $object"; false; }
	done <<-END
		mutex|mutex|orders_lock
		condvar|condvar|jobs
		pipe|pipe|fd $pipe: pipe $(readlink "/proc/$PID/fd/$pipe" | tr -dc 0-9)
		epoll|idle|fd $epoll: epoll set of 1
	END
	[ "$(labelled reason join)" = 71 ]
	[ "$(labelled reason sleep)" = 71 ]
	[ "$(labelled owner "$PID \"thread_states\"")" = 71 ]
	[ "$(labelled thread wants-orders)" = 71 ]
	[ "$(labelled state sleeping)" = 498 ]
}

@test "groups are shown by size, with the lock and its owner" {
	target thread_states states 12
	soon asleep 85
	"$CPROF" threads -p "$PID" -f text >groups 2>"$ERR"
	grep -qE "^12 threads \[mutex orders_lock, .*, held by $PID \"thread_states\"\]$" groups
	grep -qE '^12 threads \[condvar jobs, ' groups
	grep -qE '^12 threads \[join [0-9]+ "thread_states", ' groups
	[ "$(grep -cE '^[0-9]+ threads? \[' groups)" = 8 ]
	grep -A 12 '^1 thread ' groups | grep -q '^    main  thread_states.c:'
}

@test "a dump has one thread after the other in the form of Go" {
	target thread_states states 3
	soon asleep 22
	threads
	[ "$(grep -cE '^goroutine [0-9]+ \[[^]]+\]:$' p.dump)" = 22 ]
	[ "$(grep -cE '^goroutine [0-9]+ \[mutex orders_lock.*held by' p.dump)" = 3 ]
	# Each function has its file in the next line.
	[ "$(grep -cE '^	[^ ]+:[0-9]+ \+0x[0-9a-f]+$' p.dump)" = "$(grep -cE '^[^	].*\)$' p.dump)" ]
	grep -A 1 '^state_epoll(' p.dump | grep -q 'thread_states.c:[0-9]'
}

@test "threads know for how long they have been in their state" {
	target thread_states states 1
	soon asleep 8
	local began
	began=$(date +%s%N)
	sleep 2
	threads
	local waited=$((($(date +%s%N) - began) / 1000000))
	"$ROOT/tests/e2e/pprof_decode.py" p.pb.gz --json >p.json
	python3 - "$waited" <<-'END'
		import json, sys
		waited = int(sys.argv[1])
		for s in json.load(open("p.json"))["samples"]:
		    labels = s["labels"]
		    # Since before the sleep of this test, and not since before the thread began.
		    assert labels["since"] / 1e6 >= 1990, labels
		    assert labels["since"] <= labels["age"], labels
		    assert labels["since"] / 1e6 <= waited + 60000, labels
	END
}

@test "a deadlock of two threads is said first, with both stacks" {
	target thread_states deadlock
	soon asleep 3
	"$CPROF" threads -p "$PID" -f text >groups 2>"$ERR"
	[ "$(head -n 1 groups)" = 'Found one deadlock:' ]
	[ "$(grep -c 'Found one deadlock' groups)" = 1 ]
	sed '/^$/q' groups >first
	grep -q 'waits for the lock pair, which [0-9]* "thread_states" holds:' first
	grep -q 'waits for the lock pair+0x28, which' first
	grep -q 'want_first' first
	grep -q 'want_second' first
}

@test "a deadlock of two processes is found, and no other one" {
	target thread_states shared
	local child
	child=$(pgrep -P "$PID")
	soon in_state S "$PID"
	soon in_state S "$child"
	"$CPROF" threads -p "$PID" -f text >groups 2>"$ERR"
	[ "$(head -n 1 groups)" = 'Found one deadlock:' ]
	sed '/^$/q' groups >first
	grep -q "^  $PID .*, which $child .* holds:" first
	grep -q "^  $child .*, which $PID .* holds:" first
	kill -KILL "$PID" # because it waits forever
	target thread_states states 2
	"$CPROF" threads -p "$PID" -f text >groups 2>"$ERR"
	! grep -q deadlock groups
}

@test "the writer of an rwlock is known to readers and writers" {
	target thread_states rwlock
	soon asleep 7
	threads
	[ "$(labelled reason rwlock)" = 6 ]
	[ "$(labelled owner "$PID \"thread_states\"")" = 6 ]
	"$CPROF" threads -p "$PID" -f text >groups 2>"$ERR"
	[ "$(grep -cE "^3 threads \[rwlock prices_lock, .*, held by $PID " groups)" = 2 ]
}

@test "threads that run and threads that move are shown whole" {
	target thread_states running
	threads
	[ "$(through state_running)" = 1 ]
	grep -q '100.0% of stacks whole' "$ERR"
	kill -KILL "$PID"
	target thread_states moving
	for _ in 1 2 3; do
		threads
		[ "$(through state_moving)" = 20 ]
		grep -q 'cprof: 21 threads read' "$ERR"
	done
}

@test "threads that begin and end while others are read" {
	target thread_states making
	for _ in 1 2 3; do
		threads
		[ "$(through state_making)" = 3 ]
		[ "$(through main)" = 1 ]
	done
}

@test "a dump for jstack and a text of counts have all threads" {
	target thread_states states 5
	soon asleep 36
	threads
	"$CPROF" convert p.pb.gz -o p.jstack
	[ "$(grep -cE '^"[^"]+" #[0-9]+ os_prio=0 cpu=[0-9.]+ms elapsed=[0-9.]+s tid=0x[0-9a-f]+ nid=0x[0-9a-f]+ ' p.jstack)" = 36 ]
	[ "$(grep -c 'State: BLOCKED (on object monitor)' p.jstack)" = 5 ]
	[ "$(grep -c -- '- locked <.*> (a orders_lock)' p.jstack)" = 1 ]
	"$CPROF" convert p.pb.gz -o p.counts
	grep -q '^threads profile: total 36$' p.counts
	[ "$(awk '$2 == "@" { n += $1 } END { print n }' p.counts)" = 36 ]
	"$CPROF" report p.counts | grep -q '^Total: 36$'
}

@test "the command line of threads: running processes only, and no duration" {
	run "$CPROF" threads -- true
	[ "$status" = 2 ]
	[[ $output == *'shows processes that run already'* ]]
	run "$CPROF" threads -p 1 -d 1s
	[ "$status" = 2 ]
	run "$CPROF" cpu -p 1 -f dump
	[ "$status" = 2 ]
	[[ $output == *'cprof threads -f dump'* ]]
}
