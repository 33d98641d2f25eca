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
	decode_wait labels ${3:+"$3"} | awk -v want="$1 $2" '
		{ n = $NF; sub(/ [0-9]+$/, ""); $1 = $1; if ($0 == want) sum += n }
		END { print sum + 0 }'
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

# opened_all PROGRAM OPTIONS... records tests/targets/fds.c while it opens everything.
opened_all() {
	rm -f wait.pb.gz.*
	target "$1"
	profiler fds "${@:2}" -p "$PID" -d 0 -o wait.pb.gz
	kill -USR1 "$PID"
	said 'done'
	profiler_end
}

# open_by TYPE checks the sums of leak_KIND(), times FACTOR: the child has all of them as well.
open_by() {
	local kind n
	while read -r kind n; do
		[ "$(made "$1" "leak_$kind")" = $((n * $2)) ] || { echo "$kind: $(made "$1" "leak_$kind")"; return 1; }
	done <<-END
		directory 2
		socket 6
		epoll 1
		event 2
		timer 3
		notify 2
		memory 4
		copy 3
		control 2
		signal 2
		pipe 4
		pair 6
		accepted 9
	END
}

fds_counted() {
	open_by opened 1
	open_by open 2
	[ "$(made opened churn)" = 8000 ]
	[ "$(made open churn)" = 0 ]
	[ "$(made opened closed_by_range)" = 10 ]
	[ "$(made open closed_by_range)" = 0 ]
	[ "$(made opened replaced)" = 1 ]
	[ "$(made open replaced)" = 0 ]
	[ "$(made open leak_replacing)" = 2 ]
	[ "$(made opened failed)" = 0 ]
	# The child may open its own before it has probes.
	holds "$(made opened leak_file) >= 5 && $(made opened leak_file) <= 8"
	holds "$(made open leak_file) + $(made open '[opened by a call without a probe]') == 13"
	grep -q '; lost 0; 100.0% of stacks whole' "$ERR"
}

@test "fds: every descriptor of each kind, by the stack that opened it" {
	opened_all fds
	fds_counted
	[ "$(labelled kind memfd open)" = 8 ]
	[ "$(labelled kind timerfd open)" = 6 ]
	[ "$(labelled kind signalfd open)" = 4 ]
	[ "$(labelled kind inotify open)" = 4 ]
	[ "$(labelled kind eventfd open)" = 4 ]
	[ "$(labelled kind epoll open)" = 2 ]
	[ "$(labelled kind dir open)" = 4 ]
	holds "$(labelled kind socket open) == 42"
	[ "$(labelled what /etc/hostname open)" = 8 ]
	[ "$(labelled what 'socket, neither bound nor connected' open)" = 12 ]
	decode_wait labels open | grep -q 'tcp 127.0.0.1:[0-9]* 127.0.0.1:[0-9]* established'
	decode_wait labels open | grep -q 'tcp 127.0.0.1:[0-9]* listening'
	grep -qE 'PID [0-9]+ has [0-9]+ descriptors open; its limit is' "$ERR"
}

@test "fds: a static program" {
	opened_all fds-static
	fds_counted
}

@test "fds: one kind only, and only what is old enough" {
	opened_all fds --kind memfd,epoll
	[ "$(total opened)" = 5 ]
	[ "$(total open)" = 10 ]
	target_end
	opened_all fds --older-than 1h
	[ "$(total open)" = $(($(made open '[existed before the recording]') + $(made open '[opened by a call without a probe]'))) ]
	[ "$(made opened churn)" = 8000 ]
	run -2 "$CPROF" fds -p 1 --kind files
	[[ $output == *'--kind takes a list of file, dir'* ]]
}

# Each thread reads what it opened, so a wrong result would be noticed.
@test "fds: a command from its start" {
	"$CPROF" fds -o wait.pb.gz -- python3 -c '
import os
for i in range(300): os.close(os.open("/dev/null", os.O_RDONLY))
a = [os.open("/dev/null", os.O_RDONLY) for i in range(5)]
os.dup2(a[0], 77)' 2>"$ERR"
	holds "$(made opened __libc_open64) >= 305"
	[ "$(total open)" = 0 ]
	grep -q ' lost 0;' "$ERR"
}
