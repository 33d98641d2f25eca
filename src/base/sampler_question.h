/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How libcprof-heap.so (preload/) asks cprof for probes, where it is not in front of an allocator.
 *
 * It takes the next number, fires one of the probes cprof_heap:bypassed, exec and spawn, and
 * waits until that number has been answered, nobody listens to the probe any more, or
 * SAMPLER_WAIT_NS have passed. cprof answers by writing the number into the memory of the
 * process, when the probes are there. The answers of a process and of its vfork children are in
 * the same place.
 */
#ifndef CPROF_BASE_SAMPLER_QUESTION_H
#define CPROF_BASE_SAMPLER_QUESTION_H

#include <stdint.h>

#define SAMPLER_MAGIC UINT64_C(0x6b7361666f727063) /* "cprofask" */
#define SAMPLER_WAIT_NS UINT64_C(300000000)

/* Its address is the first argument of these probes. */
struct sampler_answers {
	uint64_t magic; /* SAMPLER_MAGIC */
	uint64_t asked; /* the last number that was taken */
	uint64_t answered; /* the highest number that was answered */
};

/* The third argument of exec and spawn has the descriptor of the program's file in its lower half,
 * and these flags. */
#define SAMPLER_FILE_DYNAMIC (UINT64_C(1) << 32) /* a dynamic linker loads its libraries */

#endif
