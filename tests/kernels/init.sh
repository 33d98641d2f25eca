#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# This is process 1 of the test VM: it runs cprof on targets with known answers, prints TAP, and
# powers off.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
echo 3 >/proc/sys/kernel/printk
count=0

result() { # STATUS NAME [FILE-TO-SHOW]
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - stock kernel: $2"
	else
		[ -z "$3" ] || head -c 3000 "$3" | sed 's/^/# /'
		echo "not ok $count - stock kernel: $2"
	fi
}

has() { # FILE PATTERN NAME
	grep -qE "$2" "$1"
	result $? "$3" "$1"
}

# soon COMMAND... runs it until it succeeds. A busy host makes the machine slow, so the only limit
# is that of the whole run.
soon() {
	until "$@"; do sleep 0.05; done
}

# said WORD FILE PID: a line of FILE begins with WORD, or its process has ended.
said() { grep -q "^$1" "$2" || ! [ -d "/proc/$3" ]; }

# start_target COMMAND... runs it in the background as $target, and returns once it is ready.
start_target() {
	"$@" >/tmp/target.out 2>&1 &
	target=$!
	soon said ready /tmp/target.out $target
}

# profile NAME CENTISECONDS OPTIONS -- COMMAND... writes folded stacks of the running COMMAND to
# /tmp/NAME: for that much CPU time, or for VERBs that measure waits for that much time.
profile() {
	local name=$1 centiseconds=$2 options=$3 cprof from
	shift 4
	start_target "$@"
	# shellcheck disable=SC2086 # a list of options
	cprof ${VERB:-cpu --mode bpf} -v -p $target -d 0 $options -f folded -o - >"/tmp/$name" 2>"/tmp/$name.err" &
	cprof=$!
	soon said 'cprof: recording' "/tmp/$name.err" $cprof
	if [ -z "$VERB" ]; then
		from=$(cpu_time)
		soon used $((from + centiseconds))
	else
		sleep $((centiseconds / 100))
	fi
	kill -TERM $cprof
	wait $cprof
	set -- $?
	result "$1" "$name: exit status" "/tmp/$name.err"
	kill $target
	wait $target 2>/dev/null
	[ "$1" = 1 ] && explain "$name" "$options"
}

# cpu_time prints that of the target and its children that have ended, in hundredths of a second.
cpu_time() {
	local stat
	read -r stat <"/proc/$target/stat"
	# shellcheck disable=SC2086 # words
	set -- ${stat##*) }
	echo $((${12} + ${13} + ${14} + ${15}))
}

used() { [ "$(cpu_time)" -ge "$1" ]; }

# explain NAME OPTIONS prints the end of the verifier's objections to the programs.
explain() {
	grep -q 'cannot load BPF' "/tmp/$1.err" || return 0
	# shellcheck disable=SC2086 # lists of options
	cprof ${VERB:-cpu --mode bpf} -vv -p 1 -d 100ms $2 2>&1 >/dev/null |
		sed -n '/BEGIN PROG LOAD LOG/,/END PROG LOAD LOG/p' | tail -n 40 | sed 's/^/# /'
}

levels=$(for i in $(seq 1 30); do printf 'level_%02d;' "$i"; done)

echo "# kernel $(uname -r)"
[ -r /sys/kernel/btf/vmlinux ]
result $? 'has BTF'
cprof --version >/tmp/version 2>&1
result $? 'version' /tmp/version
cprof doctor >/tmp/doctor 2>&1
case $? in 0 | 1) result 0 'doctor answers' ;; *) result 1 'doctor answers' /tmp/doctor ;; esac

profile shares 150 '' -- /targets/shares
has /tmp/shares "main;run;${levels}work_a" 'whole stacks without frame pointers'
has /tmp/shares "main;run;${levels}work_c" 'all three shares'
sed 's/^/# /' /tmp/shares.err
profile static 100 '' -- /targets/shares-static
has /tmp/static "main;run;${levels}work_b" 'a static program'
profile syscall 100 '' -- /targets/syscall
has /tmp/syscall 'main;read_zeros;.*(ksys_read|vfs_read|read_zero)' 'kernel frames above the user stack'
profile signal 100 '' -- /targets/signal
has /tmp/signal 'main;worker;.*on_signal;in_handler' 'through a signal frame'
profile dlopen 200 '' -- /targets/dlopen /targets 0.3
has /tmp/dlopen 'main;use_library;library_(one|two);burn' 'a library that came while recording'
profile fork 100 '' -- /targets/storm fork
has /tmp/fork 'child_main;child_work' 'children of 10 ms'
profile exec 150 '' -- /targets/storm exec
has /tmp/exec 'main;child_main;child_work' 'children that exec'
profile inline 100 '' -- /targets/inline
has /tmp/inline 'deep::hot.*;.*first.*;.*second.*;.*third.*;.*innermost' 'inlined frames'
profile perf 100 '--mode perf' -- /targets/shares
has /tmp/perf "main;run;${levels}work_a" 'without BPF: whole stacks'
profile perf-exec 150 '--mode perf' -- /targets/storm exec
has /tmp/perf-exec 'main;child_main;child_work' 'without BPF: children that exec'

