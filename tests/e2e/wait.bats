#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# block, mutex, offcpu, wall: compared with programs that measure their own waits.

load helper

setup_file() { [ "$(id -u)" = 0 ] || skip 'needs root'; }

locks() { [ -x "$TARGETS/locks" ] || skip 'locks was not built here'; }

# as_measured [SITE]: there are as many waits, and as long, as the program measured around its
# calls. The scheduler sees a little less, because a microsecond passes between reading the clock
# and the call, even on a busy machine in five thousand.
as_measured() {
	local waits delay
	waits=$(truth "${1:+${1}_}waits") delay=$(truth "${1:+${1}_}delay")
	near "$(site_total contentions "${1:-}")" "$waits" "0.02 * $waits + 2"
	near "$(site_total delay "${1:-}")" "$delay" "0.05 * $delay"
}

@test "block: as many waits, and as long, as the program measured around its calls" {
	locks
	local mode kind
	while read -r mode kind; do
		profile_wait block --condvar -- "$TARGETS/locks" "$mode" 1
		as_measured
		holds "$(label_share kind "$kind") > 99"
		# Waits that the end of the recording cuts off are an exception.
		holds "$(label_share result acquired contentions) * $(truth waits) >= 100 * ($(truth waits) - 3)"
		grep -q '; 100.0% of stacks whole' "$ERR"
	done <<-END
		mutex mutex
		pi mutex
		rwlock rwlock
		semaphore semaphore
		condvar condvar
		barrier barrier
		join join
		raw futex
		waitv futex
	END
}

@test "block: futex2's own calls" {
	locks
	"$TARGETS/locks" futex2 1 >/dev/null || skip 'this kernel has no futex_wait'
	profile_wait block -- "$TARGETS/locks" futex2 1
	as_measured
	holds "$(label_share kind futex) > 99"
	holds "$(label_share lock word) > 99"
}

@test "block: the locks of C++: std::mutex, condition_variable, atomic::wait, shared_mutex" {
	[ -x "$TARGETS/locks-cxx" ] || skip 'locks-cxx was not built here'
	profile_wait block --condvar -- "$TARGETS/locks-cxx" 2
	local site kind
	while read -r site kind; do
		if [[ $site = want_atomic || $site = want_latch || $site = want_semaphore || $site = want_barrier ]]; then
			# A thread that yields before it sleeps waits less than it measures, and the
			# more so the busier the machine is.
			holds "$(site_total delay "$site") > 0.2 * $(truth "${site}_delay")"
			holds "$(site_total delay "$site") < 1.05 * $(truth "${site}_delay")"
		else
			as_measured "$site"
		fi
		holds "$(label_share kind "$kind") > 5"
	done <<-END
		want_mutex mutex
		want_condition condvar
		want_atomic futex
		want_shared rwlock
		want_semaphore semaphore
		want_barrier barrier
		want_latch latch
	END
}

@test "block: locks of files and System V semaphores, as measured, with their kind" {
	[ -x "$TARGETS/waits" ] || skip 'waits was not built here'
	local kind
	for kind in flock fcntl semop; do
		profile_wait block --no-children -- "$TARGETS/waits" "$kind" 100
		as_measured wait_here
		holds "$(label_share kind "$kind") > 99"
		holds "$(label_share result acquired contentions) > 99"
	done
	# They have no holder in the program's memory, so mutex is silent about them.
	run "$CPROF" mutex -o none.pb.gz -- "$TARGETS/waits" flock 20
	[ "$status" -eq 3 ]
}

@test "block: the locks of streams and pthread_once have their kinds" {
	[ -x "$TARGETS/waits" ] || skip 'waits was not built here'
	profile_wait block --no-children -- "$TARGETS/waits" stream 1
	near "$(site_total delay write_stream)" 2e8 1e8
	holds "$(label_share kind mutex) > 40"
	profile_wait block --no-children -- "$TARGETS/waits" once 1
	near "$(site_total delay start_once)" 2e8 1e8
	holds "$(label_share kind once) > 40"
}

@test "block: the waiter's stack, down to the lock" {
	locks
	record_wait block -- "$TARGETS/locks" mutex 1
	at_least 99 ';want_mutex;.*lock'
	holds "$(percent 'schedule|bpf_prog|bpf_trace') < 0.1"
	whole 99
}

