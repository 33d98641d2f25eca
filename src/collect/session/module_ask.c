/* SPDX-License-Identifier: Apache-2.0 */
/* Requests files and takes in those that have been loaded: see module_store.h. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "collect/session/module_store_impl.h"

/*
 * A process that is gone has most likely taken its mapping with it, and the file is loaded for the
 * next one that maps it. Any other failure will repeat, and each try costs a stack that is copied,
 * so tries become less and less frequent.
 */
#define GONE_TRIES 3u /* at once */
#define GONE_AGAIN_MS 50u
#define FAILED_AGAIN_MS 1000u
#define AGAIN_MAX_MS 60000u
#define FAILED_MAX \
	1024u /* how many are remembered; beyond that, the next one may be requested again */

/* ---- tables by key --------------------------------------------------------------------------- */

struct store_key store_key_of(u64 inode, u32 dev_major, u32 dev_minor)
{
	return (struct store_key){inode, (u64)dev_major << 32 | dev_minor};
}

struct store_file *store_find(struct module_store *s, const struct store_key *key)
{
	struct store_file *f;

	HASH_FIND(hh, s->files, key, sizeof(*key), f);
	return f;
}

void store_set_state(struct module_store *s, struct store_file *f, enum store_state state)
{
	s->nloaded -= f->state == STORE_LOADED;
	s->failed -= f->state == STORE_FAILED;
	s->nloaded += state == STORE_LOADED;
	s->failed += state == STORE_FAILED;
	f->state = state;
}

static struct store_file *file_new(struct module_store *s, const struct store_key *key)
{
	struct store_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->key = *key;
	pthread_mutex_init(&f->elf, NULL);
	HASH_ADD(hh, s->files, key, sizeof(f->key), f);
	if (HASH_ADDED(f))
		return f;
	free(f);
	return NULL;
}

static struct asked_key asked_key_of(pid_t tgid, u64 start, u64 end)
{
	return (struct asked_key){(u64)tgid, start, end};
}

static struct asked_mapping *find_asked(struct module_store *s, pid_t tgid, u64 start, u64 end)
{
	const struct asked_key key = asked_key_of(tgid, start, end);
	struct asked_mapping *a;

	HASH_FIND(hh, s->asked, &key, sizeof(key), a);
	return a;
}

static struct asked_mapping *asked_of(struct module_store *s, const struct module_request *q)
{
	struct asked_mapping *a = find_asked(s, q->tgid, q->entry.start, q->entry.end);

	if (a)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->key = asked_key_of(q->tgid, q->entry.start, q->entry.end);
	HASH_ADD(hh, s->asked, key, sizeof(a->key), a);
	if (HASH_ADDED(a))
		return a;
	free(a);
	return NULL;
}

static void forget_asked(struct module_store *s, struct asked_mapping *a)
{
	if (a->times)
		return;
	HASH_DEL(s->asked, a);
	free(a);
}

void store_drop_asked(struct module_store *s)
{
	struct asked_mapping *a, *next;

	HASH_ITER(hh, s->asked, a, next) {
		HASH_DEL(s->asked, a);
		free(a);
	}
}

/* ---- what the kernel is told ---- */

static void set_number(struct module_store *s, u64 token, u32 number)
{
	if (token && s->maps.modules_fd >= 0)
		bpf_map_update_elem(s->maps.modules_fd, &token, &number, BPF_ANY);
}

void store_allow_request(struct module_store *s, u64 token)
{
	if (token && s->maps.modules_fd >= 0)
		bpf_map_delete_elem(s->maps.modules_fd, &token);
}

u32 store_code_number(const struct store_file *f)
{
	return f->module && module_is_generated(f->module) ? MODULE_ANON : f->number;
}

/* If no memory is left to record the token for removal, the kernel is not told. */
static void tell(struct module_store *s, struct store_file *f, u64 token, u32 number)
{
	bool known = false;

	if (!token)
		return;
	vec_for_each(&f->tokens, t)
		known |= *t == token;
	if (known || !vec_push(&f->tokens, token))
		set_number(s, token, number);
	else
		store_allow_request(s, token);
}

static void allow_requests(struct module_store *s, struct store_file *f)
{
	vec_for_each(&f->tokens, t)
		store_allow_request(s, *t);
	f->tokens.len = 0;
}

void store_free_tokens(struct module_store *s)
{
	u64 key, next;
	u32 number;
	int err;

	if (s->maps.modules_fd < 0)
		return;
	err = bpf_map_get_next_key(s->maps.modules_fd, NULL, &next);
	while (!err) {
		key = next;
		err = bpf_map_get_next_key(s->maps.modules_fd, &key, &next);
		if (!bpf_map_lookup_elem(s->maps.modules_fd, &key, &number) && !number)
			store_allow_request(s, key);
	}
}

