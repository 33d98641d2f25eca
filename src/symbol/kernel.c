/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /proc/kallsyms into an array that is searched by address. */
#include "symbol/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "base/vec.h"
#include "symbol/text_file.h"

#define KALLSYMS_MAX (128u << 20)
/* kallsyms has no sizes. No function is longer than this, so gaps and the end of the list name
 * nothing. */
#define FUNCTION_MAX (1u << 20)

struct kernel_symbol {
	u64 address;
	const char *name, *module; /* into text */
};

struct kernel_symbols {
	VEC(struct kernel_symbol) symbols;
	char *text;
};

/* Cuts the next field off `*at`, which ends at a NUL. */
static char *next_field(char **at)
{
	char *start = *at + strspn(*at, " \t");
	char *end = start + strcspn(start, " \t");

	*at = *end ? end + 1 : end;
	*end = 0;
	return start;
}

static bool is_hex(const char *text)
{
	return text[0] && !text[strspn(text, "0123456789abcdefABCDEF")];
}

static int add_line(struct kernel_symbols *k, char *line, bool *hidden)
{
	char *address = next_field(&line), *type = next_field(&line), *name = next_field(&line);
	char *module = next_field(&line);
	struct kernel_symbol s = {.name = name, .module = ""};

	if (!is_hex(address) || !name[0] || !strchr("tTwW", type[0]))
		return 0;
	s.address = strtoull(address, NULL, 16);
	if (!s.address) {
		*hidden = true;
		return 0;
	}
	if (module[0] == '[')
		s.module = module;
	return vec_push(&k->symbols, s);
}

/* kallsyms lists aliases in the order of the image. The first one is kept, as in the kernel's own
 * traces. */
static int compare(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

int kernel_symbols_parse(char *text, size_t len, struct kernel_symbols **out)
{
	struct kernel_symbols *k = calloc(1, sizeof(*k));
	char *end = text + len;
	bool hidden = false;
	int err = 0;

	if (!k) {
		free(text);
		return -ENOMEM;
	}
	k->text = text;
	for (char *line = text; line < end && !err;) {
		char *stop = memchr(line, '\n', end - line);

		if (!stop)
			break; /* The file was cut inside this line. */
		*stop = 0;
		err = add_line(k, line, &hidden);
		line = stop + 1;
	}
	if (!err && !k->symbols.len)
		err = hidden ? -EPERM : -ENOENT;
	if (err) {
		kernel_symbols_free(k);
		return err;
	}
	qsort(k->symbols.data, k->symbols.len, sizeof(*k->symbols.data), compare);
	*out = k;
	return 0;
}

int kernel_symbols_read(struct kernel_symbols **out)
{
	struct text_file file;
	int err = text_file_read_path("/proc/kallsyms", KALLSYMS_MAX, &file);

	return err ? err : kernel_symbols_parse(file.text, file.len, out);
}

void kernel_symbols_free(struct kernel_symbols *k)
{
	if (!k)
		return;
	vec_release(&k->symbols);
	free(k->text);
	free(k);
}

const char *kernel_symbols_find(const struct kernel_symbols *k, u64 address, const char **module)
{
	const struct kernel_symbol *all = k->symbols.data;
	size_t i = sorted_behind_by(all, k->symbols.len, address, address);

	if (!i || address - all[i - 1].address > FUNCTION_MAX)
		return NULL;
	i = sorted_from_by(all, i, address, all[i - 1].address); /* the first of several names */
	*module = all[i].module;
	return all[i].name;
}
