/* SPDX-License-Identifier: Apache-2.0 */
/* The text profiles of jemalloc, Go, C++ servers and Java agents, made by hand. */
#include <stdlib.h>
#include <string.h>

#include "format/read.h"
#include "format_fixture.h"
#include "unit.h"

#define MAP                   \
	"MAPPED_LIBRARIES:\n" \
	"00400000-00500000 r-xp 00001000 fe:01 7 /bin/prog\n"

static struct profile *read_text(const char *text)
{
	struct error err = {0};
	struct profile *p;

	if (format_read_bytes((struct bytes){(const u8 *)text, strlen(text)}, NULL, &p, &err))
		unit_fail(__FILE__, __LINE__, "not read: %s", err.text);
	return p;
}

static void check_refused(const char *text, const char *format)
{
	struct error err = {0};
	struct profile *p;

	CHECK(format_read_bytes((struct bytes){(const u8 *)text, strlen(text)}, NULL, &p, &err) <
	      0);
	CHECK(strstr(err.text, format));
}

static s64 sum(const struct profile *p, const char *type)
{
	int index = profile_find_sample_type(p, type);
	s64 total = 0;

	CHECK(index >= 0);
	vec_for_each(&p->samples, s)
		total += p->values.data[s->first_value + (u32)index];
	return total;
}

static const struct profile_location *location(const struct profile *p, size_t sample, u32 frame)
{
	const struct profile_sample *s = &p->samples.data[sample];

	CHECK(frame < s->nlocations);
	return &p->locations.data[p->stack_locations.data[s->first_location + frame]];
}

static const char *name(const struct profile *p, size_t sample, u32 frame)
{
	const struct profile_location *l = location(p, sample, frame);

	if (!l->nlines)
		return "";
	return profile_text(p, p->functions.data[p->lines.data[l->first_line].function].name);
}

/* ---- jemalloc -------------------------------------------------------------------------------- */

TEST(text_profiles, jemalloc_counts_each_stack_once)
{
	struct profile *p = read_text("heap_v2/1\n"
				      "  t*: 7: 700 [0: 0]\n"
				      "  t0: 3: 300 [0: 0] main\n"
				      "  t1: 4: 400 [0: 0]\n"
				      "@ 0x400101 0x400201\n"
				      "  t*: 5: 500 [0: 0]\n"
				      "  t0: 1: 100 [0: 0]\n"
				      "  t1: 4: 400 [0: 0]\n"
				      "@ 0x400301\n"
				      "  t*: 2: 200 [0: 0]\n"
				      "  t0: 2: 200 [0: 0]\n"
				      "\n" MAP);

	CHECK_INT(p->sample_types.len, 2);
	CHECK_INT(sum(p, "objects"), 7);
	CHECK_INT(sum(p, "space"), 700);
	CHECK_INT(p->samples.len, 2);
	CHECK_INT(location(p, 0, 1)->address, 0x400200);
	CHECK_STR(profile_text(p, p->mappings.data[0].path), "/bin/prog");
	profile_free(p);
}

TEST(text_profiles, jemalloc_without_a_sum_of_threads)
{
	struct profile *p = read_text("heap_v2/1\r\n@ 0x400101\r\n  t3: 1: 100 [2: 200]\r\n"
				      "  t12: 4: 400 [4: 400]\r\n");

	CHECK_INT(sum(p, "space"), 500);
	profile_free(p);
}

TEST(text_profiles, jemalloc_with_all_allocations)
{
	struct profile *p = read_text("heap_v2/1\n  t*: 1: 100 [9: 900]\n@ 0x400101\n"
				      "  t*: 1: 100 [9: 900]\n");

	CHECK_INT(p->sample_types.len, 4);
	CHECK_INT(sum(p, "alloc_space"), 900);
	CHECK_INT(sum(p, "inuse_space"), 100);
	profile_free(p);
}

/* A block as large as the mean distance is sampled with probability 1 - 1/e. */
TEST(text_profiles, jemalloc_is_scaled)
{
	struct profile *p =
		read_text("heap_v2/1024\n@ 0x400101\n  t*: 1: 1024 [0: 0]\n  t0: 1: 1024 [0: 0]\n");

	CHECK_INT(sum(p, "space"), 1619);
	CHECK_INT(p->period, 1024);
	profile_free(p);
}