/* ---- requests -------------------------------------------------------------------------------- */

static int ask(struct module_store *s, u32 user, const struct module_request *q)
{
	struct asked_mapping *a = asked_of(s, q);
	int err;

	if (!a)
		return -ENOMEM;
	err = module_loader_ask(s->loader, q);
	a->times += !err;
	a->users |= 1ull << user;
	forget_asked(s, a);
	return err;
}

void store_refuse_record(struct module_store *s, const struct module_request *q)
{
	if (q->moved)
		store_moved_allow_request(s, q->token, q->entry.start, q->entry.end);
	else
		store_allow_request(s, q->token);
}

int store_ask_record(struct module_store *s, u32 user, const struct module_request *q)
{
	int err = ask(s, user, q);

	if (err)
		store_refuse_record(s, q);
	return err;
}

struct store_file *store_ask_file(struct module_store *s, u32 user, pid_t tgid,
				  const struct map_entry *e)
{
	const struct store_key key = store_key_of(e->inode, e->dev_major, e->dev_minor);
	const struct module_request q = {.tgid = tgid, .entry = *e};
	struct store_file *f = store_find(s, &key);

	if (f && (f->state != STORE_FAILED || monotonic_ms() < f->again_ms))
		return f;
	if (!f)
		f = file_new(s, &key);
	if (!f)
		return NULL;
	store_set_state(s, f, STORE_LOADING);
	if (!ask(s, user, &q))
		return f;
	store_set_state(s, f, STORE_FAILED);
	f->failed_ms = monotonic_ms();
	f->again_ms = f->failed_ms + FAILED_AGAIN_MS;
	return f;
}

bool store_is_asked(struct module_store *s, pid_t tgid, const struct map_entry *e)
{
	return find_asked(s, tgid, e->start, e->end);
}

bool store_awaits(struct module_store *s, u32 user)
{
	struct asked_mapping *a, *next;

	HASH_ITER(hh, s->asked, a, next) {
		if (a->users >> user & 1)
			return true;
	}
	return store_follows(s, user);
}

/* ---- files that failed ----------------------------------------------------------------------- */

static bool is_gone(int err)
{
	return err == -ESRCH || err == -ESTALE || err == -ENOENT;
}

static u64 pause_ms(u32 tries, int err)
{
	u64 ms = is_gone(err) ? GONE_AGAIN_MS : FAILED_AGAIN_MS;

	if (is_gone(err) && tries <= GONE_TRIES)
		return 0;
	for (u32 i = is_gone(err) ? GONE_TRIES + 1 : 1; i < tries && ms < AGAIN_MAX_MS; i++)
		ms *= 2;
	return ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS;
}

static void take_failure(struct module_store *s, const struct module_result *r, int err,
			 const struct log *log)
{
	const struct store_key key = r->inode ? store_key_of(r->inode, r->dev_major, r->dev_minor)
					      : (struct store_key){r->token, NO_DEVICE};
	struct store_file *f = store_find(s, &key);
	u64 pause;

	log_debug(log, "cannot open what PID %d maps at %llx: %s", (int)r->tgid,
		  (unsigned long long)r->start, error_reason(err));
	if (!f)
		f = file_new(s, &key);
	if (f && f->state == STORE_LOADED)
		return;
	pause = f ? pause_ms(++f->tries, err) : 0;
	if (f) {
		store_set_state(s, f, STORE_FAILED);
		f->failed_ms = monotonic_ms();
		f->again_ms = f->failed_ms + pause;
	}
	if (pause)
		tell(s, f, r->token, err == -ENOSPC ? MODULE_UNNUMBERED : MODULE_UNKNOWN);
	else
		store_allow_request(s, r->token);
}

static void forget_failed(struct module_store *s, struct store_file *f)
{
	HASH_DEL(s->files, f);
	store_set_state(s, f, STORE_EVICTED);
	store_file_free(s, f);
}

/* The process that maps it may be gone by now; then it stays as it is. */
static void ask_for_unread(struct module_store *s, struct store_file *f, u64 now)
{
	const struct module_request q = {.tgid = f->tgid,
					 .entry = {.start = f->start, .end = f->end}};

	if (!f->module->unread || now < f->again_ms)
		return;
	f->again_ms = now + READERS_AGAIN_MS;
	(void)!module_loader_ask(s->loader, &q);
}

void store_ask_again(struct module_store *s, u64 now)
{
	struct store_file *f, *next;

	HASH_ITER(hh, s->files, f, next) {
		if (f->state == STORE_LOADED)
			ask_for_unread(s, f, now);
		if (f->state != STORE_FAILED || now < f->again_ms)
			continue;
		allow_requests(s, f);
		/* Tables of mappings may contain the number (module_set_place). */
		if (f->users)
			continue;
		if (now > f->failed_ms + 2 * AGAIN_MAX_MS || s->failed > FAILED_MAX)
			forget_failed(s, f);
	}
}

