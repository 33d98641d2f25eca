/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `waits MODE TURNS` waits in ways that are not futexes: for locks of files, System V semaphores,
 * message queues, rings of requests and locks inside the C library. A child process ends each wait.
 * At the end it prints "wait_here_waits N" and "wait_here_delay NANOSECONDS", which is the time
 * around the calls that block.
 */
#include "target.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define HOLD_US 5000

static const char *mode;
static int to_child[2], to_parent[2], ends[2], queue, semaphores, file = -1;
static mqd_t named_queue;
static long waits, delay;
static FILE *stream;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is(const char *name)
{
	return !strcmp(mode, name);
}

static void require(long result)
{
	if (result < 0)
		perror(mode), exit(77);
}

static void pause_us(long us)
{
	struct timespec ts = {0, us * 1000};

	while (nanosleep(&ts, &ts))
		;
}

static void tell(int pipe[2])
{
	require(write(pipe[1], "x", 1));
}

static void hear(int pipe[2])
{
	char c;

	if (read(pipe[0], &c, 1) != 1)
		exit(0);
}

/* ---- a ring of requests ---------------------------------------------------------------------- */

static struct io_uring_params params;
static char *sq, *cq, *entries, received[64];
static int ring;

static void *ring_part(size_t size, off_t offset)
{
	void *part =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);

	require(part == MAP_FAILED ? -1 : 0);
	return part;
}