TEST(text_profiles, refusals_name_the_format)
{
	check_refused("heap_v2/1\n@ 0x1\n  t*: many [0: 0]\n", "jemalloc");
	check_refused("heap profile: x\n", "heap profile of gperftools");
	check_refused("goroutine profile: total 2\nnonsense\n", "text profile of Go");
	check_refused("--- contentionz 1 ---\nnonsense @ 0x1\n", "contention profile");
	check_refused("--- heapz 1 ---\nformat = java\n 5 x @ 0x1\n", "Java agent");
	check_refused("PERFILE2", "recording of perf");
	check_refused("{\"a\": 1}\n", "JSON");
	check_refused("goroutine 1 [running]:\nmain.main()\n", "?debug=2");
}

/* ---- gperftools ------------------------------------------------------------------------------ */

TEST(text_profiles, growth_and_brief_maps)
{
	struct profile *p =
		read_text("heap profile:     85: 178257920 [    86: 178257921] @ growthz\n"
			  "     1:  2097152 [     1:  2097152] @ 0x400101 0x700201\n"
			  "--- Memory map: ---\n"
			  "  00400000-00fcb000: /bin/server (@2000)\n"
			  "  7fcdc231e000-7fcdc2321000: /libc.so\n");

	CHECK_INT(p->sample_types.len, 2);
	CHECK_INT(sum(p, "space"), 2097152);
	CHECK_STR(profile_text(p, p->mappings.data[0].path), "/bin/server");
	CHECK_INT(p->mappings.data[0].offset, 0x2000);
	profile_free(p);
}

TEST(text_profiles, contention_is_scaled)
{
	struct profile *p = read_text("--- contentionz 1 ---\n"
				      "cycles/second = 2000000000\n"
				      "sampling period = 100\n"
				      "ms since reset = 5000\n"
				      "discarded samples = 0\n"
				      "  2000  27 @ 0x400101 0x400201\n"
				      "     4   1 @ 0x400101\n"
				      "--- Memory map: ---\n"
				      "  00400000-00fcb000: server\n");

	CHECK_INT(sum(p, "contentions"), 2800);
	CHECK_INT(sum(p, "delay"), 2004 * 100 / 2);
	CHECK_INT(p->duration_nanos, 5000000000);
	CHECK_INT(p->mappings.len, 1);
	profile_free(p);
}

TEST(text_profiles, threads)
{
	struct profile *p = read_text("--- threadz 1 ---\n\n"
				      "--- Thread 7f794ab90940 (name: main/14748) stack: ---\n"
				      "  PC:  0x00400100: helper(arg *)\n"
				      "  0x00400201: main\n"
				      "--- Thread 7f794ab90941 (name: a/1) stack: ---\n"
				      "  PC: 0x400300 0x400401\n"
				      "      creator: 0x400501\n"
				      "--- Thread 7f7948978700 (name: b/14759) stack: ---\n"
				      "  [same as previous thread]\n" MAP);

	CHECK_INT(sum(p, "thread"), 3);
	CHECK_INT(p->samples.len, 2);
	CHECK_STR(name(p, 0, 0), "helper(arg *)");
	CHECK_STR(name(p, 0, 1), "main");
	CHECK_INT(location(p, 0, 1)->address, 0x400200);
	CHECK_INT(p->samples.data[1].nlocations, 3);
	profile_free(p);
}

/* ---- Go -------------------------------------------------------------------------------------- */

