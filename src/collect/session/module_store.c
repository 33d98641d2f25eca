/* SPDX-License-Identifier: Apache-2.0 */
/* Holds the files of all recordings: see module_store.h. */
#include "collect/session/module_store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/readers.h"
#include "collect/session/machine.h"
#include "collect/session/module_store_impl.h"
#include "collect/session/probed_processes.h"
#include "collect/session/program_pool.h"
#include "symbol/name_cache.h"

#define MIN_FILES 16u

void store_notify(struct module_store *s)
{
	const u64 one = 1;

	pthread_mutex_lock(&s->events);
	for (u32 i = 0; i < STORE_USERS_MAX; i++) {
		if (s->users[i].used && write(s->users[i].event, &one, sizeof(one)) < 0)
			continue; /* it is full, so it is readable anyway */
	}
	pthread_mutex_unlock(&s->events);
}

/* A thread of the loader has a result, and any recording may be waiting for it. */
static void notify(void *arg)
{
	store_notify(arg);
}

struct readers *module_store_readers(struct module_store *s)
{
	return s->o.readers;
}

struct name_cache *module_store_names(struct module_store *s)
{
	return s->names;
}

struct program_pool *module_store_programs(struct module_store *s)
{
	return s->programs;
}

struct machine *module_store_machine(struct module_store *s)
{
	return s ? s->machine : NULL;
}

struct probed_processes *module_store_probed(struct module_store *s)
{
	return s ? s->probed : NULL;
}

int module_store_use(struct module_store *s, struct bpf_object *obj)
{
	return s->maps_err ? s->maps_err : module_maps_use(&s->maps, obj);
}

void module_store_stats(struct module_store *s, struct module_store_stats *out)
{
	pthread_mutex_lock(&s->lock);
	*out = (struct module_store_stats){.opened = s->opened,
					   .compiled = s->compiled,
					   .nevicted = s->nevicted,
					   .nloaded = s->nloaded,
					   .kept = (u32)s->evicted.len,
					   .failed = s->failed,
					   .chunks = tables_size(s->tables).chunks,
					   .pages = tables_size(s->tables).pages};
	vec_for_each(&s->evicted, f)
		out->closed += (*f)->module->closed;
	pthread_mutex_unlock(&s->lock);
}

/* ---- life ------------------------------------------------------------------------------------ */

static u32 or_usual(u32 value, u32 usual)
{
	return value ? value : usual;
}

/*
 * Each open file takes two descriptors, its own and that of its process' root. Half of the
 * descriptors that cprof may have are left for probes, events and maps.
 */
static u32 affordable_files(u32 usual)
{
	struct rlimit limit;
	u64 most;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return usual;
	most = limit.rlim_cur / 8 > MIN_FILES ? limit.rlim_cur / 8 : MIN_FILES;
	return most < usual ? (u32)most : usual;
}

static void set_options(struct module_store *s, const struct module_store_options *opt)
{
	s->o = *opt;
	s->o.max_files = or_usual(opt->max_files, affordable_files(MODULE_STORE_FILES));
	s->o.max_pages = or_usual(opt->max_pages, MODULE_STORE_PAGES);
	s->o.max_kept = or_usual(opt->max_kept, affordable_files(MODULE_STORE_KEPT));
	s->o.idle_ms = or_usual(opt->idle_ms, MODULE_STORE_IDLE_MS);
	s->o.grace_ms = or_usual(opt->grace_ms, MODULE_STORE_GRACE_MS);
	s->o.readers = opt->readers ? readers_share(opt->readers) : NULL;
}

/* Loads the vdso, which is available already. */
static void load_vdso(struct module_store *s)
{
	struct module *vdso = s->special[MODULE_VDSO];
	struct module_rows compiled;
	struct rows *rows = NULL;
	int err = module_rows_compile(vdso, &compiled);

	if (!err)
		err = module_rows_join(&compiled, tables_rules(s->tables), &rows);
	if (!err)
		err = tables_load(s->tables, MODULE_VDSO, rows);
	if (err)
		tables_set_missing(s->tables, MODULE_VDSO,
				   err == -ENOSPC ? TABLE_POOL_FULL : TABLE_NOT_MISSING);
	rows_free(rows);
	module_rows_release(&compiled);
}

static int make_parts(struct module_store *s)
{
	int err;

	s->maps_err = module_maps_open(&s->maps);
	if (!s->maps_err) /* if there are none, tables are in plain memory */
		s->maps.state->epoch = 1;
	err = tables_new(&s->maps.tables, &s->tables);
	if (!err)
		err = module_new_special(MODULE_KIND_KERNEL, NULL, 0, &s->special[MODULE_KERNEL]);
	if (!err)
		err = module_new_special(MODULE_KIND_VDSO, NULL, 0, &s->special[MODULE_VDSO]);
	if (!err)
		err = name_cache_new(MODULE_STORE_NAMES, &s->names);
	if (!err)
		err = machine_new(&s->machine);
	if (!err)
		err = probed_processes_new(&s->probed);
	if (!err && s->o.max_programs && !s->maps_err)
		err = program_pool_new(&s->maps, s->o.max_programs, &s->programs);
	return err ? err : module_loader_new(s->o.readers, notify, s, &s->loader);
}

int module_store_new(const struct module_store_options *opt, struct module_store **out)
{
	struct module_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->owners = 1;
	s->next_slot = MODULE_FIRST_FILE;
	s->maps = MODULE_MAPS_NONE;
	pthread_rwlock_init(&s->walks, NULL);
	pthread_mutex_init(&s->events, NULL);
	pthread_mutex_init(&s->lock, NULL);
	set_options(s, opt);
	err = make_parts(s);
	if (err) {
		module_store_free(s);
		return err;
	}
	load_vdso(s);
	*out = s;
	return 0;
}

struct module_store *module_store_share(struct module_store *s)
{
	__atomic_fetch_add(&s->owners, 1, __ATOMIC_RELAXED);
	return s;
}

static void free_files(struct module_store *s)
{
	struct store_file *f, *next;

	HASH_ITER(hh, s->files, f, next) {
		HASH_DEL(s->files, f);
		store_file_free(s, f);
	}
	vec_for_each(&s->evicted, it)
		store_file_free(s, *it);
	vec_release(&s->evicted);
	for (u32 i = 0; i < MODULE_FIRST_FILE; i++)
		module_free(s->special[i]);
}

void module_store_free(struct module_store *s)
{
	if (!s || __atomic_sub_fetch(&s->owners, 1, __ATOMIC_ACQ_REL))
		return;
	program_pool_free(s->programs);
	module_loader_free(s->loader);
	store_drop_asked(s);
	store_moved_drop(s);
	free_files(s);
	tables_free(s->tables);
	module_maps_close(&s->maps);
	name_cache_free(s->names);
	machine_free(s->machine);
	probed_processes_free(s->probed);
	readers_free(s->o.readers);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->events);
	pthread_rwlock_destroy(&s->walks);
	free(s);
}
