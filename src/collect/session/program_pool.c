/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps loaded BPF objects for the next recordings: see program_pool.h. */
#include "collect/session/program_pool.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "collect/libbpf_log.h"

#define SPARES \
	2u /* so two recordings that begin at once beside others find their programs loaded */
#define KEPT_BYTES (256 << 10) /* of freed memory, by each thread that allocates */

enum pooled_state {
	POOLED_IDLE, /* it may be taken */
	POOLED_LOAD, /* it is to be loaded */
	POOLED_EMPTY, /* it is to be emptied */
	POOLED_BUSY, /* the thread has it */
};

struct pooled {
	struct skeleton *skel;
	skeleton_open_fn open;
	byte_vec settings; /* skeleton_settings() */
	enum pooled_state state;
	bool urgent; /* a recording waits for it */
};

struct program_pool {
	const struct module_maps *maps;
	u32 max;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	VEC(struct pooled *) all; /* the one that was used last is the last */
	u32 used; /* loaded objects that recordings have, and will return */
	pthread_t thread;
	bool running, ending;
	struct program_pool_stats stats;
};

/* ---- the objects that are there; with `lock` ---- */

static void pooled_free(struct pooled *o)
{
	skeleton_free(o->skel);
	vec_release(&o->settings);
	free(o);
}

static void remove_at(struct program_pool *p, size_t i)
{
	memmove(p->all.data + i, p->all.data + i + 1, (p->all.len - i - 1) * sizeof(*p->all.data));
	p->all.len--;
}

static size_t position_of(const struct program_pool *p, const struct pooled *o)
{
	size_t i = 0;

	while (p->all.data[i] != o)
		i++;
	return i;
}

static bool is_like(const struct pooled *o, const struct pooled *like)
{
	return o->open == like->open && o->settings.len == like->settings.len &&
	       !memcmp(o->settings.data, like->settings.data, like->settings.len);
}

/* Returns one with the same settings: an idle one if there is one, else one that will soon be
 * idle. */
static struct pooled *find(const struct program_pool *p, const struct pooled *like)
{
	struct pooled *found = NULL;

	vec_for_each(&p->all, o) {
		if ((!found || found->state != POOLED_IDLE) && is_like(*o, like))
			found = *o;
	}
	return found;
}

static u32 count_like(const struct program_pool *p, const struct pooled *like)
{
	u32 n = 0;

	vec_for_each(&p->all, o)
		n += is_like(*o, like);
	return n;
}

static bool is_double(const struct program_pool *p, const struct pooled *o)
{
	return count_like(p, o) > 1;
}

/* Removes the one that was not used for the longest time, and returns it; NULL if the thread or a
 * recording has each of them, or waits for it. */
static struct pooled *evict(struct program_pool *p, bool only_doubles)
{
	for (size_t i = 0; i < p->all.len; i++) {
		struct pooled *o = p->all.data[i];

		if (o->state != POOLED_BUSY && !o->urgent && (!only_doubles || is_double(p, o))) {
			remove_at(p, i);
			return o;
		}
	}
	return NULL;
}

/* Makes room for `o` if there are as many as there may be. What is used comes before spares, and
 * different settings come before several objects with the same. */
static struct pooled *make_room(struct program_pool *p, const struct pooled *o)
{
	struct pooled *old = NULL;

	if (p->all.len >= p->max)
		old = evict(p, true);
	if (p->all.len >= p->max && o->state == POOLED_EMPTY && !find(p, o))
		old = evict(p, false);
	return old;
}

/* ---- the thread ---- */

static int load_ahead(struct program_pool *p, struct skeleton *s)
{
	int err = module_maps_use(p->maps, s->obj);

	return err ? err : skeleton_load(s);
}

static int make_empty(struct program_pool *p, struct skeleton *s)
{
	/* A program may still be running that began before its link was destroyed. */
	module_maps_wait_programs(p->maps);
	return skeleton_empty(s, module_maps_is_shared);
}

static struct pooled *next_job(const struct program_pool *p)
{
	struct pooled *next = NULL;

	for (size_t i = 0; i < p->all.len; i++) {
		struct pooled *o = p->all.data[i];

		if (o->state != POOLED_IDLE && (!next || (o->urgent && !next->urgent)))
			next = o;
	}
	return next;
}

/* Call it with `lock`, which it releases meanwhile. */
static void work_on(struct program_pool *p, struct pooled *o)
{
	bool load = o->state == POOLED_LOAD;
	int err;

	o->state = POOLED_BUSY;
	pthread_mutex_unlock(&p->lock);
	err = load ? load_ahead(p, o->skel) : make_empty(p, o->skel);
	pthread_mutex_lock(&p->lock);
	p->stats.spares += load && !err;
	o->state = POOLED_IDLE;
	o->urgent = false;
	if (err) {
		remove_at(p, position_of(p, o));
		pooled_free(o);
	}
	pthread_cond_broadcast(&p->changed);
}

static void *work(void *arg)
{
	const struct log *before = libbpf_log_begin(NULL);
	struct program_pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		struct pooled *o = next_job(p);

		if (o)
			work_on(p, o);
		else
			pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	libbpf_log_end(before);
	return NULL;
}

