/* SPDX-License-Identifier: Apache-2.0 */
/* Reads hostile profiles, shows them in every way, merges them and writes them. */
#include <stdlib.h>

#include "format/read.h"
#include "format/report.h"
#include "profile/merge.h"
#include "view/apply.h"
#include "view/compare.h"

static int swallow(void *arg, const void *data, size_t len)
{
	return 0;
}

static const struct sink nowhere = {.write = swallow};

/* Output for people and browsers contains no controls, whatever the strings of the file were. */
static int watch(void *arg, const void *data, size_t len)
{
	u8 *last = arg;

	for (size_t i = 0; i < len; i++) {
		u8 byte = ((const u8 *)data)[i];
		bool c1 = *last == 0xc2 && byte < 0xa0;

		if ((byte < ' ' && byte != '\n' && byte != '\t') || byte == 0x7f || c1)
			__builtin_trap();
		*last = byte;
	}
	return 0;
}

static void report(const struct profile *p)
{
	static const enum report_kind kinds[] = {REPORT_TOP, REPORT_TREE, REPORT_PEEK,
						 REPORT_TRACES, REPORT_TAGS};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct report_options o = {.kind = kinds[i], .width = 80, .top = 20};
		u8 last = 0;
		const struct sink to = {.write = watch, .arg = &last};

		o.view.group = (enum view_group)((i + p->samples.len) % VIEW_GROUPS);
		o.view.label = "bytes";
		o.view.filter.hide = i & 1 ? "a" : NULL;
		o.view.filter.show_from = i & 2 ? "m" : NULL;
		o.function = kinds[i] == REPORT_PEEK ? "." : NULL;
		if (report_write(p, &o, &to, NULL))
			continue;
		o.color = true;
		if (report_write(p, &o, &nowhere, NULL))
			continue;
	}
}

static void write_all(const struct profile *p)
{
	const struct format_options o = {.base = p, .scale = COMPARE_TOTALS, .annotate = true};

	for (const struct format *const *f = format_table; *f; f++) {
		u8 last = 0;
		const struct sink to = {.write = watch, .arg = &last};

		if ((*f)->write(p, &o, *f == &format_pprof ? &nowhere : &to, NULL))
			continue;
	}
}

static void use(const struct profile *p)
{
	const struct profile *both[] = {p, p};
	const struct compare_options how = {.scale = COMPARE_TOTALS};
	struct profile *merged;
	struct compare *c;

	report(p);
	write_all(p);
	if (!profile_merge(both, 2, &merged, NULL))
		profile_free(merged);
	if (!compare_new(p, p, &how, &c, NULL))
		compare_free(c);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct filter_options filter = {.hide = "a", .show_from = "m"};
	struct profile *p;

	if (!format_read_bytes((struct bytes){data, size}, NULL, &p, NULL)) {
		use(p);
		if (!filter_apply(p, &filter, NULL))
			write_all(p);
		profile_free(p);
	}
	return 0;
}
