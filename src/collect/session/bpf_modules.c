/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files and their tables in BPF mode: see bpf_modules.h. */
#include "collect/session/bpf_modules.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/hash.h"
#include "collect/session/module_loader.h"
#include "target/pid_space.h"

/* A file that takes longer than this to load is left behind: a reader that hangs gives up sooner. */
#define STALLED_MS 10000u

/*
 * A process that is gone has most likely taken its mapping with it, and the next one that maps the file has it
 * loaded. Anything else that fails will fail again, and each try costs a stack that is copied: so it is
 * tried less and less often.
 */
#define GONE_TRIES 3u /* at once */
#define GONE_AGAIN_MS 50u
#define FAILED_AGAIN_MS 1000u
#define AGAIN_MAX_MS 60000u

/* A file as maps shows it; one that only the kernel has told of has NO_DEVICE and its token. */
struct file_key {
	u64 inode;
	u64 device;
};

#define NO_DEVICE ~0ull

struct failed_file {
	struct file_key key;
	u32 tries;
	u64 again_ms; /* not before; 0: whenever */
	u64 token; /* what the kernel knows it by; 0: it has not asked */
	UT_hash_handle hh;
};

struct asked_mapping {
	struct asked_key {
		u64 tgid, start, end;
	} key;
	u32 times; /* by the kernel and by a stack */
	UT_hash_handle hh;
};

/* A number whose file did not answer, and a mapping by which it is asked for again. */
struct unread_file {
	u32 number;
	struct module_request q;
	u64 again_ms;
};

struct bpf_modules {
	struct bpf_modules_env env;
	struct tables *tables;
	struct module_set *set;
	struct module_loader *loader;
	struct failed_file *failed;
	struct asked_mapping *asked;
	VEC(struct unread_file) unread;
	u64 count, late;
	bool recording;
};

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* ---- files that failed ------------------------------------------------------------------------ */

static struct file_key key_of(u64 inode, u32 dev_major, u32 dev_minor)
{
	return (struct file_key){inode, (u64)dev_major << 32 | dev_minor};
}

static struct failed_file *find_failed(struct bpf_modules *b, const struct file_key *key)
{
	struct failed_file *f;

	HASH_FIND(hh, b->failed, key, sizeof(*key), f);
	return f;
}

static struct failed_file *failed_of(struct bpf_modules *b, const struct file_key *key)
{
	struct failed_file *f = find_failed(b, key);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->key = *key;
	HASH_ADD(hh, b->failed, key, sizeof(f->key), f);
	if (HASH_ADDED(f))
		return f;
	free(f);
	return NULL;
}

static void forgive(struct bpf_modules *b, const struct file_key *key)
{
	struct failed_file *f = find_failed(b, key);

	if (!f)
		return;
	HASH_DEL(b->failed, f);
	free(f);
}

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

/* What the kernel says of a file's samples, and whether it asks for it. */
static void set_number(struct bpf_modules *b, u64 token, u32 number)
{
	if (token)
		bpf_map_update_elem(b->env.modules_fd, &token, &number, BPF_ANY);
}

static void let_ask(struct bpf_modules *b, u64 token)
{
	if (token)
		bpf_map_delete_elem(b->env.modules_fd, &token);
}

static void take_failure(struct bpf_modules *b, const struct module_result *r)
{
	const struct file_key key = r->inode ? key_of(r->inode, r->dev_major, r->dev_minor)
					     : (struct file_key){r->token, NO_DEVICE};
	struct failed_file *f = failed_of(b, &key);
	u64 pause = f ? pause_ms(++f->tries, r->err) : FAILED_AGAIN_MS;

	log_debug(b->env.log, "cannot open what PID %d maps at %llx: %s", (int)r->tgid,
		  (unsigned long long)r->start, error_reason(r->err));
	if (!pause || !f) {
		let_ask(b, r->token);
		return;
	}
	f->again_ms = now_ms() + pause;
	f->token = r->token ? r->token : f->token;
	set_number(b, r->token, MODULE_UNKNOWN);
}

/* The kernel may ask again for what has waited long enough. */
static void release_failed(struct bpf_modules *b, u64 now)
{
	struct failed_file *f, *next;

	HASH_ITER(hh, b->failed, f, next) {
		if (!f->token || now < f->again_ms)
			continue;
		let_ask(b, f->token);
		f->token = 0;
	}
}

/* ---- asking ----------------------------------------------------------------------------------- */