/* Go hides its runtime at both ends. main.rec calls itself, and main.leaf is inlined into it. */
TEST(text_profiles, go_names_and_labels)
{
	struct profile *p = read_text("goroutine profile: total 8\n"
				      "7 @ 0x4375f6 0x4b4f55 0x4b4f77 0x4b4f77 0x461221\n"
				      "# labels: {\"user\":\"al\\\"ice\", \"k\":\"v\"}\n"
				      "#\t0x4b4f54\tmain.leaf+0x14\t/src/main.go:5\n"
				      "#\t0x4b4f54\tmain.rec+0x14\t\t/src/main.go:6\n"
				      "#\t0x4b4f76\tmain.rec+0x36\t\t/src/main.go:7\n"
				      "#\t0x4b4f76\tmain.rec+0x36\t\t/src/main.go:7\n"
				      "\n"
				      "1 @ 0x42d236\n");
	const struct profile_location *leaf = location(p, 0, 0);

	CHECK_INT(sum(p, "goroutine"), 8);
	CHECK_INT(p->samples.data[0].nlocations, 3);
	CHECK_INT(leaf->nlines, 2);
	CHECK_INT(p->lines.data[leaf->first_line].line, 5);
	CHECK_STR(name(p, 0, 0), "main.leaf");
	CHECK_INT(location(p, 0, 1)->nlines, 1);
	CHECK_STR(name(p, 0, 2), "main.rec");
	CHECK_INT(p->samples.data[0].nlabels, 2);
	CHECK_INT(p->samples.data[1].nlocations, 1);
	profile_free(p);
}

TEST(text_profiles, go_heap)
{
	struct profile *p = read_text("heap profile: 1: 524288 [3: 1572864] @ heap/1048576\n"
				      "1: 524288 [3: 1572864] @ 0x420cef 0x422151\n"
				      "#\t0x422150\tmain.main+0x1\t/src/main.go:9\n"
				      "\n# runtime.MemStats\n# Alloc = 8\n");

	CHECK_INT(p->period, 524288);
	CHECK_INT(sum(p, "inuse_space"), 829411);
	CHECK_INT(p->samples.data[0].nlocations, 1);
	CHECK_STR(name(p, 0, 0), "main.main");
	profile_free(p);
}

/* ---- Java ------------------------------------------------------------------------------------ */

TEST(text_profiles, java_contention)
{
	struct profile *p = read_text("--- contentionz 1 ---\n"
				      "format = java\n"
				      "resolution = microseconds\n"
				      "sampling period = 100\n"
				      "       14     2 @ 0x00000003 0x00000004\n"
				      "\n"
				      " 0x0000003 com.example.work (Work.java:17)\n"
				      " 0x0000004 GC\n");

	CHECK_INT(sum(p, "contentions"), 200);
	CHECK_INT(sum(p, "delay/microseconds"), 1400);
	CHECK_STR(name(p, 0, 0), "com.example.work");
	CHECK_INT(p->lines.data[location(p, 0, 0)->first_line].line, 17);
	CHECK_STR(name(p, 0, 1), "GC");
	profile_free(p);
}

TEST(text_profiles, words_of_32_bits_in_both_orders)
{
	static const u32 words[] = {0,        3, 0, 10000,    0, 5, 2, 0x400100,
				    0x400201, 2, 1, 0x400300, 0, 1, 0};
	u32 swapped[ARRAY_LEN(words)];
	struct profile *p;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		swapped[i] = __builtin_bswap32(words[i]);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(format_read_bytes(
				  (struct bytes){(const u8 *)(i ? swapped : words), sizeof(words)},
				  NULL, &p, NULL),
			  0);
		CHECK_INT(p->period, 10000000);
		CHECK_INT(sum(p, "samples"), 7);
		CHECK_INT(location(p, 0, 1)->address, 0x400200);
		profile_free(p);
	}
}

TEST(text_profiles, every_cut_is_an_error_or_a_profile)
{
	static const char *const texts[] = {
		"heap_v2/1\n  t*: 7: 700 [0: 0]\n@ 0x400101 0x400201\n  t*: 5: 500 [0: 0]\n" MAP,
		"goroutine profile: total 8\n7 @ 0x4375f6 0x4b4f55\n"
		"# labels: {\"user\":\"al\\\"ice\"}\n#\t0x4b4f54\tmain.leaf+0x14\t/src/main.go:5\n",
		"--- contentionz 1 ---\nformat = java\n 14 2 @ 0x00000003\n\n 0x3 f (A.java:17)\n",
		"--- threadz 1 ---\n--- Thread 7f (name: a/1) stack: ---\n  PC: 0x400300: f\n" MAP,
	};
	struct profile *p;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t len = 0; len < strlen(texts[i]); len++) {
			u8 *cut = malloc(len + 1);

			CHECK(cut);
			memcpy(cut, texts[i], len);
			if (!format_read_bytes((struct bytes){cut, len}, NULL, &p, NULL))
				profile_free(p);
			free(cut);
		}
	}
}
