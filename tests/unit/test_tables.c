/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of unwind tables in real BPF maps: where pages go, what the kernel sees, and its
 * bounds. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collect/session/tables.h"
#include "unit.h"

#define PAGE sizeof(struct unwind_page)

struct fixture {
	struct tables_maps maps;
	struct tables *tables;
};

static int mapped_array(size_t value_size, u32 entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "test", sizeof(u32), (u32)value_size, entries,
				&opts);

	if (fd < 0 && (errno == EPERM || errno == ENOSYS))
		unit_skip("BPF maps need root");
	CHECK(fd >= 0);
	return fd;
}

static int array_of_chunks(u32 chunks)
{
	int like = mapped_array(PAGE, TABLE_CHUNK_PAGES), fd;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = (u32)like);

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "test", sizeof(u32), sizeof(u32), chunks,
			    &opts);
	CHECK(fd >= 0);
	close(like);
	return fd;
}

static void setup(struct fixture *f, u32 chunks)
{
	f->maps = (struct tables_maps){
		.chunks_fd = array_of_chunks(chunks),
		.rules_fd = mapped_array(sizeof(struct unwind_rule), UNWIND_MAX_RULES),
		.modules_fd = mapped_array(sizeof(struct module_table), MODULE_SLOTS)};
	CHECK_INT(tables_new(&f->maps, &f->tables), 0);
}

static void teardown(struct fixture *f)
{
	tables_free(f->tables);
	close(f->maps.chunks_fd);
	close(f->maps.rules_fd);
	close(f->maps.modules_fd);
}

/* Makes rows that are numbered from `first` on, so that each page can be recognized. */
static struct rows numbered_rows(u32 block_pages, u32 word_pages, u32 first)
{
	struct rows r = {.base_off = first * 4096ull,
			 .nblocks = block_pages * UNWIND_PAGE_BLOCKS,
			 .nwords = word_pages * UNWIND_PAGE_WORDS,
			 .nrows = word_pages * UNWIND_PAGE_WORDS - 7};

	r.blocks = calloc(block_pages, PAGE);
	r.words = malloc(word_pages * PAGE);
	CHECK(r.blocks && r.words);
	for (u32 i = 0; i < r.nblocks; i++)
		r.blocks[i].first_row = first + i;
	for (u32 i = 0; i < r.nwords; i++)
		r.words[i] = first + i;
	return r;
}

static void release(struct rows *r)
{
	free(r->blocks);
	free(r->words);
}

static struct module_table module_seen(const struct fixture *f, u32 module)
{
	struct module_table mt;

	CHECK_INT(bpf_map_lookup_elem(f->maps.modules_fd, &module, &mt), 0);
	return mt;
}

/* Reads a page as a BPF program finds it, through the outer map. */
static void page_seen(const struct fixture *f, u32 page, struct unwind_page *out)
{
	u32 chunk = page / TABLE_CHUNK_PAGES, index = page % TABLE_CHUNK_PAGES, id;
	int fd;

	CHECK_INT(bpf_map_lookup_elem(f->maps.chunks_fd, &chunk, &id), 0);
	fd = bpf_map_get_fd_by_id(id);
	CHECK(fd >= 0);
	CHECK_INT(bpf_map_lookup_elem(fd, &index, out), 0);
	close(fd);
}

static void check_seen(const struct fixture *f, u32 module, const struct rows *want)
{
	struct module_table mt = module_seen(f, module);
	struct unwind_page page;

	CHECK_INT(mt.has_table, 1);
	CHECK_INT(mt.base_off, want->base_off);
	CHECK_INT(mt.nblocks, want->nblocks);
	CHECK_INT(mt.nwords, want->nwords);
	for (u32 i = 0; i < want->nblocks / UNWIND_PAGE_BLOCKS; i++) {
		page_seen(f, mt.block_page + i, &page);
		CHECK(!memcmp(&page, want->blocks + i * UNWIND_PAGE_BLOCKS, PAGE));
	}
	for (u32 i = 0; i < want->nwords / UNWIND_PAGE_WORDS; i++) {
		page_seen(f, mt.word_page + i, &page);
		CHECK(!memcmp(&page, want->words + i * UNWIND_PAGE_WORDS, PAGE));
	}
}

