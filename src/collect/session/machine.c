/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what was found out about this machine: see machine.h. */
#include "collect/session/machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct machine {
	pthread_mutex_t lock; /* of all below; it is held while something is tried */
	struct features uprobes;
	bool knows_uprobes;
	struct probe_costs costs[2]; /* of perf events, of links */
	bool knows_costs[2];
	u32 measured;
};

void machine_uprobes(struct machine *m, struct features *out)
{
	if (!m) {
		features_probe_uprobes(out);
		return;
	}
	pthread_mutex_lock(&m->lock);
	if (!m->knows_uprobes)
		features_probe_uprobes(&m->uprobes);
	m->knows_uprobes = true;
	*out = m->uprobes;
	pthread_mutex_unlock(&m->lock);
}

int machine_probe_costs(struct machine *m, bool links, probe_measure_fn measure, void *arg,
			struct probe_costs *out)
{
	int err = 0;

	if (!m)
		return measure(arg, out);
	pthread_mutex_lock(&m->lock);
	if (!m->knows_costs[links]) {
		err = measure(arg, &m->costs[links]);
		m->knows_costs[links] = !err;
		m->measured += !err;
	}
	if (!err)
		*out = m->costs[links];
	pthread_mutex_unlock(&m->lock);
	return err;
}

u32 machine_measured(struct machine *m)
{
	u32 n;

	pthread_mutex_lock(&m->lock);
	n = m->measured;
	pthread_mutex_unlock(&m->lock);
	return n;
}

int machine_new(struct machine **out)
{
	struct machine *m = calloc(1, sizeof(*m));

	*out = m;
	if (!m)
		return -ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	return 0;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}
