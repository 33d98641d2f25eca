/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that code is followed which stacks have met (code_met.h), and takes in its rows. */
#include <errno.h>

#include "base/budget.h"
#include "collect/session/module_store_impl.h"

#define RULES_MAX 4096u /* of one file: as many as its call frame information may have */

/* ---- rows ---- */

static int apply(struct module_store *s, struct store_file *f, const struct code_part *part)
{
	struct rule_set *set = tables_rules(s->tables);
	u32 before = rule_set_len(set);
	VEC(struct numbered_row) rows = {0};
	struct row_patch patch = {.start = part->start, .end = part->end};
	int err = vec_reserve(&rows, part->rows.len + 1);

	rule_set_allow(set, RULES_MAX - f->met_rules);
	for (size_t i = 0; !err && i < part->rows.len; i++) {
		const struct code_row *r = &part->rows.data[i];

		rows.data[rows.len++] =
			(struct numbered_row){r->off, rule_set_number(set, &r->rule)};
	}
	f->met_rules += rule_set_len(set) - before;
	patch.rows = rows.data;
	patch.n = rows.len;
	if (!err)
		err = tables_patch(s->tables, f->number, &patch);
	vec_release(&rows);
	return err;
}

/* Whatever happened, nobody asks for this address again. */
static void settle(struct module_store *s, const struct store_file *f, u64 off)
{
	const struct numbered_row none = {off, UNWIND_RULE_NONE};
	const struct row_patch patch = {.start = off, .end = off + 1, .rows = &none, .n = 1};

	if (tables_rule(s->tables, f->number, off) == UNWIND_RULE_LATER)
		(void)!tables_patch(s->tables, f->number, &patch);
}

static void settle_all(struct module_store *s, struct store_file *f)
{
	vec_for_each(&f->met_offs, off)
		settle(s, f, *off);
	f->met_offs.len = 0;
}

/* ---- requests ---- */

static void leave_out(struct store_file *f, enum budget_end why)
{
	if (f->module->elf)
		budget_lose(elf_file_budget(f->module->elf), BUDGET_CODE, why);
}

static void request(struct module_store *s, struct store_file *f)
{
	struct code_request q = {.number = f->number, .module = f->module, .met = f->met};

	while (f->met_offs.len && q.n < CODE_REQUEST_MAX) {
		u64 off = f->met_offs.data[--f->met_offs.len];

		/* It may be in a function that was followed meanwhile. */
		if (tables_rule(s->tables, f->number, off) == UNWIND_RULE_LATER)
			q.offs[q.n++] = off;
	}
	if (!q.n)
		return;
	if (module_loader_follow(s->loader, &q)) {
		for (u32 i = 0; i < q.n; i++)
			settle(s, f, q.offs[i]);
		settle_all(s, f);
		leave_out(f, BUDGET_BYTES);
		return;
	}
	f->met = NULL;
	f->following = true;
	f->holds++;
}

static bool may_follow(const struct store_file *f)
{
	return f && f->module && module_rows_has_later(f->module);
}

static int add_once(struct store_file *f, u64 off)
{
	vec_for_each(&f->met_offs, have)
		if (*have == off)
			return 0;
	return vec_push(&f->met_offs, off);
}

int store_follow(struct module_store *s, u32 user, u32 number, u64 off)
{
	struct store_file *f = number < MODULE_MAX ? s->by_number[number] : NULL;

	if (tables_rule(s->tables, number, off) != UNWIND_RULE_LATER)
		return 0;
	if (!may_follow(f) || add_once(f, off)) {
		const struct store_file any = {.number = number};

		settle(s, &any, off);
		return 0;
	}
	if (!f->following)
		request(s, f);
	if (!f->following)
		return 0;
	f->follow_users |= 1ull << user;
	return -EAGAIN;
}

bool store_follows(struct module_store *s, u32 user)
{
	struct store_file *f, *next;

	HASH_ITER(hh, s->files, f, next) {
		if (f->following && f->follow_users >> user & 1)
			return true;
	}
	return false;
}

/* ---- results ---- */

static void report(const struct store_file *f, const struct log *log)
{
	log_debug(log, "%s: followed %llu instructions without call frame information so far",
		  f->module->path, (unsigned long long)(f->met ? code_met_followed(f->met) : 0));
}

void store_take_code(struct module_store *s, struct code_result *r, const struct log *log)
{
	struct store_file *f = s->by_number[r->number];
	enum budget_end lost = r->met ? budget_lost(code_met_budget(r->met), BUDGET_CODE)
				      : BUDGET_FAILED;

	f->following = false;
	f->holds--;
	f->met = r->met;
	r->met = NULL;
	for (u32 i = 0; i < r->n; i++) {
		if (r->parts[i].rows.len && apply(s, f, &r->parts[i]))
			lost = BUDGET_BYTES;
		settle(s, f, r->offs[i]);
	}
	if (lost != BUDGET_OPEN)
		leave_out(f, lost);
	report(f, log);
	request(s, f);
	if (!f->following)
		f->follow_users = 0;
	code_result_free(r);
}
