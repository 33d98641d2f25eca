/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files and their rows in perf mode: see perf_modules.h. */
#include "collect/perf/perf_modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/hash.h"
#include "collect/session/module_loader.h"

#define STALLED_MS 10000u /* a file that takes longer to load is left behind */
#define AGAIN_MS 1000u /* how long after it failed a file is tried again, when it is mapped again */

struct file_key {
	u64 inode;
	u32 dev_major, dev_minor;
};

struct file_entry {
	struct file_key key;
	u32 module;
	u64 failed_ms; /* when it could not be opened; 0: it could, or is being opened */
	UT_hash_handle hh;
};

struct perf_modules {
	const struct log *log;
	struct module_set *set;
	struct module_loader *loader;
	struct rule_set *rule_set;
	struct unwind_rule *rules;
	struct file_entry *files;
	struct rows *rows[MODULE_SLOTS];
	struct file_entry *loading[MODULE_SLOTS]; /* NULL: it is not */
	u32 nloading;
	bool recording;
	u64 count, late, row_count;
};

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* ---- asking ----------------------------------------------------------------------------------- */

static void ask(struct perf_modules *m, pid_t tgid, const struct map_entry *e,
		struct file_entry *file)
{
	const struct module_request q = {.tgid = tgid, .entry = *e, .token = file->module};

	file->failed_ms = 0;
	if (module_loader_ask(m->loader, &q)) {
		file->failed_ms = now_ms();
		return;
	}
	m->loading[file->module] = file;
	m->nloading++;
}

static struct file_entry *add_file(struct perf_modules *m, const struct file_key *key)
{
	struct file_entry *file = calloc(1, sizeof(*file));
	int number = file ? module_set_reserve(m->set) : -ENOMEM;

	if (number < 0) {
		free(file);
		return NULL;
	}
	file->key = *key;
	file->module = (u32)number;
	HASH_ADD(hh, m->files, key, sizeof(file->key), file);
	if (HASH_ADDED(file))
		return file;
	free(file);
	return NULL;
}

static u32 number_of(struct perf_modules *m, pid_t tgid, const struct map_entry *e)
{
	struct file_key key;
	struct file_entry *file;
	bool fresh;

	memset(&key, 0, sizeof(key));
	key.inode = e->inode;
	key.dev_major = e->dev_major;
	key.dev_minor = e->dev_minor;
	HASH_FIND(hh, m->files, &key, sizeof(key), file);
	fresh = !file;
	if (!file)
		file = add_file(m, &key);
	if (!file)
		return MODULE_UNKNOWN;
	if (fresh || (file->failed_ms && now_ms() - file->failed_ms > AGAIN_MS))
		ask(m, tgid, e, file);
	return file->module;
}

struct space_map perf_modules_map(struct perf_modules *m, pid_t tgid, const struct map_entry *e)
{
	struct space_map map = {.start = e->start, .end = e->end, .module = MODULE_ANON};

	if (!strcmp(e->path, "[vdso]")) {
		map.module = MODULE_VDSO;
		map.shift = -e->start;
	} else if (e->inode && e->path[0] == '/') {
		map.module = number_of(m, tgid, e);
		if (map.module != MODULE_UNKNOWN)
			map.shift = e->offset - e->start;
	}
	return map;
}

/* ---- what comes back -------------------------------------------------------------------------- */

static void take_rows(struct perf_modules *m, u32 number, const char *path,
		      struct module_rows *rows, int err)
{
	if (!err)
		err = module_rows_join(rows, m->rule_set, &m->rows[number]);
	if (err) {
		log_info(m->log, "no unwind table for %s: %s", path, error_reason(err));
		return;
	}
	m->count++;
	m->late += m->recording;
	m->row_count += m->rows[number]->nrows;
}

static void take_one(struct perf_modules *m, struct module_result *r)
{
	u32 number = (u32)r->token;
	struct file_entry *file = m->loading[number];

	m->loading[number] = NULL;
	m->nloading--;
	if (r->module) {
		module_set_fill(m->set, number, r->module);
		if (!r->module->unread)
			take_rows(m, number, r->module->path, &r->rows, r->rows_err);
	} else {
		file->failed_ms = now_ms();
		log_info(m->log, "cannot open what PID %d maps at %llx: %s", (int)r->tgid,
			 (unsigned long long)r->start, error_reason(r->err));
	}
	module_rows_release(&r->rows);
}

bool perf_modules_take(struct perf_modules *m)
{
	struct module_result r;
	bool some = false;

	while (module_loader_take(m->loader, &r)) {
		take_one(m, &r);
		some = true;
	}
	return some;
}

void perf_modules_wait(struct perf_modules *m)
{
	while (m->nloading && module_loader_wait(m->loader, STALLED_MS))
		(void)perf_modules_take(m);
}

void perf_modules_begin(struct perf_modules *m)
{
	m->recording = true;
}

/* ---- questions -------------------------------------------------------------------------------- */

bool perf_modules_is_loading(const struct perf_modules *m, u32 number)
{
	return number < MODULE_SLOTS && m->loading[number];
}

const struct rows *perf_modules_rows(const struct perf_modules *m, u32 number)
{
	static const struct rows unread = {.missing = TABLE_UNREAD};
	const struct module *module = module_set_get(m->set, number);

	if (number >= MODULE_SLOTS)
		return NULL;
	return module && module->unread ? &unread : m->rows[number];
}

const struct unwind_rule *perf_modules_rules(const struct perf_modules *m)
{
	return m->rules;
}

struct module_set *perf_modules_set(struct perf_modules *m)
{
	return m->set;
}

u64 perf_modules_count(const struct perf_modules *m)
{
	return m->count;
}

u64 perf_modules_late(const struct perf_modules *m)
{
	return m->late;
}

u64 perf_modules_row_count(const struct perf_modules *m)
{
	return m->row_count;
}

/* ---- life ------------------------------------------------------------------------------------- */

/* It is here already. */
static void compile_vdso(struct perf_modules *m)
{
	struct module *vdso = module_set_get(m->set, MODULE_VDSO);
	struct module_rows rows;
	int err;

	if (!vdso || !vdso->elf)
		return;
	err = module_rows_compile(vdso, &rows);
	take_rows(m, MODULE_VDSO, vdso->path, &rows, err);
	module_rows_release(&rows);
}

int perf_modules_new(const struct log *log, struct readers *readers, struct perf_modules **out)
{
	struct perf_modules *m = calloc(1, sizeof(*m));
	int code = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->log = log;
	m->rules = calloc(UNWIND_MAX_RULES, sizeof(*m->rules));
	if (m->rules)
		code = rule_set_new(m->rules, UNWIND_MAX_RULES, &m->rule_set);
	if (!code)
		code = module_set_new(readers, &m->set);
	if (!code)
		code = module_loader_new(readers, &m->loader);
	if (code) {
		perf_modules_free(m);
		return code;
	}
	compile_vdso(m);
	*out = m;
	return 0;
}

void perf_modules_free(struct perf_modules *m)
{
	struct file_entry *e, *next;

	if (!m)
		return;
	module_loader_free(m->loader);
	HASH_ITER(hh, m->files, e, next) {
		HASH_DEL(m->files, e);
		free(e);
	}
	for (u32 i = 0; i < MODULE_SLOTS; i++)
		rows_free(m->rows[i]);
	module_set_free(m->set);
	rule_set_free(m->rule_set);
	free(m->rules);
	free(m);
}
