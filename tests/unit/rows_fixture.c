/* SPDX-License-Identifier: Apache-2.0 */
/* Provides programs and their tables: see rows_fixture.h. */
#include "elf_fixture.h"
#include "rows_fixture.h"

#include <string.h>

#include "fixture.h"
#include "unit.h"

struct unwind_rule rows_rules[UNWIND_MAX_RULES];

const char rows_big_frame[] = "void use(char *);\n"
			      "int big(void) { char b[100000]; use(b); return b[5]; }\n"
			      "__attribute__((noinline)) void use(char *b) { b[5] = 1; }\n"
			      "int main(void) { return big(); }\n";

struct rows_module rows_module_open(const char *path)
{
	struct rows_module m = {.f = elf_fixture_open(path)};

	CHECK_INT(rule_set_new(rows_rules, UNWIND_MAX_RULES, &m.set), 0);
	CHECK_INT(rows_build(m.f, NULL, m.set, &m.rows), 0);
	return m;
}

void rows_module_close(struct rows_module *m)
{
	rows_free(m->rows);
	rule_set_free(m->set);
	elf_file_free(m->f);
}

struct rows_module rows_module_build(const char *name, const char *source, const char *command)
{
	fixture_write(name, source, strlen(source));
	fixture_run("%s", command);
	return rows_module_open(fixture_path("t"));
}

void rows_check_layout(const struct rows *r)
{
	u32 counted = 0;

	CHECK_INT(r->base_off % (1u << UNWIND_BLOCK_SHIFT), 0);
	CHECK_INT((uintptr_t)r->blocks % 4096, 0);
	CHECK_INT((uintptr_t)r->words % 4096, 0);
	CHECK_INT(r->nwords % UNWIND_PAGE_WORDS, 0);
	for (u32 i = 0; i < r->nblocks; i++) {
		const struct unwind_block *b = &r->blocks[i];
		u64 off = r->base_off + ((u64)i << UNWIND_BLOCK_SHIFT);
		u32 last = b->first_row + b->nrows;

		counted += b->nrows;
		if (!b->nrows)
			continue;
		CHECK(last <= r->nwords);
		CHECK_INT(b->first_row / UNWIND_PAGE_WORDS, (last - 1) / UNWIND_PAGE_WORDS);
		for (u32 w = b->first_row; w < last; w++) {
			u16 low = (u16)(r->words[w] >> 16);

			CHECK((u16)(low - (off & 0xffff)) < 1u << UNWIND_BLOCK_SHIFT);
			CHECK(w == b->first_row || r->words[w - 1] >> 16 < low);
			CHECK(UNWIND_ROW_RULE(r->words[w]) !=
			      (w > b->first_row ? UNWIND_ROW_RULE(r->words[w - 1]) : b->rule));
		}
	}
	CHECK_INT(counted, r->nrows);
}