/* Call it with `lock`. Returns whether there is a thread. */
static bool start_thread(struct program_pool *p)
{
	sigset_t all, before;

	if (p->running)
		return true;
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	p->running = !pthread_create(&p->thread, NULL, work, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return p->running;
}

/* Gives the thread an object to work on, or frees it if there are too many. */
static void add(struct program_pool *p, struct pooled *o)
{
	struct pooled *old;
	bool added;

	pthread_mutex_lock(&p->lock);
	old = make_room(p, o);
	added = p->all.len < p->max && !vec_reserve(&p->all, p->all.len + 1) && start_thread(p);
	if (added)
		p->all.data[p->all.len++] = o;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (!added)
		pooled_free(o);
	if (old)
		pooled_free(old);
}

/* ---- taking and returning ---- */

/* Returns NULL without memory; `skel` is then still the caller's. */
static struct pooled *pooled_new(skeleton_open_fn open, struct skeleton *skel,
				 enum pooled_state state)
{
	struct pooled *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	*o = (struct pooled){.open = open, .state = state};
	if (skeleton_settings(skel, &o->settings)) {
		pooled_free(o);
		return NULL;
	}
	o->skel = skel;
	return o;
}

/* Returns an object with the same settings that is loaded and empty; NULL if there is none, and
 * none to wait for. */
static struct skeleton *take(struct program_pool *p, const struct pooled *like)
{
	struct skeleton *skel = NULL;
	struct pooled *o;
	bool waited = false;

	pthread_mutex_lock(&p->lock);
	while ((o = find(p, like)) && o->state != POOLED_IDLE) {
		o->urgent = waited = true;
		pthread_cond_wait(&p->changed, &p->lock);
	}
	if (o) {
		remove_at(p, position_of(p, o));
		skel = o->skel;
		o->skel = NULL;
		pooled_free(o);
	}
	p->stats.reused += skel != NULL;
	p->stats.waited += skel && waited;
	p->stats.loaded += !skel;
	pthread_mutex_unlock(&p->lock);
	return skel;
}

/* A second spare is worth an empty place, but not one that another object has or will return to. */
static bool is_spare_wanted(struct program_pool *p, const struct pooled *like)
{
	u32 spares;
	bool full;

	pthread_mutex_lock(&p->lock);
	spares = count_like(p, like);
	full = p->all.len + p->used >= p->max;
	pthread_mutex_unlock(&p->lock);
	return !spares || (spares < SPARES && !full);
}

static int add_spare(struct program_pool *p, const struct pooled *like)
{
	struct skeleton *opened = like->open();
	struct pooled *spare;

	if (!opened)
		return -ENOMEM;
	spare = skeleton_copy_settings(like->skel, opened)
			? NULL
			: pooled_new(like->open, opened, POOLED_LOAD);
	if (spare)
		add(p, spare);
	else
		skeleton_free(opened);
	return spare ? 0 : -ENOMEM;
}

/* Has other objects with these settings loaded. Without memory, later recordings load their own. */
static void want_spares(struct program_pool *p, const struct pooled *like)
{
	for (u32 i = 0; i < SPARES && is_spare_wanted(p, like); i++) {
		if (add_spare(p, like))
			return;
	}
}

static void note_used(struct program_pool *p, int change)
{
	pthread_mutex_lock(&p->lock);
	p->used += (u32)change;
	pthread_mutex_unlock(&p->lock);
}

static struct skeleton *load_skeleton(struct program_pool *p, struct pooled *o, int *err)
{
	struct skeleton *opened = o->skel, *skel = take(p, o);

	*err = 0;
	if (skel) {
		skeleton_copy_variables(opened, skel);
		skeleton_free(opened);
		o->skel = skel;
	} else {
		*err = skeleton_load(opened);
	}
	if (!*err) {
		note_used(p, 1);
		want_spares(p, o);
	}
	return o->skel;
}

void *program_pool_load(struct program_pool *p, skeleton_open_fn open, void *opened, int *err)
{
	struct pooled *o = p ? pooled_new(open, opened, POOLED_BUSY) : NULL;
	struct skeleton *skel;

	if (!o) {
		*err = skeleton_load(opened);
		if (p && !*err)
			note_used(p, 1);
		return opened;
	}
	skel = load_skeleton(p, o, err);
	o->skel = NULL;
	pooled_free(o);
	return skel;
}

void program_pool_return(struct program_pool *p, skeleton_open_fn open, void *skel)
{
	struct skeleton *s = skel;
	struct pooled *o = NULL;

	if (p && s && skeleton_is_loaded(s)) {
		note_used(p, -1);
		bpf_object__detach_skeleton(s->skeleton);
		o = pooled_new(open, s, POOLED_EMPTY);
	}
	if (o)
		add(p, o);
	else
		skeleton_free(s);
}

/* ---- the rest ---- */

struct program_pool_stats program_pool_stats(struct program_pool *p)
{
	struct program_pool_stats s = {0};

	if (!p)
		return s;
	pthread_mutex_lock(&p->lock);
	s = p->stats;
	vec_for_each(&p->all, o)
		s.idle += (*o)->state == POOLED_IDLE;
	pthread_mutex_unlock(&p->lock);
	return s;
}

void program_pool_settle(struct program_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	while (next_job(p))
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

/*
 * libbpf needs some 10 MB for a moment to load an object, most of it for the kernel's types. Once
 * such memory was freed for the first time, glibc no longer gives it back (mallopt(3):
 * M_MMAP_THRESHOLD), unless the program chooses.
 */
static void return_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

int program_pool_new(const struct module_maps *maps, u32 max, struct program_pool **out)
{
	struct program_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	return_memory();
	p->maps = maps;
	p->max = max;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	*out = p;
	return 0;
}

void program_pool_free(struct program_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (p->running)
		pthread_join(p->thread, NULL);
	vec_for_each(&p->all, o)
		pooled_free(*o);
	vec_release(&p->all);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
