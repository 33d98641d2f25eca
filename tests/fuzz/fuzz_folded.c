/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that folded text which was read and written is read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "format/read.h"

struct text {
	u8 *data;
	size_t len, cap;
};

static int keep(void *arg, const void *data, size_t len)
{
	struct text *t = arg;

	if (vec_reserve(t, t->len + len))
		return -ENOMEM;
	memcpy(t->data + t->len, data, len);
	t->len += len;
	return 0;
}

static bool write_text(const struct profile *p, struct text *t)
{
	const struct sink to = {.write = keep, .arg = t};

	return !format_folded.write(p, &(struct format_options){.annotate = true}, &to, NULL);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct text first = {0}, second = {0};
	struct profile *p, *again;

	if (folded_read((struct bytes){data, size}, NULL, &p, NULL))
		return 0;
	if (write_text(p, &first) && first.len &&
	    !folded_read((struct bytes){first.data, first.len}, NULL, &again, NULL)) {
		if (write_text(again, &second) &&
		    (first.len != second.len || memcmp(first.data, second.data, first.len)))
			abort();
		profile_free(again);
	}
	profile_free(p);
	vec_release(&first);
	vec_release(&second);
	return 0;
}
