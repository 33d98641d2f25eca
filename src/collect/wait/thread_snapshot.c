/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the stacks of threads that are already asleep: see thread_snapshot.h. */
#include "collect/wait/thread_snapshot.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "target/pid_space.h"

#define READ_RECORDS 16
/* in bytes; more than in a sample, because each thread is copied once */
#define SNAPSHOT_STACK (64u << 10)

struct stack_buffer {
	u32 most;
	struct pending_record record; /* with space for the kernel's frames and the stack */
};

struct stack_buffer *stack_buffer_new(u32 most)
{
	struct stack_buffer *b = malloc(offsetof(struct stack_buffer, record.data) +
					STACK_MAX_KERNEL * sizeof(u64) + most);

	if (b)
		b->most = most;
	return b;
}

void stack_buffer_free(struct stack_buffer *b)
{
	free(b);
}

/* Copies as much as there is, from the piece on that sp is in, as records have it. After the end of
 * the stack's mapping there may be nothing. */
static u32 copy_from(const struct thread_record *thread, u8 *to, u32 from, u32 most)
{
	u64 at = PENDING_FROM(thread->regs.sp) + from;
	struct iovec local = {to + from, most - from};
	struct iovec remote = {(void *)(uintptr_t)at, most - from};
	ssize_t got;
	pid_t tgid;

	if (pid_from_proc(thread->thread.tgid, &tgid))
		return 0;
	got = process_vm_readv(tgid, &local, 1, &remote, 1, 0);
	return got > 0 ? (u32)got : 0;
}

/* Most stacks are small, and other memory may follow, so a large copy is made in two steps. */
static u32 copy_stack(const struct thread_record *thread, u8 *to, u32 most)
{
	u32 first = most < SNAPSHOT_STACK ? most : SNAPSHOT_STACK;
	u32 got = copy_from(thread, to, 0, first);

	return got < first || first == most ? got : got + copy_from(thread, to, first, most);
}

/* All are return addresses, because the scheduler's own frames are not among them. */
static u64 kernel_frame(const struct thread_record *thread, u32 i)
{
	return FRAME(MODULE_KERNEL, thread->frames[i] - 1);
}

static u32 kernel_frames(const struct thread_record *thread)
{
	return thread->nframes < STACK_MAX_KERNEL ? thread->nframes : STACK_MAX_KERNEL;
}

void thread_snapshot_put_kernel(struct bpf_session *s, const struct thread_record *thread)
{
	u64 frames[STACK_MAX_KERNEL];
	u32 n = kernel_frames(thread);

	for (u32 i = 0; i < n; i++)
		frames[i] = kernel_frame(thread, i);
	if (n)
		bpf_session_put(s, &thread->key, &thread->thread, frames, n);
}

const struct pending_record *stack_buffer_copy(struct stack_buffer *b,
					       const struct thread_record *thread, size_t *size)
{
	u32 n = kernel_frames(thread);
	struct pending_record *r = &b->record;

	memset(r, 0, offsetof(struct pending_record, data));
	r->kind = RECORD_PENDING;
	r->key = thread->key;
	r->thread = thread->thread;
	r->regs = thread->regs;
	r->nframes = n;
	for (u32 i = 0; i < n; i++) {
		u64 frame = kernel_frame(thread, i);

		memcpy(r->data + i * sizeof(frame), &frame, sizeof(frame));
	}
	r->copied = copy_stack(thread, r->data + n * sizeof(u64), b->most);
	*size = offsetof(struct pending_record, data) + n * sizeof(u64) + r->copied;
	return r;
}

static int take_one(struct bpf_session *s, const struct thread_record *thread,
		    struct stack_buffer *b)
{
	const struct pending_record *r;
	size_t size;

	if (!thread->user) {
		thread_snapshot_put_kernel(s, thread);
		return 0;
	}
	r = stack_buffer_copy(b, thread, &size);
	return bpf_session_finish(s, r, size);
}

static int take_all(struct bpf_session *s, int fd)
{
	struct thread_record *threads = calloc(READ_RECORDS, sizeof(*threads));
	struct stack_buffer *b = stack_buffer_new(SNAPSHOT_STACK);
	int err = threads && b ? 0 : -ENOMEM;
	ssize_t got = 0;

	while (!err) {
		got = read(fd, threads, READ_RECORDS * sizeof(*threads));
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(*threads) && !err; i++)
			err = take_one(s, &threads[i], b);
	}
	if (!err && got < 0)
		err = -errno;
	stack_buffer_free(b);
	free(threads);
	return err;
}

int thread_snapshot_take(struct bpf_session *s, struct bpf_program *list_threads)
{
	struct bpf_link *link = bpf_program__attach_iter(list_threads, NULL);
	int fd, err;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_session_reuse_maps(s, true);
	err = fd < 0 ? -errno : take_all(s, fd);
	bpf_session_reuse_maps(s, false);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}