@test "block: a time limit that passes is a timeout" {
	locks
	profile_wait block --no-children -- "$TARGETS/locks" timed 1
	near "$(site_total contentions want_timed)" "$(truth waits)" "0.02 * $(truth waits) + 2"
	near "$(site_total delay want_timed)" "$(truth delay)" "0.05 * $(truth delay)"
	holds "$(label_share result timeout contentions) * $(truth waits) >= 100 * ($(truth waits) - 3)"
}

@test "block: condition variables are in the file, but not in folded stacks; --no-condvar drops them" {
	locks
	target locks condvar
	record_wait block -p "$PID" -d 500ms --condvar
	at_least 99 'wait_condition;.*cond_wait'
	"$CPROF" block -p "$PID" -d 500ms -f folded -o - >out 2>"$ERR"
	[ ! -s out ]
	grep -q 'not shown: .* condvar (--condvar shows them)' "$ERR"
	profile_wait block -p "$PID" -d 500ms
	holds "$(label_share kind condvar) > 99"
	run "$CPROF" block -p "$PID" -d 500ms --no-condvar -o none.pb.gz
	[ "$status" -eq 3 ]
}

# at_site TYPE NAME prints the sum of a sample type under serve_NAME.
at_site() { site_total "$1" "serve_$2"; }

# Three threads per lock request it again as soon as they release it, so a woken thread often finds
# it taken.
@test "block: a server of named locks: each as the server measured it, woken in vain and by signals" {
	[ -x "$TARGETS/lock_server" ] || skip 'lock_server was not built here'
	local lock how
	for how in '' signals; do
		profile_wait block -- "$TARGETS/lock_server" 2 $how
		for lock in orders users cache; do
			near "$(at_site contentions $lock)" "$(truth ${lock}_waits)" "0.02 * $(truth ${lock}_waits) + 2"
			near "$(at_site delay $lock)" "$(truth ${lock}_delay)" "0.05 * $(truth ${lock}_delay)"
		done
		[ "$(label_share lock orders_lock contentions)" != 0.00 ]
		holds "$(label_share lock orders_lock contentions) + $(label_share lock users_lock contentions) + $(label_share lock cache contentions) > 99.9"
	done
}

@test "mutex: a server of named locks: the holder is blamed for each; what the owner does meanwhile" {
	[ -x "$TARGETS/lock_server" ] || skip 'lock_server was not built here'
	local lock
	profile_wait mutex --owners -- "$TARGETS/lock_server" 2
	for lock in orders users cache; do
		near "$(at_site delay $lock)" "$(truth ${lock}_delay)" "0.05 * $(truth ${lock}_delay)"
		near "$(at_site owner_delay $lock)" "$(truth ${lock}_delay)" "0.05 * $(truth ${lock}_delay)"
	done
	decode_wait folded owner_delay |
		awk '{ all += $NF } /hold;.*nanosleep/ { n += $NF } END { exit !(n > 0.95 * all) }'
	[ "$(label_share lock orders_lock)" != 0.00 ]
	[ "$(label_share thread lock_server)" != 0.00 ]
}

@test "mutex --owners: an owner that runs on another CPU, and one that waits for something else" {
	locks
	profile_wait mutex --owners -- "$TARGETS/locks" busy 1
	decode_wait folded owner_delay |
		awk '{ all += $NF } /;hold_busy(;|$| )/ { n += $NF } END { exit !(all && n > 0.9 * all) }'
	holds "$(total owner_delay) > 0.8 * $(total delay)"
}

# takes TYPE NAME prints the sum of a sample type under take_NAME.
takes() { site_total "$1" "take_$2"; }

@test "mutex --holds: how often each kind of lock is taken, and how long it is held" {
	local way
	target holds 2
	profiler mutex --holds --force -p "$PID" -d 0 -o wait.pb.gz
	kill -USR1 "$PID"
	wait "$PROFILER"
	TRUTH=target.out
	for way in plain recursive read write spin semaphore around_wait; do
		near "$(takes acquisitions $way)" "$(truth ${way}_taken)" 2
		held_as_told $way
		[ "$(takes contentions $way)" = 0 ]
	done
	for kind in mutex rwlock spinlock semaphore; do
		holds "$(label_share kind $kind acquisitions) > 5"
	done
	grep -q 'calls of lock functions: the probes slowed the target by about' "$ERR"
}

