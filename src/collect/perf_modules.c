/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files and their rows in perf mode: see perf_modules.h. */
#include "collect/perf_modules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "collect/module_rows.h"

struct file_key {
	u64 inode;
	u32 dev_major, dev_minor;
};

struct file_entry {
	struct file_key key;
	u32 module;
	UT_hash_handle hh;
};

struct perf_modules {
	const struct log *log;
	struct readers *readers;
	struct module_set *set;
	struct rule_set *rule_set;
	struct unwind_rule *rules;
	struct file_entry *files;
	struct rows *rows[MODULE_MAX];
	bool tried[MODULE_MAX];
	u32 end; /* one past the last number given out */
	u64 count, late, row_count;
};

int perf_modules_new(const struct log *log, struct readers *readers, struct perf_modules **out)
{
	struct perf_modules *m = calloc(1, sizeof(*m));
	int code = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->log = log;
	m->readers = readers;
	m->end = MODULE_FIRST_FILE;
	m->rules = calloc(UNWIND_MAX_RULES, sizeof(*m->rules));
	if (m->rules)
		code = rule_set_new(m->rules, UNWIND_MAX_RULES, &m->rule_set);
	if (!code)
		code = module_set_new(readers, &m->set);
	if (code) {
		perf_modules_free(m);
		return code;
	}
	*out = m;
	return 0;
}

void perf_modules_free(struct perf_modules *m)
{
	struct file_entry *e, *next;

	if (!m)
		return;
	HASH_ITER(hh, m->files, e, next) {
		HASH_DEL(m->files, e);
		free(e);
	}
	for (u32 i = 0; i < m->end; i++)
		rows_free(m->rows[i]);
	module_set_free(m->set);
	rule_set_free(m->rule_set);
	free(m->rules);
	free(m);
}

/*
 * The process may be gone already, or have replaced its program: then the file is looked for by its
 * name below our own root, where device and inode must fit, too. No mapping is ever at 0-0, so that
 * /proc/self/map_files cannot answer.
 */
static int open_module(struct readers *readers, pid_t tgid, const struct map_entry *e,
		       struct module **out)
{
	struct map_entry here = *e;
	int code = module_open_entry(readers, tgid, e, out);

	if (!code || code == -ENOMEM)
		return code;
	here.start = here.end = 0;
	if (module_open_entry(readers, getpid(), &here, out))
		return code;
	(*out)->start = e->start;
	(*out)->end = e->end;
	return 0;
}

static u32 add_file(struct perf_modules *m, pid_t tgid, const struct map_entry *e,
		    const struct file_key *key)
{
	struct file_entry *file = calloc(1, sizeof(*file));
	struct module *module = NULL;
	int number;

	if (!file)
		return MODULE_UNKNOWN;
	file->key = *key;
	HASH_ADD(hh, m->files, key, sizeof(file->key), file);
	if (!HASH_ADDED(file)) {
		free(file);
		return MODULE_UNKNOWN;
	}
	number = open_module(m->readers, tgid, e, &module);
	if (!number)
		number = module_set_add(m->set, module);
	if (number < 0) {
		log_info(m->log, "cannot open %s, mapped by PID %d: %s", e->path, (int)tgid,
			 error_reason(number));
		module_free(module);
		HASH_DEL(m->files, file);
		free(file);
		return MODULE_UNKNOWN;
	}
	file->module = (u32)number;
	m->end = file->module + 1;
	return file->module;
}

static u32 number_of(struct perf_modules *m, pid_t tgid, const struct map_entry *e)
{
	struct file_key key = {e->inode, e->dev_major, e->dev_minor};
	struct file_entry *file;

	HASH_FIND(hh, m->files, &key, sizeof(key), file);
	return file ? file->module : add_file(m, tgid, e, &key);
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

static bool is_unread(const struct perf_modules *m, u32 number)
{
	const struct module *module = module_set_get(m->set, number);

	return module && module->unread;
}

static const struct rows *compile(struct perf_modules *m, u32 number)
{
	struct module *module = module_set_get(m->set, number);
	int code;

	m->tried[number] = true;
	if (!module || module->unread)
		return NULL;
	code = module_rows_build(module, m->rule_set, &m->rows[number]);
	if (code) {
		m->rows[number] = NULL;
		if (module->kind == MODULE_KIND_FILE)
			log_info(m->log, "no unwind table for %s: %s", module->path,
				 error_reason(code));
		return NULL;
	}
	m->count++;
	m->row_count += m->rows[number]->nrows;
	return m->rows[number];
}

void perf_modules_compile(struct perf_modules *m)
{
	for (u32 i = 0; i < m->end; i++) {
		if (!m->tried[i])
			(void)compile(m, i);
	}
}

const struct rows *perf_modules_rows(struct perf_modules *m, u32 number)
{
	static const struct rows unread = {.unread = true};

	if (number >= MODULE_MAX)
		return NULL;
	if (is_unread(m, number))
		return &unread;
	if (m->tried[number])
		return m->rows[number];
	m->late++;
	return compile(m, number);
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