static void ring_open(void)
{
	ring = (int)syscall(SYS_io_uring_setup, 8, &params);
	require(ring);
	sq = ring_part(params.sq_off.array + params.sq_entries * 4, IORING_OFF_SQ_RING);
	cq = ring_part(params.cq_off.cqes + params.cq_entries * 16, IORING_OFF_CQ_RING);
	entries = ring_part(params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

static void ring_add(int opcode, int fd, void *address, unsigned length)
{
	unsigned *tail = (unsigned *)(sq + params.sq_off.tail);
	unsigned at = *tail & *(unsigned *)(sq + params.sq_off.ring_mask);
	struct io_uring_sqe *entry = (struct io_uring_sqe *)entries + at;

	memset(entry, 0, sizeof(*entry));
	entry->opcode = (unsigned char)opcode;
	entry->fd = fd;
	entry->addr = (uintptr_t)address;
	entry->len = length;
	((unsigned *)(sq + params.sq_off.array))[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static NOINLINE void ring_wait(unsigned n)
{
	unsigned *head = (unsigned *)(cq + params.cq_off.head);

	require(syscall(SYS_io_uring_enter, ring, n, n, IORING_ENTER_GETEVENTS, NULL, 0));
	__atomic_store_n(head, *head + n, __ATOMIC_RELEASE);
}

/* A request that waits for the child, and with "uring-mixed" one for a file as well. */
static void ring_turn(void)
{
	static struct __kernel_timespec time = {.tv_nsec = HOLD_US * 1000};

	if (is("uring-timeout"))
		ring_add(IORING_OP_TIMEOUT, -1, &time, 1);
	else
		ring_add(IORING_OP_RECV, ends[0], received, sizeof(received));
	if (is("uring-mixed"))
		ring_add(IORING_OP_READ, file, received, 1);
	ring_wait(is("uring-mixed") ? 2 : 1);
}

/* ---- the two sides --------------------------------------------------------------------------- */

static struct flock whole_file(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static void change_semaphore(short by)
{
	struct sembuf change = {.sem_op = by};

	require(semop(semaphores, &change, 1));
}

static NOINLINE void wait_here(void)
{
	struct {
		long type;
		char text[8];
	} message;
	char text[64];
	struct flock all = whole_file(F_WRLCK);

	if (is("flock"))
		require(flock(file, LOCK_EX));
	else if (is("fcntl"))
		require(fcntl(file, F_SETLKW, &all));
	else if (is("semop"))
		change_semaphore(-1);
	else if (is("msgrcv"))
		require(msgrcv(queue, &message, sizeof(message.text), 0, 0));
	else if (is("mq"))
		require(mq_receive(named_queue, text, sizeof(text), NULL));
	else
		ring_turn();
	NO_TAIL_CALL();
}

static void release_here(void)
{
	struct flock none = whole_file(F_UNLCK);

	if (is("flock"))
		require(flock(file, LOCK_UN));
	else if (is("fcntl"))
		require(fcntl(file, F_SETLK, &none));
}

/* The child holds the lock while the parent begins to wait, or sends what the parent waits for. */
static void child_turn(void)
{
	struct {
		long type;
		char text[8];
	} message = {1, "x"};
	bool locks = is("flock") || is("fcntl");

	if (locks)
		wait_here();
	tell(to_parent);
	pause_us(HOLD_US);
	if (locks)
		release_here();
	else if (is("semop"))
		change_semaphore(1);
	else if (is("msgrcv"))
		require(msgsnd(queue, &message, sizeof(message.text), 0));
	else if (is("mq"))
		require(mq_send(named_queue, "x", 1, 0));
	else if (!is("uring-timeout"))
		require(write(ends[1], "x", 1));
	hear(to_child);
}

static void parent_turn(void)
{
	double began;

	hear(to_parent);
	began = target_clock(CLOCK_MONOTONIC);
	wait_here();
	waits++;
	delay += (long)((target_clock(CLOCK_MONOTONIC) - began) * 1e9);
	release_here();
	tell(to_child);
}

/* ---- locks inside the C library -------------------------------------------------------------- */

static void slow_start(void)
{
	pause_us(300000);
}

static NOINLINE void write_stream(void)
{
	fputs("x", stream);
	NO_TAIL_CALL();
}

static NOINLINE void start_once(void)
{
	pthread_once(&once, slow_start);
	NO_TAIL_CALL();
}

static void *library_waiter(void *unused UNUSED)
{
	pause_us(100000);
	if (is("stream"))
		write_stream();
	else
		start_once();
	return NULL;
}

/* One thread holds the lock for 300 ms, and another one waits for some 200 ms of them. */
static void library_locks(void)
{
	pthread_t t;

	stream = fopen("/dev/null", "w");
	flockfile(stream);
	require(-pthread_create(&t, NULL, library_waiter, NULL));
	start_once();
	funlockfile(stream);
	pthread_join(t, NULL);
}

static void open_everything(void)
{
	char name[64];
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};

	snprintf(name, sizeof(name), "/cprof-waits-%d", getpid());
	require(file = open("lock-file", O_RDWR | O_CREAT, 0600));
	require(write(file, "text", 4));
	require(pipe(to_child) | pipe(to_parent));
	require(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	if (is("semop"))
		require(semaphores = semget(IPC_PRIVATE, 1, 0600));
	if (is("msgrcv"))
		require(queue = msgget(IPC_PRIVATE, 0600));
	if (is("mq")) {
		require(named_queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
		mq_unlink(name);
	}
	if (!strncmp(mode, "uring", 5))
		ring_open();
}

static void close_everything(void)
{
	if (is("semop"))
		semctl(semaphores, 0, IPC_RMID);
	if (is("msgrcv"))
		msgctl(queue, IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
	int turns = argc > 2 ? atoi(argv[2]) : 100;
	pid_t child;

	mode = argc > 1 ? argv[1] : "flock";
	if (is("stream") || is("once")) {
		library_locks();
		return 0;
	}
	open_everything();
	child = fork();
	if (!child) {
		/* A lock of flock() belongs to the open file, which both would share. */
		require(file = open("lock-file", O_RDWR));
		close(to_child[1]);
		for (;;)
			child_turn();
	}
	for (int i = 0; i < turns; i++)
		parent_turn();
	close(to_child[1]);
	waitpid(child, NULL, 0);
	close_everything();
	printf("wait_here_waits %ld\nwait_here_delay %ld\n", waits, delay);
	return 0;
}