static struct asked_key asked_key_of(pid_t tgid, u64 start, u64 end)
{
	return (struct asked_key){(u64)tgid, start, end};
}

static struct asked_mapping *find_asked(struct bpf_modules *b, pid_t tgid, u64 start, u64 end)
{
	const struct asked_key key = asked_key_of(tgid, start, end);
	struct asked_mapping *a;

	HASH_FIND(hh, b->asked, &key, sizeof(key), a);
	return a;
}

static struct asked_mapping *asked_of(struct bpf_modules *b, const struct module_request *q)
{
	struct asked_mapping *a = find_asked(b, q->tgid, q->entry.start, q->entry.end);

	if (a)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->key = asked_key_of(q->tgid, q->entry.start, q->entry.end);
	HASH_ADD(hh, b->asked, key, sizeof(a->key), a);
	if (HASH_ADDED(a))
		return a;
	free(a);
	return NULL;
}

static void forget_asked(struct bpf_modules *b, struct asked_mapping *a)
{
	if (a->times)
		return;
	HASH_DEL(b->asked, a);
	free(a);
}

static int ask(struct bpf_modules *b, const struct module_request *q)
{
	struct asked_mapping *a = asked_of(b, q);
	int err;

	if (!a)
		return -ENOMEM;
	err = module_loader_ask(b->loader, q);
	a->times += !err;
	forget_asked(b, a);
	return err;
}

void bpf_modules_record(struct bpf_modules *b, const struct module_record *r)
{
	struct module_request q = {.entry = {.start = r->start, .end = r->end}, .token = r->inode};
	int err = pid_from_proc(r->tgid, &q.tgid);

	if (!err)
		err = ask(b, &q);
	if (err)
		let_ask(b, r->inode);
}

int bpf_modules_number(struct bpf_modules *b, pid_t tgid, const struct map_entry *e)
{
	const struct file_key key = key_of(e->inode, e->dev_major, e->dev_minor);
	struct module_request q = {.tgid = tgid, .entry = *e};
	u32 number = module_set_find(b->set, e);
	const struct failed_file *f;
	int err;

	if (number != MODULE_NONE)
		return (int)number;
	if (find_asked(b, tgid, e->start, e->end))
		return -EAGAIN;
	f = find_failed(b, &key);
	if (f && now_ms() < f->again_ms)
		return -ENOENT;
	err = ask(b, &q);
	return err ? err : -EAGAIN;
}

/* ---- what comes back -------------------------------------------------------------------------- */

static void answered(struct bpf_modules *b, const struct module_result *r)
{
	struct asked_mapping *a = find_asked(b, r->tgid, r->start, r->end);

	if (!a)
		return;
	a->times--;
	forget_asked(b, a);
}

static void load_rows(struct bpf_modules *b, u32 number, const char *path, struct module_rows *from,
		      int err)
{
	struct rows *rows = NULL;

	if (!err)
		err = module_rows_join(from, tables_rules(b->tables), &rows);
	if (!err)
		err = tables_load(b->tables, number, rows);
	if (err == -ENOSPC)
		tables_set_missing(b->tables, number, TABLE_NO_ROOM);
	if (err)
		log_info(b->env.log, "no unwind table for %s: %s", path, error_reason(err));
	else
		log_debug(b->env.log, "%s: %u rows", path, rows->nrows);
	rows_free(rows);
}

static void note_unread(struct bpf_modules *b, u32 number, const struct module_result *r)
{
	struct unread_file u = {.number = number,
				.q = {.tgid = r->tgid, .entry = {.start = r->start, .end = r->end}},
				.again_ms = now_ms() + READERS_AGAIN_MS};

	tables_set_missing(b->tables, number, TABLE_UNREAD);
	(void)vec_push(&b->unread, u); /* without memory it is not asked for again */
}

/* The file answers by now. */
static void replace_unread(struct bpf_modules *b, u32 number, struct module_result *r)
{
	struct module *m = module_set_get(b->set, number);

	if (!m->unread || !r->module || r->module->unread)
		return;
	m->elf = r->module->elf;
	m->build_id = r->module->build_id;
	m->unread = false;
	r->module->elf = NULL;
	load_rows(b, number, m->path, &r->rows, r->rows_err);
}

/* Numbers the file; without a table it still gets a number, so that its frames have a name. */
static int add(struct bpf_modules *b, struct module_result *r)
{
	int number = module_set_add(b->set, r->module);

	if (number < 0)
		return number;
	if (r->module->unread)
		note_unread(b, (u32)number, r);
	else
		load_rows(b, (u32)number, r->module->path, &r->rows, r->rows_err);
	r->module = NULL;
	b->count++;
	b->late += b->recording;
	return number;
}

