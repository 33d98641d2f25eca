/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the recordings that have probes in a process: see probed_processes.h. */
#include "collect/session/probed_processes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"

struct probed {
	pid_t tgid;
	u32 recordings;
	UT_hash_handle hh;
};

struct probed_processes {
	pthread_mutex_t lock; /* of all below */
	struct probed *all;
};

static struct probed *find(const struct probed_processes *p, pid_t tgid)
{
	struct probed *it;

	HASH_FIND(hh, p->all, &tgid, sizeof(tgid), it);
	return it;
}

static struct probed *make(struct probed_processes *p, pid_t tgid)
{
	struct probed *it = calloc(1, sizeof(*it));

	if (!it)
		return NULL;
	it->tgid = tgid;
	HASH_ADD(hh, p->all, tgid, sizeof(it->tgid), it);
	if (HASH_ADDED(it))
		return it;
	free(it);
	return NULL;
}

bool probed_processes_add(struct probed_processes *p, pid_t tgid)
{
	struct probed *it;

	pthread_mutex_lock(&p->lock);
	it = find(p, tgid);
	if (!it)
		it = make(p, tgid);
	if (it)
		it->recordings++;
	pthread_mutex_unlock(&p->lock);
	return it;
}

void probed_processes_remove(struct probed_processes *p, pid_t tgid)
{
	struct probed *it;

	pthread_mutex_lock(&p->lock);
	it = find(p, tgid);
	if (it && !--it->recordings) {
		HASH_DEL(p->all, it);
		free(it);
	}
	pthread_mutex_unlock(&p->lock);
}

u32 probed_processes_count(struct probed_processes *p, pid_t tgid)
{
	const struct probed *it;
	u32 n;

	pthread_mutex_lock(&p->lock);
	it = find(p, tgid);
	n = it ? it->recordings : 0;
	pthread_mutex_unlock(&p->lock);
	return n;
}

int probed_processes_new(struct probed_processes **out)
{
	struct probed_processes *p = calloc(1, sizeof(*p));

	*out = p;
	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	return 0;
}

void probed_processes_free(struct probed_processes *p)
{
	struct probed *it, *next;

	if (!p)
		return;
	HASH_ITER(hh, p->all, it, next) {
		HASH_DEL(p->all, it);
		free(it);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}
