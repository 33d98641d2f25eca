/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that remembered names are those that the file gave, and that they take no more memory than
 * allowed. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbol/name_cache.h"

#define ADDRESSES 200
#define STEP 64

struct answers {
	char text[ADDRESSES][300];
	u32 times[ADDRESSES];
};

static int note(void *arg, size_t which, enum name_source source, const struct dwarf_frame *frames,
		u32 n)
{
	struct answers *a = arg;
	size_t used;

	CHECK(which < ADDRESSES);
	a->times[which]++;
	used = (size_t)snprintf(a->text[which], sizeof(a->text[which]), "%d:%u", source, n);
	for (u32 i = 0; i < n && used < sizeof(a->text[which]); i++)
		used += (size_t)snprintf(a->text[which] + used, sizeof(a->text[which]) - used,
					 " %s|%s|%s:%u", frames[i].name ? frames[i].name : "",
					 frames[i].linkage_name ? frames[i].linkage_name : "",
					 frames[i].file ? frames[i].file : "", frames[i].line);
	return 0;
}

static struct module *own_program(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	struct module *m;

	CHECK(n > 0);
	path[n] = '\0';
	CHECK_INT(module_open_file(NULL, path, &m), 0);
	return m;
}

/* Returns the CPU time of the process that was forked to read names. */
static u64 resolve(struct name_cache *c, struct module *m, struct answers *out,
		   struct module_names_info *info)
{
	const struct budget_watch watch = {.stop = NULL};
	struct names_process *np;
	u64 vaddrs[ADDRESSES], cpu_ns;

	for (size_t i = 0; i < ADDRESSES; i++)
		vaddrs[i] = elf_file_entry(m->elf) + i * STEP;
	memset(out, 0, sizeof(*out));
	CHECK_INT(names_process_new(&np), 0);
	CHECK_INT(name_cache_resolve(c, np, m, vaddrs, ADDRESSES, &watch, note, out, info), 0);
	cpu_ns = names_process_end(np).cpu_ns;
	names_process_free(np);
	for (size_t i = 0; i < ADDRESSES; i++)
		CHECK_INT(out->times[i], 1);
	return cpu_ns;
}

static void check_same(const struct answers *a, const struct answers *b)
{
	for (size_t i = 0; i < ADDRESSES; i++)
		CHECK_STR(a->text[i], b->text[i]);
}

TEST(name_cache, the_second_time_no_file_is_read)
{
	struct answers *first = malloc(sizeof(*first)), *again = malloc(sizeof(*again));
	struct module_names_info info, info_again;
	struct module *m = own_program(), *other = own_program();
	struct name_cache *c;

	CHECK(first && again && m->id && m->id != other->id);
	CHECK_INT(name_cache_new(32u << 20, &c), 0);
	CHECK(resolve(c, m, first, &info) > 0);
	CHECK(strstr(first->text[0], "_start"));
	CHECK_INT(name_cache_stats(c).hits, 0);
	CHECK_INT(resolve(c, m, again, &info_again), 0); /* nothing was forked */
	check_same(first, again);
	CHECK_INT(info.has_dwarf, info_again.has_dwarf);
	CHECK_INT(name_cache_stats(c).hits, ADDRESSES);
	CHECK_INT(name_cache_stats(c).misses, ADDRESSES);
	/* By then, a module of the same path may be another file. */
	CHECK(resolve(c, other, again, &info_again) > 0);
	check_same(first, again);
	CHECK_INT(name_cache_stats(c).misses, 2 * ADDRESSES);
	name_cache_free(c);
	module_free(m);
	module_free(other);
	free(first);
	free(again);
}

TEST(name_cache, the_oldest_names_are_forgotten_first)
{
	struct answers *plain = malloc(sizeof(*plain)), *cached = malloc(sizeof(*cached));
	struct module_names_info info;
	struct module *m = own_program();
	struct name_cache *c;

	CHECK(plain && cached);
	resolve(NULL, m, plain, &info);
	CHECK_INT(name_cache_new(8192, &c), 0);
	for (int round = 0; round < 3; round++) {
		resolve(c, m, cached, &info);
		check_same(plain, cached);
		CHECK(name_cache_stats(c).bytes <= 8192);
		CHECK(name_cache_stats(c).addresses > 5);
		CHECK(name_cache_stats(c).addresses < ADDRESSES);
	}
	name_cache_free(c);
	module_free(m);
	free(plain);
	free(cached);
}
