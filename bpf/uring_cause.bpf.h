/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Determines what a thread in io_uring_enter() waits for. The kernel keeps no list of the requests
 * in flight that could be read in a bounded time, but the ring still has those that were submitted
 * last. If they are all of one sort, that is the cause. If not, the cause is io_uring itself.
 */
#ifndef CPROF_BPF_URING_CAUSE_BPF_H
#define CPROF_BPF_URING_CAUSE_BPF_H

#define URING_LOOK_AT 4 /* number of requests, counted from the last one */

/* include/uapi/linux/io_uring.h */
#define IORING_ENTER_REGISTERED_RING 0x10u
#define IORING_SETUP_SQE128 0x400u
#define IOSQE_FIXED_FILE 1u
#define REGISTERED_RINGS 16u /* io_uring/tctx.h, IO_RINGFD_REG_MAX */
enum uring_op {
	URING_NOP = 0,
	URING_READV = 1,
	URING_WRITEV = 2,
	URING_FSYNC = 3,
	URING_READ_FIXED = 4,
	URING_WRITE_FIXED = 5,
	URING_POLL_ADD = 6,
	URING_POLL_REMOVE = 7,
	URING_SYNC_FILE_RANGE = 8,
	URING_SENDMSG = 9,
	URING_RECVMSG = 10,
	URING_TIMEOUT = 11,
	URING_TIMEOUT_REMOVE = 12,
	URING_ACCEPT = 13,
	URING_ASYNC_CANCEL = 14,
	URING_LINK_TIMEOUT = 15,
	URING_CONNECT = 16,
	URING_CLOSE = 19,
	URING_FILES_UPDATE = 20,
	URING_READ = 22,
	URING_WRITE = 23,
	URING_SEND = 26,
	URING_RECV = 27,
	URING_PROVIDE_BUFFERS = 31,
	URING_REMOVE_BUFFERS = 32,
	URING_SHUTDOWN = 34,
	URING_MSG_RING = 40,
	URING_SOCKET = 45,
	URING_SEND_ZC = 47,
	URING_SENDMSG_ZC = 48,
	URING_READ_MULTISHOT = 49,
	URING_RECV_ZC = 58,
	URING_EPOLL_WAIT = 59,
};

/* The ABI fixes the first fields of an entry. */
struct uring_request {
	u8 opcode;
	u8 flags;
	u16 ioprio;
	s32 fd;
};

struct io_ring_ctx___cprof {
	unsigned int flags;
	u32 *sq_array; /* NULL with IORING_SETUP_NO_SQARRAY, from 6.6 on */
	void *sq_sqes;
	unsigned int cached_sq_head;
	unsigned int sq_entries; /* a power of two */
} __attribute__((preserve_access_index));

struct io_uring_task___cprof {
	struct file *registered_rings[REGISTERED_RINGS];
} __attribute__((preserve_access_index));

struct task_struct___uring {
	struct io_uring_task___cprof *io_uring;
} __attribute__((preserve_access_index));

struct file___uring {
	void *private_data;
} __attribute__((preserve_access_index));

