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
#define THREAD_RECORD \
	(offsetof(struct pending_record, data) + STACK_MAX_KERNEL * sizeof(u64) + SNAPSHOT_STACK)

/* Copies as much as there is, from the piece on that sp is in, as records have it. After the end of
 * the stack's mapping there may be nothing. */
static u32 copy_stack(const struct thread_record *thread, u8 *to)
{
	struct iovec local = {to, SNAPSHOT_STACK};
	struct iovec remote = {(void *)(uintptr_t)PENDING_FROM(thread->regs.sp), SNAPSHOT_STACK};
	ssize_t got;
	pid_t tgid;

	if (pid_from_proc(thread->thread.tgid, &tgid))
		return 0;
	got = process_vm_readv(tgid, &local, 1, &remote, 1, 0);
	return got > 0 ? (u32)got : 0;
}

/* All are return addresses, because the scheduler's own frames are not among them. */
static u64 kernel_frame(const struct thread_record *thread, u32 i)
{
	return FRAME(MODULE_KERNEL, thread->frames[i] - 1);
}

/* This is a kernel thread, or one whose user frames are not wanted. */
static int take_kernel_part(struct bpf_session *s, const struct thread_record *thread, u32 n)
{
	u64 frames[STACK_MAX_KERNEL];

	for (u32 i = 0; i < n; i++)
		frames[i] = kernel_frame(thread, i);
	if (n)
		bpf_session_put(s, &thread->key, &thread->thread, frames, n);
	return 0;
}

static int take_one(struct bpf_session *s, const struct thread_record *thread,
		    struct pending_record *r)
{
	u32 n = thread->nframes < STACK_MAX_KERNEL ? thread->nframes : STACK_MAX_KERNEL;

	if (!thread->user)
		return take_kernel_part(s, thread, n);
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
	r->copied = copy_stack(thread, r->data + n * sizeof(u64));
	return bpf_session_finish(
		s, r, offsetof(struct pending_record, data) + n * sizeof(u64) + r->copied);
}

static int take_all(struct bpf_session *s, int fd)
{
	struct thread_record *threads = calloc(READ_RECORDS, sizeof(*threads));
	struct pending_record *r = malloc(THREAD_RECORD);
	int err = threads && r ? 0 : -ENOMEM;
	ssize_t got = 0;

	while (!err) {
		got = read(fd, threads, READ_RECORDS * sizeof(*threads));
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(*threads) && !err; i++)
			err = take_one(s, &threads[i], r);
	}
	if (!err && got < 0)
		err = -errno;
	free(r);
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
