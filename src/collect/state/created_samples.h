/* SPDX-License-Identifier: Apache-2.0 */
/* Converts created threads and processes to samples: values, and labels that name them. */
#ifndef CPROF_COLLECT_CREATED_SAMPLES_H
#define CPROF_COLLECT_CREATED_SAMPLES_H

#include "collect/session/bpf_session.h"

struct created_names {
	char (*texts)[COMM_LEN]; /* CREATED_MAX_NAMES + 1 of them, by number */
	bool processes; /* samples are of processes */
};

int created_names_init(struct created_names *n, bool processes) MUST_CHECK;
void created_names_release(struct created_names *n);
/* Reads the names that programs have met, from their map. Returns 0 or -ENOMEM. */
int created_names_read(struct created_names *n, int map_fd) MUST_CHECK;

/* Gives a profile its sample types. */
int created_describe(bool processes, struct profile *p) MUST_CHECK;
struct sample_mapping created_mapping(struct created_names *n); /* borrows it */

/*
 * Once functions have names, makes the start routine, which is the leaf of the stack until then,
 * the label "start".
 */
int created_refine(struct profile *p, const void *options) MUST_CHECK;

#endif
