/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, queues and frees requests to the loader: see loader_job.h. */
#include "collect/session/loader_job.h"

#include <stdlib.h>
#include <string.h>

void put_job(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

struct job *take_job(struct queue *queue)
{
	struct job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	return job;
}

void code_result_free(struct code_result *r)
{
	if (!r)
		return;
	code_met_free(r->met);
	for (u32 i = 0; i < r->n; i++)
		vec_release(&r->parts[i].rows);
	free(r);
}

void job_free(struct job *job)
{
	if (job->answer)
		code_result_free(job->answer->result.code);
	free(job->answer);
	for (u32 i = 0; i < job->naround; i++)
		free(job->around[i].path);
	free(job->q.entry.path);
	free(job);
}

struct job *job_new(const struct module_request *q)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->q = *q;
	job->q.entry.path = q->entry.path ? strdup(q->entry.path) : NULL;
	job->answer = calloc(1, sizeof(*job->answer));
	if (job->answer && (job->q.entry.path || !q->entry.path))
		return job;
	job_free(job);
	return NULL;
}

void release_result(struct module_result *r)
{
	code_result_free(r->code);
	module_free(r->module);
	module_rows_release(&r->rows);
}

struct job *code_job_new(const struct code_request *q)
{
	struct job *job = calloc(1, sizeof(*job));
	struct code_result *r = calloc(1, sizeof(*r));

	if (job)
		job->answer = calloc(1, sizeof(*job->answer));
	if (!r || !job || !job->answer) {
		free(r);
		if (job)
			job_free(job);
		return NULL;
	}
	r->number = q->number;
	r->met = q->met;
	r->n = q->n;
	memcpy(r->offs, q->offs, sizeof(r->offs));
	job->module = q->module;
	job->answer->result.code = r;
	return job;
}

void drop_queue(struct queue *queue)
{
	struct job *job;

	while ((job = take_job(queue)))
		job_free(job);
}