static void check_view(const struct fixture *f, u32 module, const struct rows *want)
{
	struct rows view;

	CHECK(tables_view(f->tables, module, &view));
	CHECK_INT(view.base_off, want->base_off);
	CHECK_INT(view.nblocks, want->nblocks);
	CHECK_INT(view.nwords, want->nwords);
	CHECK(!memcmp(view.blocks, want->blocks, want->nblocks * sizeof(*want->blocks)));
	CHECK(!memcmp(view.words, want->words, want->nwords * sizeof(*want->words)));
}

TEST(tables, pages_follow_each_other_across_chunks)
{
	struct rows small = numbered_rows(1, 2, 1000);
	struct rows large = numbered_rows(2, 2 * TABLE_CHUNK_PAGES, 5000000);
	struct fixture f;

	setup(&f, 4);
	CHECK_INT(tables_load(f.tables, 3, &small), 0);
	CHECK_INT(tables_load(f.tables, MODULE_SLOTS - 1, &large), 0);
	CHECK_INT(tables_load(f.tables, 4, &small), 0);
	CHECK_INT(module_seen(&f, 3).block_page, 0);
	CHECK_INT(module_seen(&f, 3).word_page, 1);
	CHECK_INT(module_seen(&f, MODULE_SLOTS - 1).block_page, 3);
	CHECK_INT(module_seen(&f, MODULE_SLOTS - 1).word_page, 5);
	CHECK_INT(module_seen(&f, 4).block_page, 5 + 2 * TABLE_CHUNK_PAGES);
	CHECK_INT(tables_rows(f.tables), 2 * small.nrows + large.nrows);
	check_seen(&f, 3, &small);
	check_seen(&f, MODULE_SLOTS - 1, &large);
	check_view(&f, 3, &small);
	check_view(&f, MODULE_SLOTS - 1, &large);
	check_view(&f, 4, &small);
	teardown(&f);
	release(&small);
	release(&large);
}

/* Tables of growing size must each be where their view is, however many regions the pool has by
 * then. */
TEST(tables, the_pool_grows_and_what_was_loaded_stays)
{
	enum { TABLES = 40 };
	struct rows rows[TABLES];
	struct fixture f;

	setup(&f, TABLE_MAX_CHUNKS);
	for (u32 i = 0; i < TABLES; i++) {
		rows[i] = numbered_rows(1 + i % 3, 1 + 47 * i, 100000 * i);
		CHECK_INT(tables_load(f.tables, 1 + i, &rows[i]), 0);
	}
	for (u32 i = 0; i < TABLES; i++) {
		check_seen(&f, 1 + i, &rows[i]);
		check_view(&f, 1 + i, &rows[i]);
		release(&rows[i]);
	}
	teardown(&f);
}

static size_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	CHECK(file && fscanf(file, "%zu", &pages) == 1);
	fclose(file);
	return pages * 4096;
}

