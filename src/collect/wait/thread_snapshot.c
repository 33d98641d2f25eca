/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks of threads that sleep already: see wait_seeds.h. */
#include "collect/wait/thread_snapshot.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "target/pid_space.h"

#define READ_SEEDS 16
#define SEED_STACK (64u << 10) /* bytes; more than a sample has, since a thread is asked once */
#define SEED_RECORD \
	(offsetof(struct pending_record, data) + STACK_MAX_KERNEL * sizeof(u64) + SEED_STACK)

/* As much as there is: behind the end of the stack's mapping there may be nothing. */
static u32 copy_stack(const struct seed_record *seed, u8 *to)
{
	struct iovec local = {to, SEED_STACK};
	struct iovec remote = {(void *)(uintptr_t)seed->sp, SEED_STACK};
	ssize_t got;
	pid_t tgid;

	if (pid_from_proc(seed->tgid, &tgid))
		return 0;
	got = process_vm_readv(tgid, &local, 1, &remote, 1, 0);
	return got > 0 ? (u32)got : 0;
}

/* All are return addresses: the scheduler's own frames are not among them. */
static u64 kernel_frame(const struct seed_record *seed, u32 i)
{
	return FRAME(MODULE_KERNEL, seed->frames[i] - 1);
}

/* A kernel thread, or one whose user frames are not wanted. */
static int take_kernel_part(struct bpf_session *s, const struct seed_record *seed, u32 n)
{
	struct stack_owner owner = {.tgid = seed->tgid, .tid = seed->tid};
	u64 frames[STACK_MAX_KERNEL];

	memcpy(owner.comm, seed->comm, sizeof(owner.comm));
	memcpy(owner.leader_comm, seed->leader_comm, sizeof(owner.leader_comm));
	for (u32 i = 0; i < n; i++)
		frames[i] = kernel_frame(seed, i);
	if (n)
		bpf_session_put(s, &seed->key, &owner, frames, n);
	return 0;
}

static int take_one(struct bpf_session *s, const struct seed_record *seed, struct pending_record *r)
{
	u32 n = seed->nframes < STACK_MAX_KERNEL ? seed->nframes : STACK_MAX_KERNEL;

	if (!seed->user)
		return take_kernel_part(s, seed, n);
	memset(r, 0, offsetof(struct pending_record, data));
	r->kind = RECORD_PENDING;
	r->key = seed->key;
	r->ticket = seed->key.stack;
	r->tgid = seed->tgid;
	r->tid = seed->tid;
	memcpy(r->comm, seed->comm, sizeof(r->comm));
	memcpy(r->leader_comm, seed->leader_comm, sizeof(r->leader_comm));
	r->pc = seed->pc;
	r->sp = seed->sp;
	r->bp = seed->bp;
	r->bx = seed->bx;
	memcpy(r->regs, seed->regs, sizeof(r->regs));
	r->regs_known = r->bx_known = 1;
	r->exact = seed->exact;
	r->nframes = n;
	for (u32 i = 0; i < n; i++) {
		u64 frame = kernel_frame(seed, i);

		memcpy(r->data + i * sizeof(frame), &frame, sizeof(frame));
	}
	r->copied = copy_stack(seed, r->data + n * sizeof(u64));
	return bpf_session_finish(
		s, r, offsetof(struct pending_record, data) + n * sizeof(u64) + r->copied);
}

static int take_all(struct bpf_session *s, int fd)
{
	struct seed_record *seeds = calloc(READ_SEEDS, sizeof(*seeds));
	struct pending_record *r = malloc(SEED_RECORD);
	int err = seeds && r ? 0 : -ENOMEM;
	ssize_t got = 0;

	while (!err) {
		got = read(fd, seeds, READ_SEEDS * sizeof(*seeds));
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(*seeds) && !err; i++)
			err = take_one(s, &seeds[i], r);
	}
	if (!err && got < 0)
		err = -errno;
	free(r);
	free(seeds);
	return err;
}

int wait_seeds_take(struct bpf_session *s, struct bpf_program *list_threads)
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
