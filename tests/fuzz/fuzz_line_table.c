/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads any bytes as line number programs, with any strings. The first byte says where the table
 * begins. The next two say how long the strings are, which come first. Every row that is found
 * covers its address, and the work stays within the budget.
 */
#include <stdlib.h>
#include <string.h>

#include "elf/symbols.h"
#include "symbol/line_table.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define WANTED 64
#define STEPS 2000000
#define BYTES (16u << 20)

static void check_rows(struct line_table *t, const u64 *vaddrs, const struct line_row *rows)
{
	size_t bytes = 0;

	for (size_t i = 0; i < WANTED; i++) {
		const char *path;

		if (!rows[i].found)
			continue;
		if (rows[i].start > vaddrs[i])
			abort();
		path = line_table_file(t, rows[i].file);
		bytes += path ? strlen(path) : 0;
	}
	if (bytes == SIZE_MAX) /* keeps the reads */
		abort();
}

static void run(const struct line_sections *s, u64 offset)
{
	struct line_row rows[WANTED];
	struct line_table *t;
	struct budget budget;
	u64 vaddrs[WANTED];

	for (size_t i = 0; i < WANTED; i++)
		vaddrs[i] = i < WANTED / 2 ? i * 3 : 0x401000 + i * 7;
	budget_init(&budget, s->line.len);
	budget_limit(&budget, STEPS, BYTES);
	if (line_table_new(s, offset, &budget, &t))
		return;
	line_table_find(t, vaddrs, WANTED, rows);
	check_rows(t, vaddrs, rows);
	for (u64 i = 0; i < 8; i++)
		(void)line_table_file(t, i);
	line_table_free(t);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct line_sections s = {0};
	size_t texts;
	u8 *copy;

	if (size < 3)
		return 0;
	texts = (size_t)(data[1] | data[2] << 8);
	if (texts > size - 3)
		texts = size - 3;
	/* They are blocks of their own, so that a read beyond an end is detected. */
	copy = malloc(size - 3 - texts + 1);
	if (!copy)
		abort();
	memcpy(copy, data + 3 + texts, size - 3 - texts);
	s.line = (struct bytes){copy, size - 3 - texts};
	s.line_str = s.str = s.alt_str = elf_terminated((struct bytes){data + 3, texts});
	run(&s, data[0]);
	free(copy);
	return 0;
}
