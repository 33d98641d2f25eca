/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a thread waits for: see thread_memory.h. */
#include "collect/threads/thread_memory.h"

#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

static bool read_memory(const struct seen_thread *t, u64 at, void *to, size_t size)
{
	struct iovec local = {to, size}, remote = {(void *)(uintptr_t)at, size};

	return t->tgid && at &&
	       process_vm_readv(t->tgid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* The calls whose first argument is the descriptor that they wait for. */
static const u16 file_calls[] = {
	SYS_read,         SYS_write,     SYS_pread64,    SYS_pwrite64,       SYS_readv,
	SYS_writev,       SYS_preadv,    SYS_pwritev,    SYS_preadv2,        SYS_pwritev2,
	SYS_connect,      SYS_accept,    SYS_accept4,    SYS_sendto,         SYS_recvfrom,
	SYS_sendmsg,      SYS_recvmsg,   SYS_sendmmsg,   SYS_recvmmsg,       SYS_epoll_pwait,
	SYS_epoll_pwait2, SYS_fsync,     SYS_fdatasync,  SYS_syncfs,         SYS_sync_file_range,
	SYS_flock,        SYS_fcntl,     SYS_ioctl,      SYS_sendfile,       SYS_splice,
	SYS_ftruncate,    SYS_fallocate, SYS_getdents64, SYS_io_uring_enter,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
};

static bool waits_for_file(s64 call)
{
	for (size_t i = 0; i < ARRAY_LEN(file_calls); i++) {
		if (file_calls[i] == call)
			return true;
	}
	return false;
}

static bool is_poll(s64 call)
{
#ifdef SYS_poll
	if (call == SYS_poll)
		return true;
#endif
	return call == SYS_ppoll;
}

static bool is_select(s64 call)
{
#ifdef SYS_select
	if (call == SYS_select)
		return true;
#endif
	return call == SYS_pselect6;
}

static void read_descriptor(struct seen_thread *t)
{
	const struct thread_state *s = &t->state;
	struct pollfd polled;

	if (waits_for_file(s->syscall)) {
		t->fd = (s32)s->argument[0];
	} else if (is_poll(s->syscall)) {
		t->nfds = (u32)s->argument[1];
		if (t->nfds == 1 && read_memory(t, s->argument[0], &polled, sizeof(polled)))
			t->fd = polled.fd;
	} else if (is_select(s->syscall)) {
		t->nfds = (u32)s->argument[0];
	}
}

static void read_limit(struct seen_thread *t)
{
	const struct thread_state *s = &t->state;
	u64 at = 0;

#ifdef SYS_nanosleep
	if (s->syscall == SYS_nanosleep)
		at = s->argument[0];
#endif
	if (s->syscall == SYS_clock_nanosleep)
		at = s->argument[2];
	t->absolute = s->syscall == SYS_clock_nanosleep && (s->argument[1] & TIMER_ABSTIME);
	t->has_limit = at && read_memory(t, at, &t->limit, sizeof(t->limit));
}

/* There may be nothing after the lock, or nothing at all. */
static void read_lock(struct seen_thread *t)
{
	memset(t->word, 0, sizeof(t->word));
	for (u32 n = LOCK_WORDS; n > 0 && !t->has_word; n--)
		t->has_word = read_memory(t, t->state.object, t->word, n * sizeof(t->word[0]));
}

void thread_memory_read(struct seen_thread *t)
{
	const struct thread_state *s = &t->state;

	if (s->cause == WAIT_LOCK && s->object >= LOCK_ADDRESSES)
		read_lock(t);
	read_descriptor(t);
	read_limit(t);
}