@test "mutex --holds: contended locks are held from when they are acquired, not from when they are requested" {
	[ -x "$TARGETS/lock_server" ] || skip 'lock_server was not built here'
	local lock
	target lock_server 250
	profile_wait mutex --holds --max-slowdown 1000 -p "$PID" -d 2s
	target_end
	for lock in orders users cache; do
		near "$(at_site held $lock)" "$(duration)" "0.05 * $(duration)"
		# As many wake-ups are futile as the server counted: of a thousand acquisitions, so
		# that half of it is not chance.
		holds "$(at_site contentions $lock) * $(truth ${lock}_taken) > 0.5 * $(at_site acquisitions $lock) * $(truth ${lock}_waits)"
	done
	grep -q 'calls/s of locking functions: expect about' "$ERR"
	run -1 "$CPROF" mutex --holds --system -d 1s
}

@test "mutex --holds: refuses to slow a target down too much; its probes go with it" {
	target locks uncontended
	run -1 "$CPROF" mutex --holds --max-slowdown 5 -p "$PID" -d 1s
	[[ $output == *'--force goes on anyway'* ]]
	profiler mutex --holds --force -p "$PID" -d 0 -o killed.pb.gz
	used 0.3
	kill -KILL "$PROFILER"
	wait "$PROFILER" || true
	used 0.3
	kill -0 "$PID"
}

@test "offcpu --wakers: under each wait the thread that ended it" {
	locks
	record_wait offcpu --wakers --state lock -- "$TARGETS/locks" semaphore 1
	at_least 95 ';wait_semaphore;.*;--;.*;futex_wake;waker;'
	holds "$(percent 'bpf_prog|bpf_trace|__schedule') < 0.1"
	record_wait offcpu --wakers --state sleep -- "$TARGETS/locks" sleep 1
	at_least 90 ';wait_sleep;.*;--;.*asm_sysvec_apic_timer_interrupt [0-9]'
}

@test "block: --min leaves short waits out" {
	locks
	target locks mutex
	run "$CPROF" block -p "$PID" -d 500ms --min 60s -f folded -o out
	[ "$status" -eq 3 ]
	record_wait block -p "$PID" -d 500ms --min 1ms
}

@test "block: a deadlock from before attaching is found, with threads and stacks" {
	locks
	target locks deadlock
	soon in_futex 2
	profile_wait block -p "$PID" -d 1s
	grep -q 'deadlock: 2 threads' "$ERR"
	grep -q 'lock_first' "$ERR"
	grep -q 'orders_lock' "$ERR"
	grep -q 'idle_lock' "$ERR"
	near "$(total delay)" "2 * $(duration)" "0.025 * 2 * $(duration)"
	holds "$(label_share result unfinished) > 99"
}

@test "mutex: the holder is blamed, also for threads that queue behind each other" {
	locks
	record_wait mutex -- "$TARGETS/locks" mutex 1
	at_least 95 ';hold_mutex;'
	record_wait mutex -- "$TARGETS/locks" pi 1
	at_least 95 ';hold_mutex;'
	record_wait mutex -- "$TARGETS/locks" rwlock 1
	at_least 95 ';hold_rwlock;'
	whole 99
}

@test "mutex: the same delay as the waiters'" {
	locks
	profile_wait mutex -- "$TARGETS/locks" mutex 1
	as_measured
}

@test "offcpu: each wait under its cause" {
	locks
	local mode cause half share
	while read -r mode cause half; do
		profile_wait offcpu -- "$TARGETS/locks" "$mode" 1
		share=$(label_share cause "$cause")
		# How long a thread waits for a CPU depends on what else runs on the machine.
		[ "$cause" = runnable ] || share="100 * $share / (100 - $(label_share cause runnable))"
		holds "$share > $half"
		holds "$(total offcpu) > 5e8"
	done <<-END
		sleep sleep 95
		socket network 45
		pipe pipe 45
		condvar idle 45
		timed lock 90
		burn runnable 95
	END
}

