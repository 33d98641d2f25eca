/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the rows of a module: see module_rows.h. */
#include "collect/session/module_rows.h"

#include <errno.h>
#include <stdlib.h>

#include "elf/debug_file.h"

#define UNCOVERED_MAX 4096u /* bytes */
#define UNCOVERED_PART 10u

/*
 * A separate debug file may have a .debug_frame for code that the file itself has no table for. The
 * start-up code and the PLT have tables in every file, so what counts is how much has none. Padding
 * and data among the code are some percent.
 */
static bool lacks_tables(const struct module *m, const struct rows *rows)
{
	const struct elf_segment *s;
	size_t n = elf_file_segments(m->elf, &s);
	u64 code = 0;

	for (size_t i = 0; i < n; i++)
		code += s[i].flags & PF_X ? s[i].filesz : 0;
	return rows->frame_pointers || rows->uncovered >= UNCOVERED_MAX ||
	       rows->uncovered >= code / UNCOVERED_PART;
}

static bool has_debug_frame(struct elf_file *debug)
{
	struct elf_section s;

	return !elf_file_section_header(debug, ".debug_frame", &s);
}

/* A file that has no descriptor here cannot be opened a second time, so its code is followed at
 * once. */
static int build_from(const struct module *m, struct elf_file *debug, struct rule_set *set,
		      struct rows **out)
{
	return module_rows_has_later(m) ? rows_build_cfi(m->elf, debug, set, out)
					: rows_build(m->elf, debug, set, out);
}

static int build(const struct module *m, struct rule_set *set, struct rows **out)
{
	struct elf_file *debug = NULL;
	struct rows *better;
	int code;

	code = build_from(m, NULL, set, out);
	if (code || !lacks_tables(m, *out) || debug_file_find(m->elf, m->path, &m->root, &debug))
		return code;
	if (((*out)->frame_pointers || has_debug_frame(debug)) &&
	    !build_from(m, debug, set, &better)) {
		rows_free(*out);
		*out = better;
	}
	elf_file_free(debug);
	return 0;
}

bool module_rows_has_later(const struct module *m)
{
	return m->elf && elf_file_fd(m->elf) >= 0;
}

int module_rows_code(const struct module *m, struct code_met **out)
{
	struct elf_file *f = NULL, *debug = NULL;
	int err = module_rows_has_later(m) ? elf_file_open(elf_file_fd(m->elf), &f) : -ENOENT;

	if (err)
		return err;
	/* Without it some functions are not known, and the others are found. */
	if (debug_file_find(f, m->path, &m->root, &debug))
		debug = NULL;
	err = code_met_new(f, debug, out);
	elf_file_free(debug);
	return err;
}

int module_rows_compile(const struct module *m, struct module_rows *out)
{
	struct rule_set *set = NULL;
	int code;

	*out = (struct module_rows){0};
	if (!m->elf)
		return -ENOEXEC;
	out->rules = calloc(UNWIND_MAX_RULES, sizeof(*out->rules));
	code = out->rules ? rule_set_new(out->rules, UNWIND_MAX_RULES, &set) : -ENOMEM;
	if (!code)
		code = build(m, set, &out->rows);
	out->nrules = set ? rule_set_len(set) : 0;
	rule_set_free(set);
	if (code)
		out->rows = NULL;
	return code;
}

void module_rows_release(struct module_rows *r)
{
	rows_free(r->rows);
	free(r->rules);
	*r = (struct module_rows){0};
}

int module_rows_join(struct module_rows *r, struct rule_set *set, struct rows **out)
{
	int code = rows_renumber(r->rows, r->rules, r->nrules, set);

	if (code)
		return code;
	*out = r->rows;
	r->rows = NULL;
	return 0;
}

int module_rows_build(const struct module *m, struct rule_set *set, struct rows **out)
{
	return m->elf ? build(m, set, out) : -ENOEXEC;
}
