/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, viewing and writing while memory runs out must give an error each time, and nothing may
 * be lost or freed twice. */
#include <errno.h>
#include <string.h>

#include "format/read.h"
#include "format/report.h"
#include "format/report_diff.h"
#include "format_fixture.h"
#include "profile/merge.h"
#include "short_memory.h"
#include "unit.h"
#include "view/apply.h"
#include "view/compare.h"

static int swallow(void *arg, const void *data, size_t len)
{
	return 0;
}

static const struct sink nowhere = {.write = swallow};

/* Runs `what` with 0, 1, 2... allocations that succeed until it succeeds itself; returns how many
 * it took. */
static long starve(int (*what)(void *arg), void *arg)
{
	for (long n = 0; n < 100000; n++) {
		int ret;

		short_memory_after(n);
		ret = what(arg);
		short_memory_after(-1);
		if (!ret)
			return n;
		CHECK_INT(ret, -ENOMEM);
	}
	unit_fail(__FILE__, __LINE__, "it never succeeds");
}

static int read_it(void *arg)
{
	const struct memory *m = arg;
	struct profile *p;
	int ret = format_read_bytes((struct bytes){m->data, m->len}, NULL, &p, NULL);

	if (!ret)
		profile_free(p);
	return ret;
}

static void write_into(struct memory *m, const struct format *f)
{
	struct profile *p = fixture_profile();
	const struct sink to = memory_sink(m);

	CHECK_INT(f->write(p, NULL, &to, NULL), 0);
	profile_free(p);
}

TEST(view_memory, reading)
{
	static const struct format *const formats[] = {&format_pprof, &format_folded};
	static const char heap[] = "heap profile: 1: 64 [ 3: 90] @ heap_v2/1024\n"
				   " 1: 64 [ 3: 90] @ 0x400101 0x400201\nMAPPED_LIBRARIES:\n"
				   "00400000-00500000 r-xp 00001000 fe:01 7 /bin/prog\n";
	struct memory text = {(u8 *)heap, sizeof(heap) - 1, 0};

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct memory m = {0};

		write_into(&m, formats[i]);
		CHECK(starve(read_it, &m) > 10);
		vec_release(&m);
	}
	CHECK(starve(read_it, &text) > 10);
}

struct looked_at {
	const struct profile *p;
	struct report_options report;
	const struct format *format;
};

static int report_it(void *arg)
{
	const struct looked_at *l = arg;

	return report_write(l->p, &l->report, &nowhere, NULL);
}

TEST(view_memory, reports)
{
	static const enum report_kind kinds[] = {REPORT_TOP, REPORT_TREE, REPORT_PEEK, REPORT_LIST,
						 REPORT_TRACES};
	struct profile *p = fixture_profile();

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct looked_at l = {.p = p, .report = {.kind = kinds[i], .width = 80}};

		l.report.view.filter.focus = "main";
		l.report.function = kinds[i] == REPORT_PEEK || kinds[i] == REPORT_LIST ? "work"
										       : NULL;
		CHECK(starve(report_it, &l) > 10);
	}
	profile_free(p);
}

static int write_it(void *arg)
{
	const struct looked_at *l = arg;

	return l->format->write(l->p, NULL, &nowhere, NULL);
}

TEST(view_memory, formats)
{
	struct profile *p = fixture_profile();

	for (const struct format *const *f = format_table; *f; f++) {
		struct looked_at l = {.p = p, .format = *f};

		if (!(*f)->threads)
			CHECK(starve(write_it, &l) > 0);
	}
	profile_free(p);
}

static int compare_it(void *arg)
{
	const struct profile *p = arg;
	const struct compare_options how = {.scale = COMPARE_TOTALS};
	const struct diff_print print = {.width = 80};
	struct compare *c;
	int ret = compare_new(p, p, &how, &c, NULL);

	if (ret)
		return ret;
	ret = diff_write(c, &print, &nowhere);
	compare_free(c);
	return ret;
}

static int merge_it(void *arg)
{
	const struct profile *both[] = {arg, arg};
	struct profile *merged;
	int ret = profile_merge(both, 2, &merged, NULL);

	if (!ret)
		profile_free(merged);
	return ret;
}

static int filter_it(void *arg)
{
	const struct filter_options o = {.hide = "work"};

	return filter_apply(arg, &o, NULL);
}

TEST(view_memory, two_profiles_and_parts)
{
	struct profile *p = fixture_profile();

	CHECK(starve(compare_it, p) > 10);
	CHECK(starve(merge_it, p) > 10);
	CHECK(starve(filter_it, p) > 1);
	/* It was applied once, at the end, so hidden frames are gone but their values are not. */
	CHECK_INT(p->samples.len, 4);
	CHECK_INT(p->samples.data[3].nlocations, 2);
	profile_free(p);
}