@test "offcpu: message queues and rings of requests are under what they wait for" {
	[ -x "$TARGETS/waits" ] || skip 'waits was not built here'
	local mode cause
	while read -r mode cause; do
		"$TARGETS/waits" "$mode" 1 >/dev/null || { echo "# $mode is not available here"; continue; }
		profile_wait offcpu --no-children --state ^runnable -- "$TARGETS/waits" "$mode" 100
		near "$(site_total waits wait_here)" 100 5
		"$CPROF" convert wait.pb.gz --label "cause=$cause" --focus '^wait_here$' -f folded -o of_cause -q
		near "$(awk '{ n += $NF } END { print n }' of_cause)" "$(truth wait_here_delay)" "0.3 * $(truth wait_here_delay)"
	done <<-END
		flock lock
		semop lock
		msgrcv pipe
		mq pipe
		uring-recv network
		uring-timeout sleep
		uring-mixed io_uring
	END
}

@test "offcpu: --state picks causes, ^ leaves them out" {
	locks
	target locks socket
	record_wait offcpu -p "$PID" -d 1s --state network
	at_least 99 'read_end'
	# Waiting for a CPU afterwards has another cause, and lasts as long as the machine is busy.
	record_wait offcpu -p "$PID" -d 1s --state ^network,runnable
	holds "$(percent 'read_end') < 10"
	run --separate-stderr "$CPROF" offcpu -p "$PID" --state nonsense
	[ "$status" -eq 2 ]
}

@test "offcpu: a page fault that reads from the disk, and a read that does" {
	locks
	head -c 200000000 /dev/zero >big
	sync big
	for mode in fault disk; do
		profile_wait offcpu --state fault,disk -- "$TARGETS/locks" "$mode" 2
		holds "$(label_share cause "$mode") > 60"
	done
}

@test "wall: running, runnable and blocked add up to threads times duration" {
	locks
	target locks burn
	profile_wait wall -p "$PID" -d 2s
	target_end
	near "$(total wall)" "4 * $(duration)" "0.02 * 4 * $(duration)"
	holds "$(total blocked) < 0.02 * $(total wall)"
	target locks pipe
	profile_wait wall -p "$PID" -d 2s
	target_end
	near "$(total wall)" "2 * $(duration)" "0.02 * 2 * $(duration)"
	near "$(total wall)" "$(($(total cpu) + $(total runnable) + $(total blocked)))" 1000
	holds "$(total blocked) + $(total runnable) > 0.9 * $(total wall)" # runnable: others are busy
	holds "$(total blocked) > 0.1 * $(total wall)"
}

@test "waits: the file follows the rules of pprof, and says how it was made" {
	locks
	for verb in block mutex offcpu wall; do
		profile_wait "$verb" -- "$TARGETS/locks" mutex 1
		decode_wait check
		decode_wait comments | grep -q "$verb of"
		go tool pprof -top wait.pb.gz >/dev/null
	done
}

@test "waits: three thousand threads that waited before, and wait on" {
	locks
	target locks crowd
	soon in_futex 3000
	profile_wait block -p "$PID" -d 2s
	near "$(total contentions)" 3000 0
	near "$(total delay)" "3000 * $(duration)" "0.05 * 3000 * $(duration)"
	holds "$(label_share lock orders_lock) > 99.9"
	holds "$(label_share result unfinished) > 99.9"
	grep -q '; 100.0% of stacks whole' "$ERR"
	! grep -q deadlock "$ERR"
}

# killed_while VERB prints the folded stacks of a target that is killed after half a second of its
# waits.
killed_while() {
	profiler "$1" -p "$PID" -d 0 -f folded -o "$FOLDED"
	sleep 0.5
	kill -KILL "$PID"
	wait "$PROFILER"
	[ -s "$FOLDED" ]
}

@test "waits: a target that is killed while its threads wait" {
	locks
	local verb
	for verb in block offcpu; do
		target locks crowd
		soon in_futex 3000
		killed_while "$verb"
	done
	target locks mutex
	killed_while mutex
	at_least 90 ';hold_mutex;'
}

@test "waits: threads that are born and die while others wait for them" {
	locks
	profile_wait offcpu -- "$TARGETS/locks" join 1
	near "$(site_total offcpu wait_join)" "$(truth delay)" "0.1 * $(truth delay)"
	holds "$(site_total offcpu short_life) > 0.9 * 5000000 * $(truth waits)"
	target threads
	record_wait offcpu -p "$PID" -d 1s
}

@test "waits: the whole machine, and a control group" {
	locks
	target locks mutex
	record_wait block -a -d 1s
	holds "$(percent '^locks;.*;want_mutex;') > 0"
	record_wait offcpu -a --kernel -d 1s
	whole 99
}