/* Returns what one request waits for; WAIT_NONE if it ends at once. */
static __always_inline enum wait_cause cause_of_request(struct task_struct *task,
							const struct uring_request *request)
{
	switch (request->opcode) {
	case URING_READV:
	case URING_WRITEV:
	case URING_READ_FIXED:
	case URING_WRITE_FIXED:
	case URING_READ:
	case URING_WRITE:
	case URING_READ_MULTISHOT: {
		enum wait_cause cause;

		if (request->flags & IOSQE_FIXED_FILE)
			return WAIT_IO_URING; /* fd is the number of a registered file */
		cause = cause_of_file(task, (u32)request->fd);
		return cause == WAIT_OTHER ? WAIT_IO_URING : cause;
	}
	case URING_FSYNC:
	case URING_SYNC_FILE_RANGE:
		return WAIT_DISK;
	case URING_POLL_ADD:
	case URING_SENDMSG:
	case URING_RECVMSG:
	case URING_CONNECT:
	case URING_SEND:
	case URING_RECV:
	case URING_SEND_ZC:
	case URING_SENDMSG_ZC:
	case URING_RECV_ZC:
		return WAIT_NETWORK;
	case URING_ACCEPT:
	case URING_EPOLL_WAIT:
		return WAIT_IDLE;
	case URING_TIMEOUT:
		return WAIT_SLEEP;
	case URING_NOP:
	case URING_POLL_REMOVE:
	case URING_TIMEOUT_REMOVE:
	case URING_ASYNC_CANCEL:
	case URING_LINK_TIMEOUT:
	case URING_CLOSE:
	case URING_FILES_UPDATE:
	case URING_PROVIDE_BUFFERS:
	case URING_REMOVE_BUFFERS:
	case URING_SHUTDOWN:
	case URING_MSG_RING:
	case URING_SOCKET:
		return WAIT_NONE;
	default:
		return WAIT_IO_URING;
	}
}

/* A timeout beside a request bounds the wait for it, and a server accepts connections while it
 * serves others. */
static __always_inline enum wait_cause more_specific(enum wait_cause a, enum wait_cause b)
{
	if (a == b || b == WAIT_NONE)
		return a;
	if (a == WAIT_NONE || a == WAIT_SLEEP)
		return b;
	if (b == WAIT_SLEEP)
		return a;
	if ((a == WAIT_IDLE && b == WAIT_NETWORK) || (a == WAIT_NETWORK && b == WAIT_IDLE))
		return WAIT_NETWORK;
	return WAIT_IO_URING;
}

static __always_inline struct io_ring_ctx___cprof *ring_of(struct task_struct *task,
							   const struct pt_regs *regs)
{
	struct task_struct___uring *owner = (void *)task;
	u32 fd = (u32)arch_syscall_arg(regs, 0);
	struct file___uring *ring = NULL;

	if (arch_syscall_arg(regs, 3) & IORING_ENTER_REGISTERED_RING) {
		struct io_uring_task___cprof *t = BPF_CORE_READ(owner, io_uring);

		if (!t || !bpf_core_field_exists(t->registered_rings))
			return NULL;
		bpf_probe_read_kernel(&ring, sizeof(ring),
				      &t->registered_rings[fd & (REGISTERED_RINGS - 1)]);
	} else {
		ring = (void *)file_of(task, fd);
	}
	return ring ? BPF_CORE_READ(ring, private_data) : NULL;
}

static __always_inline bool read_request(const struct io_ring_ctx___cprof *ring, u32 number,
					 struct uring_request *request)
{
	u32 mask = BPF_CORE_READ(ring, sq_entries) - 1, index = number & mask;
	u32 size = BPF_CORE_READ(ring, flags) & IORING_SETUP_SQE128 ? 128 : 64;
	u32 *array = BPF_CORE_READ(ring, sq_array);

	if (array && bpf_probe_read_kernel(&index, sizeof(index), &array[index]))
		return false;
	return index <= mask && !bpf_probe_read_kernel(request, sizeof(*request),
						       BPF_CORE_READ(ring, sq_sqes) + index * size);
}

static __always_inline enum wait_cause cause_of_ring(struct task_struct *task,
						     const struct pt_regs *regs)
{
	struct io_ring_ctx___cprof *ring = ring_of(task, regs);
	enum wait_cause cause = WAIT_NONE;
	u32 head;

	if (!ring || !bpf_core_field_exists(ring->sq_sqes) ||
	    !bpf_core_field_exists(ring->cached_sq_head))
		return WAIT_IO_URING;
	head = BPF_CORE_READ(ring, cached_sq_head);
	for (u32 i = 1; i <= URING_LOOK_AT && i <= head; i++) {
		struct uring_request request = {};

		if (!read_request(ring, head - i, &request))
			return WAIT_IO_URING;
		cause = more_specific(cause, cause_of_request(task, &request));
	}
	return cause == WAIT_NONE ? WAIT_IO_URING : cause;
}

#endif