TEST(tables, an_address_space_with_limits_is_enough)
{
	struct rows rows = numbered_rows(1, TABLE_CHUNK_PAGES, 5), more;
	struct rlimit limit;
	struct fixture f;
	u32 i = 0;

	setup(&f, TABLE_MAX_CHUNKS);
	tables_free(f.tables);
	CHECK(!getrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = address_space() + (64u << 20);
	CHECK(!setrlimit(RLIMIT_AS, &limit));
	CHECK_INT(tables_new(&f.maps, &f.tables), 0);
	while (i < 100 && !tables_load(f.tables, ++i, &rows))
		;
	/* Some 60 chunks fit; the table that does not fit leaves the others alone. */
	CHECK(i > 20 && i < 100);
	CHECK(!tables_view(f.tables, i, &more));
	for (u32 module = 1; module < i; module++)
		check_view(&f, module, &rows);
	limit.rlim_cur = limit.rlim_max;
	CHECK(!setrlimit(RLIMIT_AS, &limit));
	CHECK_INT(tables_load(f.tables, i, &rows), 0);
	check_view(&f, i, &rows);
	teardown(&f);
	release(&rows);
}

TEST(tables, a_part_of_a_page_takes_a_page)
{
	struct rows rows = numbered_rows(1, 1, 10);
	struct fixture f;

	rows.nblocks = 3;
	setup(&f, 1);
	CHECK_INT(tables_load(f.tables, 1, &rows), 0);
	CHECK_INT(module_seen(&f, 1).word_page, 1);
	check_view(&f, 1, &rows);
	teardown(&f);
	release(&rows);
}

TEST(tables, numbers_out_of_bounds_and_modules_without_tables)
{
	struct rows rows = numbered_rows(1, 1, 0), view;
	struct fixture f;

	setup(&f, 1);
	CHECK_INT(tables_load(f.tables, MODULE_MAX, &rows), -ENOSPC);
	CHECK_INT(tables_load(f.tables, UINT32_MAX, &rows), -ENOSPC);
	CHECK_INT(tables_rows(f.tables), 0);
	CHECK(!tables_view(f.tables, 1, &view));
	CHECK(!tables_view(f.tables, MODULE_MAX, &view));
	CHECK(!tables_view(f.tables, UINT32_MAX, &view));
	CHECK_INT(module_seen(&f, 1).has_table, 0);
	teardown(&f);
	release(&rows);
}

TEST(tables, what_does_not_fit_stays_out_and_harms_nothing)
{
	struct rows fits = numbered_rows(1, TABLE_CHUNK_PAGES, 7);
	struct rows large = numbered_rows(1, TABLE_CHUNK_PAGES, 9);
	struct fixture f;
	struct rows view;

	setup(&f, 2); /* the programs' own map has TABLE_MAX_CHUNKS, a gigabyte */
	CHECK_INT(tables_load(f.tables, 1, &fits), 0);
	CHECK(tables_load(f.tables, 2, &large) < 0);
	CHECK(!tables_view(f.tables, 2, &view));
	CHECK_INT(module_seen(&f, 2).has_table, 0);
	CHECK_INT(tables_rows(f.tables), fits.nrows);
	check_seen(&f, 1, &fits);
	CHECK(tables_load(f.tables, 3, &large) < 0); /* again not beyond the pool */
	teardown(&f);
	release(&fits);
	release(&large);
}

TEST(tables, rules_are_where_the_programs_look)
{
	const struct unwind_rule rule = {.cfa = UNWIND_CFA_SP, .cfa_off = 4711};
	struct unwind_rule seen;
	struct fixture f;
	u32 number;

	setup(&f, 1);
	number = rule_set_number(tables_rules(f.tables), &rule);
	CHECK(number > 0 && number < UNWIND_MAX_RULES);
	CHECK_INT(bpf_map_lookup_elem(f.maps.rules_fd, &number, &seen), 0);
	CHECK(!memcmp(&seen, &rule, sizeof(rule)));
	CHECK(!memcmp(&tables_rule_array(f.tables)[number], &rule, sizeof(rule)));
	teardown(&f);
}

TEST(tables, maps_that_cannot_be_mapped)
{
	const struct tables_maps some = {.chunks_fd = 3, .rules_fd = -1, .modules_fd = -1};
	const struct tables_maps closed = {.chunks_fd = 9999, .rules_fd = 9999, .modules_fd = 9999};
	struct tables *t;

	CHECK_INT(tables_new(&some, &t), -EINVAL);
	CHECK_INT(tables_new(&closed, &t), -ENOMEM);
	tables_free(NULL);
}

TEST(tables, without_bpf_the_pool_is_plain_memory)
{
	const struct tables_maps none = {.chunks_fd = -1, .rules_fd = -1, .modules_fd = -1};
	struct rows rows = numbered_rows(2, 3 * TABLE_CHUNK_PAGES, 77);
	struct fixture f = {.maps = none};

	CHECK_INT(tables_new(&none, &f.tables), 0);
	CHECK_INT(tables_load(f.tables, MODULE_MAX - 1, &rows), 0);
	check_view(&f, MODULE_MAX - 1, &rows);
	tables_free(f.tables);
	release(&rows);
}

/* A number with the same slot is another module, whose table takes its place. */
TEST(tables, a_slot_goes_to_the_next_module)
{
	struct rows first = numbered_rows(1, 2, 10), second = numbered_rows(2, 1, 999);
	struct fixture f;
	struct rows view;

	setup(&f, 1);
	CHECK_INT(tables_load(f.tables, 20, &first), 0);
	CHECK(!tables_view(f.tables, 20 + MODULE_SLOTS, &view));
	tables_unload(f.tables, 20 + MODULE_SLOTS); /* it has none */
	check_view(&f, 20, &first);
	tables_unload(f.tables, 20);
	CHECK_INT(module_seen(&f, 20).has_table, 0);
	CHECK_INT(tables_size(f.tables).pages, 0);
	CHECK_INT(tables_load(f.tables, 20 + MODULE_SLOTS, &second), 0);
	CHECK(!tables_view(f.tables, 20, &view));
	check_view(&f, 20 + MODULE_SLOTS, &second);
	check_seen(&f, 20, &second);
	tables_set_missing(f.tables, 21, TABLE_POOL_FULL);
	CHECK(tables_view(f.tables, 21, &view) && view.missing == TABLE_POOL_FULL);
	CHECK_INT(module_seen(&f, 21).missing, TABLE_POOL_FULL);
	tables_unload(f.tables, 21);
	CHECK(!tables_view(f.tables, 21, &view));
	teardown(&f);
	release(&first);
	release(&second);
}

/* Modules of all sizes are loaded and unloaded in any order, and the pool grows no further than
 * what is loaded at once needs. */
TEST(tables, pages_are_used_again)
{
	enum { AT_ONCE = 24, ROUNDS = 3000, PAGES_MAX = 60 };
	struct rows rows[AT_ONCE] = {0};
	u32 seed = 1, pages = 0, chunks = 0;
	struct fixture f;

	setup(&f, 64);
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 at = (seed = seed * 1103515245 + 12345) / 65536 % AT_ONCE;

		if (rows[at].blocks) {
			tables_unload(f.tables, 16 + at);
			release(&rows[at]);
		}
		rows[at] = numbered_rows(1, 1 + seed / 65536 % PAGES_MAX, i * 1000);
		CHECK_INT(tables_load(f.tables, 16 + at, &rows[at]), 0);
		if (i == ROUNDS / 4)
			chunks = tables_size(f.tables).chunks;
	}
	for (u32 at = 0; at < AT_ONCE; at++) {
		check_seen(&f, 16 + at, &rows[at]);
		check_view(&f, 16 + at, &rows[at]);
		pages += (rows[at].nblocks / UNWIND_PAGE_BLOCKS) +
			 rows[at].nwords / UNWIND_PAGE_WORDS;
		release(&rows[at]);
	}
	CHECK_INT(tables_size(f.tables).pages, pages);
	/* 24 tables of at most 61 pages are 5.7 chunks; holes cost some more. */
	CHECK(tables_size(f.tables).chunks <= 12);
	CHECK(tables_size(f.tables).chunks <= chunks + 2);
	for (u32 at = 0; at < AT_ONCE; at++)
		tables_unload(f.tables, 16 + at);
	CHECK_INT(tables_size(f.tables).pages, 0);
	teardown(&f);
}

/* A table that does not fit leaves the pool as it was, however often it is tried. */
TEST(tables, a_load_that_fails_takes_nothing)
{
	struct rows large = numbered_rows(1, 2 * TABLE_CHUNK_PAGES, 3),
		    fits = numbered_rows(1, 8, 4);
	struct fixture f;

	setup(&f, 2);
	CHECK_INT(tables_load(f.tables, 16, &fits), 0);
	for (int i = 0; i < 100; i++)
		CHECK(tables_load(f.tables, 17, &large) < 0);
	CHECK_INT(tables_size(f.tables).pages, 9);
	for (u32 i = 0; i < 40; i++)
		CHECK_INT(tables_load(f.tables, 18 + i, &fits), 0);
	check_view(&f, 57, &fits);
	teardown(&f);
	release(&large);
	release(&fits);
}
