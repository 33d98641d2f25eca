/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a module for each process with JIT code. It keeps the root directory of the process open,
 * so that its perf map can be found after it has ended. One thread uses it.
 */
#ifndef CPROF_COLLECT_JIT_MODULES_H
#define CPROF_COLLECT_JIT_MODULES_H

#include "target/module.h"
#include "target/pid_space.h"

struct jit_modules {
	struct readers *readers; /* borrowed; may be NULL */
	struct jit_module *first; /* oldest first */
};

#define JIT_MODULES_MAX 1024u

/* Returns the module of a process, which is borrowed, or NULL without memory. */
struct module *jit_modules_get(struct jit_modules *j, struct proc_pid tgid);
/* Does the same while recording. Beyond JIT_MODULES_MAX, it forgets the oldest one whose process
 * has ended, or else the oldest one. */
void jit_modules_note(struct jit_modules *j, struct proc_pid tgid);
u32 jit_modules_count(const struct jit_modules *j);
void jit_modules_release(struct jit_modules *j);

#endif