# heap NAME COMMAND... records every allocation of a target that waits for a signal, and its truth.
heap() {
	name=$1
	shift
	start_target "$@"
	cprof heap -v -p $target -d 0 --rate 1 --force -f folded -o - >"/tmp/$name" 2>"/tmp/$name.err" &
	heap=$!
	soon said 'cprof: recording' "/tmp/$name.err" $heap
	kill -USR1 $target
	soon said 'done' /tmp/target.out $target
	cp /tmp/target.out "/tmp/$name.truth"
	kill -INT $heap
	wait $heap
	result $? "heap, $name: exit status" "/tmp/$name.err"
	sed 's/^/# /' "/tmp/$name.err"
	kill $target
}

# site NAME SITE prints all its bytes that are in use.
site() {
	bytes=$(awk -v site="$2" '$2 == site { print $6 }' "/tmp/$1.truth")
	has "/tmp/$1" "$2 ${bytes:-nothing}\$" "heap, $1: every byte of $2"
}

# Each probe is a separate event, because this kernel has no links of many.
heap leaks /targets/heap_leaks 1 2000
for site in leak_small leak_medium leak_large keep_third; do
	site leaks $site
done
# Operator new has no return probe, because an exception could not unwind through it.
if [ -e /targets/libtcmalloc.so.4 ]; then
	heap throw env LD_PRELOAD=/targets/libtcmalloc.so.4 /targets/heap_cxx 20 throw
	site throw new_aligned
	site throw new_sized
fi

VERB=block profile block 200 '' -- /targets/locks mutex
has /tmp/block ';want_mutex;.*lock' 'where threads wait for a mutex'
VERB=mutex profile mutex 200 '' -- /targets/locks mutex
has /tmp/mutex ';hold_mutex;' 'who keeps them waiting'
VERB=offcpu profile offcpu 200 '--state network' -- /targets/locks socket
has /tmp/offcpu ';read_end;.*read' 'waits on a socket'
VERB=wall profile wall 200 '' -- /targets/locks burn
has /tmp/wall 'main;burn' 'running and waiting together'
VERB=mutex profile holds 200 '--holds --force --sample-type acquisitions' -- /targets/locks mutex
has /tmp/holds ';hold_mutex;.*pthread_mutex_lock' 'how long locks are held, by probes'
VERB=offcpu profile wakers 200 '--wakers --state lock' -- /targets/locks semaphore
has /tmp/wakers ';wait_semaphore;.*;--;.*;futex_wake;.*;waker;' 'who wakes'
VERB=block profile deadlock 200 '' -- /targets/locks deadlock
has /tmp/deadlock.err 'deadlock: 2 threads' 'a deadlock'
VERB=threadcreate profile threadcreate 100 '' -- /targets/threads
has /tmp/threadcreate ';main;pthread_create;' 'who creates threads'
has /tmp/threadcreate.err 'threads existed before the recording' 'threads that existed before'
VERB=fds profile fds 50 '' -- /targets/shares
has /tmp/fds '^\[existed before the recording\] [1-9]' 'descriptors that are open'

asleep() { [ "$(cat "/proc/$target/task/"*/stat | grep -c ') S ')" = "$1" ]; }
start_target /targets/thread_states deadlock
soon asleep 3
cprof threads -p $target -f text >/tmp/threads 2>/tmp/threads.err
result $? 'threads: exit status' /tmp/threads.err
sed 's/^/# /' /tmp/threads.err
has /tmp/threads '^Found one deadlock:' 'threads: a deadlock'
has /tmp/threads '^1 thread \[mutex pair\+0x28, [0-9]+ (ms|seconds?), held by' 'threads: a lock, since when, and its owner'
has /tmp/threads.err '100.0% of stacks whole' 'threads: whole stacks'
kill -KILL $target
start_target /targets/thread_states running
cprof threads -p $target -f text >/tmp/threads 2>/tmp/threads.err
has /tmp/threads '    state_running' 'threads: one that runs'
kill -KILL $target

# shellcheck disable=SC2016 # the inner shell's dollars
cprof cpu -d 0 -f folded -o - -- /bin/busybox sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done' \
	>/tmp/command 2>/tmp/command.err
result $? 'a command from its start to its end' /tmp/command.err

echo "1..$count"
poweroff -f
