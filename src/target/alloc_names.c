/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the list of a user's own allocator functions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/allocator.h"

#define KINDS_TEXT                                                                             \
	"malloc, calloc, realloc, reallocarray, free, posix_memalign, aligned_alloc, valloc, " \
	"pvalloc, new, delete"

static bool kind_by_name(const char *name, size_t len, enum alloc_kind *kind)
{
	for (int k = 0; k < ALLOC_KINDS; k++) {
		const char *known = alloc_signature(k)->name;

		if (strlen(known) == len && !memcmp(known, name, len)) {
			*kind = k;
			return true;
		}
	}
	return false;
}

/* Finds the longest kind that the name ends in, such as realloc in pool_realloc. */
static bool kind_by_ending(const char *name, size_t len, enum alloc_kind *kind)
{
	size_t best = 0;

	for (int k = 0; k < ALLOC_KINDS; k++) {
		const char *known = alloc_signature(k)->name;
		size_t n = strlen(known);

		if (n > len || n <= best || memcmp(name + len - n, known, n) != 0)
			continue;
		best = n;
		*kind = k;
	}
	return best != 0;
}

static int item_parse(const char *item, size_t len, struct alloc_names *out, struct error *err)
{
	const char *equals = memchr(item, '=', len), *name = equals ? equals + 1 : item;
	size_t name_len = len - (size_t)(name - item);
	struct alloc_name fresh;

	if (!name_len)
		return error_set(err, -EINVAL, "--alloc \"%.*s\": a function's name is missing",
				 (int)len, item);
	if (equals && !kind_by_name(item, (size_t)(equals - item), &fresh.kind))
		return error_set(err, -EINVAL,
				 "--alloc \"%.*s\": \"%.*s\" is not one of " KINDS_TEXT, (int)len,
				 item, (int)(equals - item), item);
	if (!equals && !kind_by_ending(name, name_len, &fresh.kind))
		return error_set(err, -EINVAL,
				 "--alloc \"%.*s\": the kind of function is missing: write "
				 "malloc=%.*s, free=%.*s, or another of " KINDS_TEXT,
				 (int)len, item, (int)len, item, (int)len, item);
	fresh.name = strndup(name, name_len);
	if (!fresh.name || vec_push(&out->names, fresh)) {
		free(fresh.name);
		return error_set(err, -ENOMEM, "--alloc: %s", error_reason(-ENOMEM));
	}
	return 0;
}

int alloc_names_parse(const char *list, struct alloc_names *out, struct error *err)
{
	*out = (struct alloc_names){0};
	for (;;) {
		size_t len = strcspn(list, ",");
		int code = item_parse(list, len, out, err);

		if (code) {
			alloc_names_release(out);
			return code;
		}
		if (!list[len])
			return 0;
		list += len + 1;
	}
}

void alloc_names_release(struct alloc_names *names)
{
	vec_for_each(&names->names, it)
		free(it->name);
	vec_release(&names->names);
}
