/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks cprof for probes where this library is not in front of the allocator, and waits until they
 * are there: see base/sampler_question.h. Without cprof nothing is asked and nothing waits.
 *
 * This runs between vfork and exec and in signal handlers, so it neither allocates nor locks, and
 * errno stays as it is.
 */
#ifndef CPROF_PRELOAD_QUESTION_H
#define CPROF_PRELOAD_QUESTION_H

#include <stdbool.h>

#include "heap.h"

/* Remembers whether cprof has started this program. Call it once, before the others. */
HIDDEN void question_init(void);

/* Asks for probes in this process: its program has an allocator of its own. */
HIDDEN void question_bypassed(void);
/* Returns whether the next two are worth their preparation. */
HIDDEN bool question_is_heard(void);
/* Asks for probes in this process, which runs the program in the file `fd` next. */
HIDDEN void question_exec(int fd, bool dynamic);
/* The same for a child, which does not exist yet, or for the code of a plug-in. */
HIDDEN void question_spawn(int fd, bool dynamic);

#endif
