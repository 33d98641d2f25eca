/* SPDX-License-Identifier: Apache-2.0 */
/* Remembers the names of addresses: see name_cache.h. */
#include "symbol/name_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* This entry describes the file as a whole. No code is at the last address. */
#define FILE_ENTRY UINT64_MAX

struct name_key {
	u64 file, vaddr;
};

struct name_entry {
	struct name_key key;
	UT_hash_handle hh;
	size_t bytes;
	enum name_source source;
	u32 n;
	struct dwarf_frame frames[]; /* their strings follow */
};

struct name_cache {
	pthread_mutex_t lock;
	size_t max, bytes;
	u64 hits, misses;
	struct name_entry *entries; /* in the order in which they were added */
};

int name_cache_new(size_t max_bytes, struct name_cache **out)
{
	struct name_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->max = max_bytes;
	*out = c;
	return 0;
}

static void drop(struct name_cache *c, struct name_entry *e)
{
	HASH_DEL(c->entries, e);
	c->bytes -= e->bytes;
	free(e);
}

void name_cache_free(struct name_cache *c)
{
	struct name_entry *e, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->entries, e, next)
		drop(c, e);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct name_entry *find(const struct name_cache *c, u64 file, u64 vaddr)
{
	const struct name_key key = {file, vaddr};
	struct name_entry *e;

	HASH_FIND(hh, c->entries, &key, sizeof(key), e);
	return e;
}

/* ---- frames and their strings ---------------------------------------------------------------- */

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static size_t strings_size(const struct dwarf_frame *f)
{
	return size_of(f->name) + size_of(f->linkage_name) + size_of(f->file) +
	       size_of(f->directory);
}

static const char *copy_string(char **to, const char *text)
{
	char *copy = *to;

	if (!text)
		return NULL;
	*to += size_of(text);
	return memcpy(copy, text, size_of(text));
}

static void copy_frame(char **to, struct dwarf_frame *out, const struct dwarf_frame *f)
{
	*out = *f;
	out->name = copy_string(to, f->name);
	out->linkage_name = copy_string(to, f->linkage_name);
	out->file = copy_string(to, f->file);
	out->directory = copy_string(to, f->directory);
}

static struct name_entry *entry_new(const struct name_key *key, enum name_source source,
				    const struct dwarf_frame *frames, u32 n)
{
	size_t bytes = sizeof(struct name_entry) + n * sizeof(*frames);
	struct name_entry *e;
	char *strings;

	for (u32 i = 0; i < n; i++)
		bytes += strings_size(&frames[i]);
	e = calloc(1, bytes);
	if (!e)
		return NULL;
	e->key = *key;
	e->bytes = bytes;
	e->source = source;
	e->n = n;
	strings = (char *)&e->frames[n];
	for (u32 i = 0; i < n; i++)
		copy_frame(&strings, &e->frames[i], &frames[i]);
	return e;
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static void add(struct name_cache *c, struct name_entry *e)
{
	HASH_ADD(hh, c->entries, key, sizeof(e->key), e);
	if (!HASH_ADDED(e)) {
		free(e);
		return;
	}
	c->bytes += e->bytes;
	while (c->bytes > c->max)
		drop(c, c->entries);
}

/* Remembers an answer, unless no memory is left. */
static void put(struct name_cache *c, u64 file, u64 vaddr, enum name_source source,
		const struct dwarf_frame *frames, u32 n)
{
	const struct name_key key = {file, vaddr};
	struct name_entry *e = entry_new(&key, source, frames, n);

	if (!e)
		return;
	pthread_mutex_lock(&c->lock);
	if (find(c, file, vaddr))
		free(e);
	else
		add(c, e);
	pthread_mutex_unlock(&c->lock);
}

/* Returns false if nothing is remembered of the address. */
static bool answer(struct name_cache *c, u64 file, u64 vaddr, module_name_fn found, void *arg,
		   size_t which, int *err)
{
	struct name_entry *e;

	pthread_mutex_lock(&c->lock);
	e = find(c, file, vaddr);
	c->hits += e != NULL;
	c->misses += !e;
	if (e)
		*err = found(arg, which, e->source, e->frames, e->n);
	pthread_mutex_unlock(&c->lock);
	return e != NULL;
}

/*
 * A file without debug information has an entry as well. If some of the debug information could not
 * be read, the entry has a frame with the reason as its name.
 */
static void put_info(struct name_cache *c, u64 file, const struct module_names_info *info)
{
	const struct dwarf_frame reason = {.name = info->unread};

	if (info->unread[0])
		put(c, file, FILE_ENTRY, NAME_FROM_NOTHING, &reason, 1);
	else if (!info->has_dwarf)
		put(c, file, FILE_ENTRY, NAME_FROM_NOTHING, NULL, 0);
}

static void get_info(struct name_cache *c, u64 file, struct module_names_info *info)
{
	const struct name_entry *e;

	pthread_mutex_lock(&c->lock);
	e = find(c, file, FILE_ENTRY);
	info->has_dwarf = !e || e->n;
	if (e && e->n)
		snprintf(info->unread, sizeof(info->unread), "%s", e->frames[0].name);
	pthread_mutex_unlock(&c->lock);
}

/* ---- addresses that are not remembered ------------------------------------------------------- */

struct new_addresses {
	struct name_cache *cache;
	u64 file;
	u64 *vaddrs;
	size_t *which; /* the caller's numbers */
	size_t n;
	module_name_fn found;
	void *arg;
};

static int found_new(void *arg, size_t i, enum name_source source, const struct dwarf_frame *frames,
		     u32 n)
{
	const struct new_addresses *fresh = arg;

	put(fresh->cache, fresh->file, fresh->vaddrs[i], source, frames, n);
	return fresh->found(fresh->arg, fresh->which[i], source, frames, n);
}

static int answer_known(struct new_addresses *fresh, const u64 *vaddrs, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (answer(fresh->cache, fresh->file, vaddrs[i], fresh->found, fresh->arg, i, &err))
			continue;
		fresh->which[fresh->n] = i;
		fresh->vaddrs[fresh->n++] = vaddrs[i];
	}
	return err;
}

int name_cache_resolve(struct name_cache *c, struct names_process *np, struct module *m,
		       const u64 *vaddrs, size_t n, const struct budget_watch *watch,
		       module_name_fn found, void *arg, struct module_names_info *info)
{
	struct new_addresses fresh = {.cache = c, .file = m->id, .found = found, .arg = arg};
	int err;

	if (!c || !m->id)
		return names_process_resolve(np, m, vaddrs, n, watch, found, arg, info);
	*info = (struct module_names_info){0};
	fresh.vaddrs = malloc((n + 1) * sizeof(*fresh.vaddrs));
	fresh.which = malloc((n + 1) * sizeof(*fresh.which));
	err = fresh.vaddrs && fresh.which ? answer_known(&fresh, vaddrs, n) : -ENOMEM;
	if (!err && !fresh.n)
		get_info(c, m->id, info);
	else if (!err)
		err = names_process_resolve(np, m, fresh.vaddrs, fresh.n, watch, found_new, &fresh,
					    info);
	if (!err && fresh.n)
		put_info(c, m->id, info);
	free(fresh.vaddrs);
	free(fresh.which);
	return err;
}

struct name_cache_stats name_cache_stats(struct name_cache *c)
{
	struct name_cache_stats stats;

	pthread_mutex_lock(&c->lock);
	stats = (struct name_cache_stats){.hits = c->hits,
					  .misses = c->misses,
					  .bytes = c->bytes,
					  .addresses = HASH_COUNT(c->entries)};
	pthread_mutex_unlock(&c->lock);
	return stats;
}