/* A file that is known already keeps its number. */
static int number_of(struct bpf_modules *b, struct module_result *r)
{
	const struct map_entry e = {
		.inode = r->inode, .dev_major = r->dev_major, .dev_minor = r->dev_minor};
	u32 known = module_set_find(b->set, &e);

	if (known == MODULE_NONE)
		return r->module ? add(b, r) : -ENOENT;
	replace_unread(b, known, r);
	return (int)known;
}

static void take_one(struct bpf_modules *b, struct module_result *r)
{
	const struct file_key key = key_of(r->inode, r->dev_major, r->dev_minor);
	int number;

	answered(b, r);
	if (r->err) {
		take_failure(b, r);
		return;
	}
	forgive(b, &key);
	number = number_of(b, r);
	/* Left as "loading", each of its samples would come to user space, for nothing. */
	set_number(b, r->token, number < 0 ? MODULE_UNKNOWN : (u32)number);
	module_free(r->module);
	module_rows_release(&r->rows);
}

/* Whoever maps it may be gone by now; then it stays as it is. */
static void ask_for_unread(struct bpf_modules *b, u64 now)
{
	vec_for_each(&b->unread, u) {
		const struct module *m = module_set_get(b->set, u->number);

		if (!m->unread || now < u->again_ms)
			continue;
		u->again_ms = now + READERS_AGAIN_MS;
		(void)ask(b, &u->q);
	}
}

bool bpf_modules_take(struct bpf_modules *b)
{
	struct module_result r;
	bool some = false;
	u64 now;

	while (module_loader_take(b->loader, &r)) {
		take_one(b, &r);
		some = true;
	}
	now = now_ms();
	release_failed(b, now);
	ask_for_unread(b, now);
	return some;
}

bool bpf_modules_wait(struct bpf_modules *b)
{
	struct module_result r;
	bool some = false;

	while (b->asked && module_loader_wait(b->loader, STALLED_MS)) {
		while (module_loader_take(b->loader, &r))
			take_one(b, &r);
		some = true;
	}
	return some;
}

/* ---- life ------------------------------------------------------------------------------------- */

void bpf_modules_begin(struct bpf_modules *b)
{
	b->recording = true;
}

int bpf_modules_fd(const struct bpf_modules *b)
{
	return module_loader_fd(b->loader);
}

bool bpf_modules_ready(const struct bpf_modules *b)
{
	return module_loader_ready(b->loader);
}

struct tables *bpf_modules_tables(struct bpf_modules *b)
{
	return b->tables;
}

struct module_set *bpf_modules_set(struct bpf_modules *b)
{
	return b->set;
}

u64 bpf_modules_count(const struct bpf_modules *b)
{
	return b->count;
}

u64 bpf_modules_late(const struct bpf_modules *b)
{
	return b->late;
}

/* Of the vdso, which is here already. */
static void load_vdso(struct bpf_modules *b)
{
	struct module *vdso = module_set_get(b->set, MODULE_VDSO);
	struct module_rows rows;
	int err;

	if (!vdso || !vdso->elf)
		return;
	err = module_rows_compile(vdso, &rows);
	load_rows(b, MODULE_VDSO, vdso->path, &rows, err);
	module_rows_release(&rows);
}

int bpf_modules_new(const struct bpf_modules_env *env, struct bpf_modules **out)
{
	struct bpf_modules *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->env = *env;
	err = tables_new(&env->maps, &b->tables);
	if (!err)
		err = module_set_new(env->readers, &b->set);
	if (!err)
		err = module_loader_new(env->readers, &b->loader);
	if (err) {
		bpf_modules_free(b);
		return err;
	}
	load_vdso(b);
	*out = b;
	return 0;
}

void bpf_modules_free(struct bpf_modules *b)
{
	struct asked_mapping *a, *next_asked;
	struct failed_file *f, *next_failed;

	if (!b)
		return;
	module_loader_free(b->loader);
	HASH_ITER(hh, b->asked, a, next_asked) {
		HASH_DEL(b->asked, a);
		free(a);
	}
	HASH_ITER(hh, b->failed, f, next_failed) {
		HASH_DEL(b->failed, f);
		free(f);
	}
	vec_release(&b->unread);
	module_set_free(b->set);
	tables_free(b->tables);
	free(b);
}
