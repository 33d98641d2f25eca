#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# threadcreate: compared with programs that create known numbers of threads and processes from known
# places.

load helper

setup_file() { [ "$(id -u)" = 0 ] || skip 'needs root'; }

# created PROGRAM OPTIONS... records tests/targets/creates.c while it creates everything.
created() {
	target "$1"
	profiler threadcreate "${@:2}" -p "$PID" -d 0 -o wait.pb.gz
	kill -USR1 "$PID"
	said 'done'
	profiler_end
}

# made TYPE FUNCTION prints how many there are by that function.
made() {
	decode_wait folded "$1" | awk -v f=";$2;" '
		{ value = $NF; sub(/ [0-9]+$/, ""); if (index(";" $0 ";", f)) n += value }
		END { print n + 0 }'
}

# labelled KEY VALUE [TYPE] prints the sum of the samples with this label.
labelled() {
	decode_wait labels ${3:+"$3"} | awk -v key="$1" -v value="$2" '$1 == key && $2 == value { n += $NF } END { print n + 0 }'
}

threads_counted() {
	[ "$(total threadcreate)" = 320 ]
	[ "$(made threadcreate make_brief)" = 300 ]
	[ "$(made threadcreate make_lasting)" = 11 ]
	[ "$(made threadcreate run_maker)" = 4 ]
	[ "$(made threadcreate make_other)" = 5 ]
	[ "$(made threadcreate make_by_thread)" = 3 ]
	[ "$(made threads_live make_brief)" = 0 ]
	[ "$(made threads_live make_lasting)" = 11 ]
	[ "$(made threads_live make_other)" = 5 ]
	[ "$(total threads_live)" = 20 ]
	grep -q '; lost 0; 100.0% of stacks whole' "$ERR"
	grep -q '320 threads created, 17 of them alive at the end' "$ERR"
}

@test "threadcreate: every thread, by the stack that created it, and those that are alive" {
	created creates
	threads_counted
	[ "$(labelled name brief threadcreate)" = 200 ]
	[ "$(labelled name third threadcreate)" = 100 ]
	[ "$(labelled name lasting threadcreate)" = 16 ]
	[ "$(labelled start run_brief threadcreate)" = 300 ]
	[ "$(labelled start run_lasting threadcreate)" = 16 ]
	[ "$(labelled start run_maker threadcreate)" = 1 ]
	[ "$(made threadcreate run_brief)" = 0 ]
}

@test "threadcreate: threads that existed before have their start routine in place of a creator" {
	created creates
	grep -q '3 threads existed before the recording: the stack that created them is not known' "$ERR"
	[ "$(decode_wait folded threads_live | grep -c '^\[existed before the recording\];run_older 3$')" = 1 ]
	[ "$(labelled name older threads_live)" = 3 ]
	[ "$(labelled start run_older threads_live)" = 3 ]
	[ "$(labelled name older threadcreate)" = 0 ]
}

@test "threadcreate: a static program" {
	created creates-static
	threads_counted
	[ "$(labelled start run_brief threadcreate)" = 300 ]
}

@test "threadcreate: a leak of threads, by place" {
	target creates leak 20
	profiler threadcreate -p "$PID" -d 0 -o wait.pb.gz
	kill -USR1 "$PID"
	said 'done'
	profiler_end
	[ "$(made threads_live leak_here)" = 20 ]
	[ "$(made threads_live leak_there)" = 40 ]
	[ "$(total threadcreate)" = 60 ]
}

@test "threadcreate: forks and programs, by the stack that forked" {
	created creates --processes
	[ "$(total forks)" = 38 ]
	[ "$(made forks make_forks)" = 20 ]
	[ "$(made forks make_spawns)" = 15 ]
	[ "$(made execs make_spawns)" = 15 ]
	[ "$(made forks make_by_thread)" = 3 ]
	[ "$(made execs make_by_thread)" = 3 ]
	[ "$(total execs)" = 18 ]
	[ "$(labelled program true execs)" = 18 ]
	[ "$(labelled program creates forks)" = 20 ]
	[ "$(total processes_live)" = 1 ]
	grep -q '38 processes created, 0 of them alive at the end' "$ERR"
}

# The first exec is that of the command itself, which cprof asked for.
@test "threadcreate: a command from its start" {
	"$CPROF" threadcreate --processes -o wait.pb.gz -- sh -c 'true; for i in 1 2 3; do env true; done; exec true' 2>"$ERR"
	[ "$(total forks)" = 3 ]
	[ "$(total execs)" = 7 ]
	[ "$(labelled program env execs)" = 3 ]
	[ "$(made execs '[existed before the recording]')" = 1 ]
}

@test "threadcreate: the stacks on which Go's runtime creates threads are whole" {
	[ -x "$TARGETS/go-shares" ] || skip 'no Go'
	profiler threadcreate -d 0 -o wait.pb.gz -- "$TARGETS/go-shares"
	sleep 1
	profiler_end
	holds "$(total threadcreate) > 2"
	[ "$(total threadcreate)" = "$(made threadcreate runtime.newosproc)" ]
	[ "$(total threadcreate)" = "$(made threadcreate runtime.newm1)" ]
	grep -q '; lost 0; 100.0% of stacks whole' "$ERR"
}

@test "threadcreate: musl" {
	command -v musl-gcc >/dev/null || skip 'no musl'
	cat >m.c <<-'END'
		#include <pthread.h>
		static void *run(void *arg) { return arg; }
		int main(void) { for (int i = 0; i < 30; i++) { pthread_t t; pthread_create(&t, 0, run, 0); pthread_join(t, 0); } return 0; }
	END
	musl-gcc -g -o m m.c
	"$CPROF" threadcreate -o wait.pb.gz -- ./m 2>"$ERR"
	[ "$(total threadcreate)" = 30 ]
	[ "$(labelled start run threadcreate)" = 30 ]
}
