/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the stacks of threads that are already asleep. User space copies and walks them. */
#ifndef CPROF_COLLECT_THREAD_SNAPSHOT_H
#define CPROF_COLLECT_THREAD_SNAPSHOT_H

#include "collect/session/bpf_session.h"

/*
 * Runs the iterator (list_threads in bpf/wait.bpf.c) and copies and walks the stacks that it lists.
 * If a thread has continued meanwhile, its stack is cut.
 */
int thread_snapshot_take(struct bpf_session *s, struct bpf_program *list_threads) MUST_CHECK;

/* Has space for the stack of one thread, which is reused. */
struct stack_buffer;

/* `most` bytes of a stack are copied. Returns NULL if there is no memory. */
struct stack_buffer *stack_buffer_new(u32 most);
void stack_buffer_free(struct stack_buffer *b); /* NULL is allowed */
/* Copies the stack, which bpf_session_finish() walks; the result is borrowed. */
const struct pending_record *stack_buffer_copy(struct stack_buffer *b,
					       const struct thread_record *thread, size_t *size);
/* Stores the kernel's frames of a kernel thread, or of one whose user frames are not wanted. */
void thread_snapshot_put_kernel(struct bpf_session *s, const struct thread_record *thread);

#endif
