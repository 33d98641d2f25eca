/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait for a thread of the loader (module_loader.c), and their answers. */
#ifndef CPROF_COLLECT_LOADER_JOB_H
#define CPROF_COLLECT_LOADER_JOB_H

#include "collect/session/module_loader.h"

struct answer {
	struct module_result result;
	struct answer *next;
};

struct job {
	struct module_request q;
	/* of moved text: the files that are mapped around it */
	struct map_entry around[MOVED_TEXT_AROUND];
	u32 naround;
	const struct module *module; /* if code is to be followed */
	/* allocated with the request, so the answer cannot fail for lack of memory */
	struct answer *answer;
	struct job *next;
};

struct queue {
	struct job *first, **last;
};

/* `first` is NULL and `last` its address while it is empty. It is not thread-safe. */
void put_job(struct queue *queue, struct job *job);
struct job *take_job(struct queue *queue); /* NULL if there is none */
void drop_queue(struct queue *queue);

/* Copy the request; NULL without memory. */
struct job *job_new(const struct module_request *q);
struct job *code_job_new(const struct code_request *q);
void job_free(struct job *job);
void release_result(struct module_result *r);

#endif