/* ---- results --------------------------------------------------------------------------------- */

static void answered(struct module_store *s, const struct module_result *r)
{
	struct asked_mapping *a = find_asked(s, r->tgid, r->start, r->end);

	if (!a)
		return;
	a->times--;
	forget_asked(s, a);
}

static void load_rows(struct module_store *s, const struct store_file *f, struct module_result *r,
		      const struct log *log)
{
	struct rows *rows = NULL;
	int err = r->rows_err;

	s->compiled += !err;
	if (!err)
		err = module_rows_join(&r->rows, tables_rules(s->tables), &rows);
	if (!err)
		err = tables_load(s->tables, f->number, rows);
	if (err == -ENOSPC)
		tables_set_missing(s->tables, f->number, TABLE_POOL_FULL);
	if (err && !module_is_generated(f->module))
		log_info(log, "no unwind table for %s: %s", f->module->path, error_reason(err));
	else if (!err)
		log_debug(log, "%s: %u rows", f->module->path, rows->nrows);
	rows_free(rows);
}

/* The file answers by now. */
static void replace_unread(struct module_store *s, struct store_file *f, struct module_result *r,
			   const struct log *log)
{
	struct module *m = f->module;

	if (!m->unread || !r->module || r->module->unread)
		return;
	m->elf = r->module->elf;
	m->build_id = r->module->build_id;
	m->unread = false;
	r->module->elf = NULL;
	tables_set_missing(s->tables, f->number, TABLE_NOT_MISSING);
	load_rows(s, f, r, log);
}

static u64 all_users(const struct module_store *s)
{
	u64 users = 0;

	for (u32 i = 0; i < STORE_USERS_MAX; i++)
		users |= (u64)s->users[i].used << i;
	return users;
}

/* Gives the file a number. A file without a table also gets one, so that its frames have a name. */
static int fill(struct module_store *s, struct store_file *f, struct module_result *r,
		const struct log *log)
{
	if (f->number == MODULE_NONE)
		f->number = store_take_number(s);
	if (f->number == MODULE_NONE)
		return -ENOSPC;
	s->by_number[f->number] = f;
	s->opened++;
	store_set_state(s, f, STORE_LOADED);
	f->tries = 0;
	f->module = r->module;
	r->module = NULL;
	f->users |= all_users(s); /* their programs may use it from now on */
	f->seen_ms = monotonic_ms();
	if (!f->module->unread) {
		load_rows(s, f, r, log);
		return 0;
	}
	f->tgid = r->tgid;
	f->start = r->start;
	f->end = r->end;
	f->again_ms = f->seen_ms + READERS_AGAIN_MS;
	tables_set_missing(s->tables, f->number, TABLE_UNREAD);
	return 0;
}

static void take_one(struct module_store *s, struct module_result *r, const struct log *log)
{
	const struct store_key key = store_key_of(r->inode, r->dev_major, r->dev_minor);
	struct store_file *f = NULL;
	int err = r->err;

	answered(s, r);
	if (!err) {
		f = store_find(s, &key);
		/* The file was evicted after the loader found it known. */
		if ((!f || f->state != STORE_LOADED) && !r->module)
			err = -ESTALE;
	}
	if (!err && !f)
		f = file_new(s, &key);
	if (!err && !f)
		err = -ENOMEM;
	if (!err && f->state == STORE_LOADED)
		replace_unread(s, f, r, log);
	else if (!err)
		err = fill(s, f, r, log);
	if (r->moved)
		store_take_moved(s, r, f, err);
	else if (err)
		take_failure(s, r, err, log);
	else
		tell(s, f, r->token, store_code_number(f));
	if (err && r->inode &&
	    r->module) /* the file was evicted, so the loader must open it again */
		module_loader_forget(s->loader, r->inode, r->dev_major, r->dev_minor);
	module_free(r->module);
	module_rows_release(&r->rows);
}

bool store_take(struct module_store *s, const struct log *log)
{
	struct module_result r;
	bool some = false;

	while (module_loader_take(s->loader, &r)) {
		if (r.code)
			store_take_code(s, r.code, log);
		else
			take_one(s, &r, log);
		__atomic_fetch_add(&s->changes, 1, __ATOMIC_RELAXED);
		some = true;
	}
	return some;
}

int store_add(struct module_store *s, struct module *m)
{
	const struct store_key key = store_key_of(m->inode, m->dev_major, m->dev_minor);
	struct store_file *f = file_new(s, &key);
	struct module_result r = {.module = m, .rows_err = -ENOEXEC};
	int err = f ? fill(s, f, &r, NULL) : -ENOMEM;

	return err ? err : (int)f->number;
}
