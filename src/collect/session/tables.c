/* SPDX-License-Identifier: Apache-2.0 */
/* Loads unwind tables into the kernel: see tables.h. */
#include "collect/session/tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/vec.h"

#define PAGE_BYTES sizeof(struct unwind_page)
#define CHUNK_BYTES (TABLE_CHUNK_PAGES * PAGE_BYTES)

/*
 * All TABLE_MAX_CHUNKS would take a gigabyte of addresses, with which cprof could not start if its
 * address space is limited (RLIMIT_AS). So addresses are reserved in regions, each twice as large
 * as the one before. A table is in one region, with its pages one after another.
 */
#define FIRST_REGION_CHUNKS 8u
#define MAX_REGIONS 32

struct region {
	u8 *base; /* its chunks are mapped here, one after the other */
	u32 first, reserved; /* number of its first chunk, and how many have addresses */
};

struct run { /* describes consecutive pages in one region */
	u32 first, pages;
};

struct extra_page { /* of rows that a module got later */
	u16 slot;
	u16 used; /* words */
	u32 page;
};

struct tables {
	struct table_pages pages;
	struct tables_maps maps;
	struct rule_set *set;
	struct unwind_rule *rules; /* mapped */
	struct module_table *modules; /* mapped */
	/* the module whose table a slot holds; MODULE_NONE if it is empty */
	u16 owner[MODULE_SLOTS];
	struct region regions[MAX_REGIONS];
	u32 nregions, nchunks;
	u32 used; /* pages up to here have been in use at some time */
	VEC(struct run) free; /* those of them that are free again, in order */
	u32 nfree;
	VEC(struct extra_page) extra; /* the newest of each slot is last */
	u64 rows;
};

static void *map_array(int fd, size_t bytes)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

/* Reserves addresses without memory behind them. */
static u8 *reserve(size_t bytes)
{
	void *mem =
		mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static u8 *chunk_address(const struct tables *t, u32 chunk);

/* A walk asks for pages while another thread may add a region, which the walk has no page of. */
static const struct unwind_page *page_of(const struct table_pages *pages, u32 number)
{
	const struct tables *t = (const struct tables *)pages;

	return (const struct unwind_page *)(chunk_address(t, number / TABLE_CHUNK_PAGES) +
					    number % TABLE_CHUNK_PAGES * PAGE_BYTES);
}

bool tables_are_in_kernel(const struct tables *t)
{
	return t->maps.chunks_fd >= 0;
}

int tables_new(const struct tables_maps *maps, struct tables **out)
{
	struct tables *t;
	int err = -ENOMEM;

	if ((maps->chunks_fd < 0) != (maps->rules_fd < 0) ||
	    (maps->chunks_fd < 0) != (maps->modules_fd < 0))
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->pages.page = page_of;
	t->maps = *maps;
	t->rules = map_array(maps->rules_fd, UNWIND_MAX_RULES * sizeof(*t->rules));
	t->modules = map_array(maps->modules_fd, MODULE_SLOTS * sizeof(*t->modules));
	if (t->rules && t->modules)
		err = rule_set_new(t->rules, UNWIND_MAX_RULES, &t->set);
	if (err) {
		tables_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	rule_set_free(t->set);
	vec_release(&t->free);
	vec_release(&t->extra);
	for (u32 i = 0; i < t->nregions; i++)
		munmap(t->regions[i].base, t->regions[i].reserved * CHUNK_BYTES);
	if (t->rules)
		munmap(t->rules, UNWIND_MAX_RULES * sizeof(*t->rules));
	if (t->modules)
		munmap(t->modules, MODULE_SLOTS * sizeof(*t->modules));
	free(t);
}

struct rule_set *tables_rules(struct tables *t)
{
	return t->set;
}

u64 tables_rows(const struct tables *t)
{
	return t->rows;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static u8 *chunk_address(const struct tables *t, u32 chunk)
{
	u32 i = __atomic_load_n(&t->nregions, __ATOMIC_ACQUIRE) - 1;

	while (i && chunk < t->regions[i].first)
		i--;
	return t->regions[i].base + (chunk - t->regions[i].first) * CHUNK_BYTES;
}

static void *page_address(const struct tables *t, u32 page)
{
	return chunk_address(t, page / TABLE_CHUNK_PAGES) + page % TABLE_CHUNK_PAGES * PAGE_BYTES;
}

static u32 pages_for(size_t bytes)
{
	return (u32)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
}

/* Gives back the addresses of chunks that the last region did not use. */
static void close_region(struct tables *t)
{
	struct region *last = &t->regions[t->nregions - 1];
	u32 kept = t->nchunks - last->first;

	if (kept == last->reserved)
		return;
	munmap(last->base + kept * CHUNK_BYTES, (last->reserved - kept) * CHUNK_BYTES);
	last->reserved = kept;
	if (!kept)
		t->nregions--;
}

static bool begins_region(const struct tables *t, u32 page)
{
	for (u32 i = 0; i < t->nregions; i++) {
		if (page == t->regions[i].first * TABLE_CHUNK_PAGES)
			return true;
	}
	return false;
}

static void join_runs(struct tables *t, size_t i)
{
	struct run *a = &t->free.data[i], *b = a + 1;

	if (i + 1 >= t->free.len || a->first + a->pages != b->first || begins_region(t, b->first))
		return;
	a->pages += b->pages;
	memmove(b, b + 1, (t->free.len - i - 2) * sizeof(*b));
	t->free.len--;
}

/* Without memory to record them, pages are not used again. */
static void free_run(struct tables *t, u32 first, u32 pages)
{
	size_t i = t->free.len;

	if (!pages || vec_reserve(&t->free, t->free.len + 1))
		return;
	while (i && t->free.data[i - 1].first > first)
		i--;
	memmove(t->free.data + i + 1, t->free.data + i, (t->free.len - i) * sizeof(*t->free.data));
	t->free.data[i] = (struct run){first, pages};
	t->free.len++;
	t->nfree += pages;
	join_runs(t, i);
	if (i)
		join_runs(t, i - 1);
}

static int add_region(struct tables *t, u32 chunks)
{
	u32 wanted = t->nregions ? 2 * t->regions[t->nregions - 1].reserved : FIRST_REGION_CHUNKS;
	struct region fresh = {.first = t->nchunks};

	if (chunks > TABLE_MAX_CHUNKS - t->nchunks || t->nregions == MAX_REGIONS)
		return -ENOSPC;
	if (wanted < chunks)
		wanted = chunks;
	if (wanted > TABLE_MAX_CHUNKS - t->nchunks)
		wanted = TABLE_MAX_CHUNKS - t->nchunks;
	fresh.base = reserve(wanted * CHUNK_BYTES);
	if (!fresh.base) {
		wanted = chunks;
		fresh.base = reserve(wanted * CHUNK_BYTES);
	}
	if (!fresh.base)
		return -ENOMEM;
	fresh.reserved = wanted;
	if (t->nregions)
		close_region(t);
	free_run(t, t->used, t->nchunks * TABLE_CHUNK_PAGES - t->used);
	t->regions[t->nregions] = fresh;
	__atomic_store_n(&t->nregions, t->nregions + 1, __ATOMIC_RELEASE);
	t->used = t->nchunks * TABLE_CHUNK_PAGES;
	return 0;
}

/* Finds addresses for that many pages in one region. */
static int reserve_pages(struct tables *t, u32 pages)
{
	const struct region *last = t->nregions ? &t->regions[t->nregions - 1] : NULL;
	u32 chunks = pages / TABLE_CHUNK_PAGES + (pages % TABLE_CHUNK_PAGES > 0);

	if (last && (u64)t->used + pages <= (u64)(last->first + last->reserved) * TABLE_CHUNK_PAGES)
		return 0;
	return add_region(t, chunks);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static int add_chunk(struct tables *t)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	u32 index = t->nchunks;
	u8 *at = chunk_address(t, index);
	int fd, err = 0;

	if (!tables_are_in_kernel(t)) {
		if (mprotect(at, CHUNK_BYTES, PROT_READ | PROT_WRITE))
			return -errno;
		t->nchunks++;
		return 0;
	}
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_pages", sizeof(u32), PAGE_BYTES,
			    TABLE_CHUNK_PAGES, &opts);
	if (fd < 0)
		return -errno;
	if (mmap(at, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		    MAP_FAILED ||
	    bpf_map_update_elem(t->maps.chunks_fd, &index, &fd, BPF_ANY))
		err = -errno;
	close(fd); /* the outer map and our mapping keep it */
	if (err)
		return err;
	t->nchunks++;
	return 0;
}

/* Pages that were used before come first: the first run that is long enough. */
static bool take_free(struct tables *t, u32 pages, u32 *first)
{
	for (size_t i = 0; i < t->free.len; i++) {
		struct run *run = &t->free.data[i];

		if (run->pages < pages)
			continue;
		*first = run->first;
		run->first += pages;
		run->pages -= pages;
		t->nfree -= pages;
		if (!run->pages) {
			memmove(run, run + 1, (t->free.len - i - 1) * sizeof(*run));
			t->free.len--;
		}
		return true;
	}
	return false;
}

/* Takes consecutive pages and returns the number of the first one. */
static int take_pages(struct tables *t, u32 pages, u32 *first)
{
	int err;

	*first = t->used;
	if (!pages || take_free(t, pages, first))
		return 0;
	err = reserve_pages(t, pages);
	while (!err && t->used + pages > t->nchunks * TABLE_CHUNK_PAGES)
		err = add_chunk(t);
	if (err)
		return err;
	*first = t->used;
	t->used += pages;
	return 0;
}

static u32 slot_of(u32 module)
{
	return module % MODULE_SLOTS;
}

int tables_load(struct tables *t, u32 module, const struct rows *rows)
{
	struct module_table mt = {
		.base_off = rows->base_off, .nblocks = rows->nblocks, .nwords = rows->nwords};
	size_t blocks = rows->nblocks * sizeof(*rows->blocks);
	size_t words = rows->nwords * sizeof(*rows->words);
	struct module_table *at = &t->modules[slot_of(module)];
	int err;

	if (module >= MODULE_MAX)
		return -ENOSPC;
	err = take_pages(t, pages_for(blocks), &mt.block_page);
	if (err)
		return err;
	err = take_pages(t, pages_for(words), &mt.word_page);
	if (err) {
		free_run(t, mt.block_page, pages_for(blocks));
		return err;
	}
	if (blocks)
		memcpy(page_address(t, mt.block_page), rows->blocks, blocks);
	if (words)
		memcpy(page_address(t, mt.word_page), rows->words, words);
	t->owner[slot_of(module)] = (u16)module;
	*at = mt;
	/* The programs must not see has_table before the rest. */
	__atomic_store_n(&at->has_table, 1, __ATOMIC_RELEASE);
	t->rows += rows->nrows;
	return 0;
}

void tables_set_missing(struct tables *t, u32 module, enum table_missing why)
{
	if (module >= MODULE_MAX)
		return;
	t->owner[slot_of(module)] = (u16)module;
	t->modules[slot_of(module)].missing = why;
}

static void free_extra(struct tables *t, u32 slot)
{
	size_t kept = 0;

	vec_for_each(&t->extra, e) {
		if (e->slot == slot)
			free_run(t, e->page, 1);
		else
			t->extra.data[kept++] = *e;
	}
	t->extra.len = kept;
}

void tables_unload(struct tables *t, u32 module)
{
	struct module_table *at = &t->modules[slot_of(module)], mt = *at;

	if (module >= MODULE_MAX || t->owner[slot_of(module)] != module)
		return;
	t->owner[slot_of(module)] = MODULE_NONE;
	*at = (struct module_table){0};
	if (!mt.has_table)
		return;
	free_run(t, mt.block_page, pages_for(mt.nblocks * sizeof(struct unwind_block)));
	free_run(t, mt.word_page, pages_for(mt.nwords * sizeof(u32)));
	free_extra(t, slot_of(module));
}

/* ---- rows that come later -------------------------------------------------------------------- */

/* Hostile code may ask for any number of changes of the same block. */
#define EXTRA_PAGES_MIN 16u

/* Returns the module's newest page, or NULL if it cannot have more. */
static struct extra_page *extra_of(struct tables *t, u32 slot, bool *full)
{
	struct extra_page *newest = NULL;
	u32 n = 0;

	vec_for_each(&t->extra, e) {
		if (e->slot != slot)
			continue;
		newest = e;
		n++;
	}
	*full = n >= EXTRA_PAGES_MIN + t->modules[slot].nblocks;
	return newest;
}

/* Finds space for the words of a block, which must not cross pages. */
static struct extra_page *take_words(struct tables *t, u32 slot, u32 n)
{
	struct extra_page fresh = {.slot = (u16)slot}, *e;
	bool full;

	e = extra_of(t, slot, &full);
	if (e && e->used + n <= UNWIND_PAGE_WORDS)
		return e;
	if (full || vec_reserve(&t->extra, t->extra.len + 1) || take_pages(t, 1, &fresh.page))
		return NULL;
	t->extra.data[t->extra.len++] = fresh;
	return &t->extra.data[t->extra.len - 1];
}

static u64 *block_at(struct tables *t, const struct module_table *mt, u32 block)
{
	struct unwind_page *page = page_address(t, mt->block_page + block / UNWIND_PAGE_BLOCKS);

	return &page->whole_blocks[block % UNWIND_PAGE_BLOCKS];
}

static u32 *words_of(struct tables *t, const struct module_table *mt, const struct unwind_block *b)
{
	u32 page = (mt->word_page + b->first_row / UNWIND_PAGE_WORDS) & (TABLE_MAX_PAGES - 1);
	struct unwind_page *at = b->nrows ? page_address(t, page) : NULL;

	return at ? &at->words[b->first_row % UNWIND_PAGE_WORDS] : NULL;
}

/* Readers have either the old rows or the new ones. */
static void set_block(u64 *at, const struct unwind_block *b)
{
	const union unwind_block_piece piece = {.block = *b};

	__atomic_store_n(at, piece.whole, __ATOMIC_RELEASE);
}

/* Nothing else is known of code that was left for later in this block. It takes no space. */
static void forget_later(u64 *at, struct unwind_block b, u32 *words)
{
	for (u32 i = 0; i < b.nrows; i++) {
		if (UNWIND_ROW_RULE(words[i]) == UNWIND_RULE_LATER)
			__atomic_store_n(&words[i], UNWIND_ROW(words[i] >> 16, UNWIND_RULE_NONE),
					 __ATOMIC_RELAXED);
	}
	if (b.rule == UNWIND_RULE_LATER)
		b.rule = UNWIND_RULE_NONE;
	set_block(at, &b);
}

static int patch_block(struct tables *t, u32 slot, u32 block, const struct row_patch *patch)
{
	const struct module_table *mt = &t->modules[slot];
	u64 *at = block_at(t, mt, block), off = mt->base_off + ((u64)block << UNWIND_BLOCK_SHIFT);
	union unwind_block_piece old = {.whole = *at};
	u32 *words = words_of(t, mt, &old.block);
	struct block_rows fresh;
	struct extra_page *e;

	if (!row_patch_block(patch, off, &old.block, words, &fresh))
		return 0;
	e = take_words(t, slot, fresh.n);
	if (!e) {
		forget_later(at, old.block, words);
		return -ENOSPC;
	}
	if (fresh.n)
		memcpy((u32 *)page_address(t, e->page) + e->used, fresh.words,
		       fresh.n * sizeof(u32));
	old.block.first_row =
		((e->page - mt->word_page) & (TABLE_MAX_PAGES - 1)) * UNWIND_PAGE_WORDS + e->used;
	old.block.nrows = (u16)fresh.n;
	old.block.rule = (u16)fresh.rule;
	e->used = (u16)(e->used + fresh.n);
	set_block(at, &old.block);
	t->rows += fresh.n;
	return 0;
}

static bool has_table(const struct tables *t, u32 module)
{
	return module < MODULE_MAX && t->owner[slot_of(module)] == module &&
	       t->modules[slot_of(module)].has_table;
}

int tables_patch(struct tables *t, u32 module, const struct row_patch *patch)
{
	const struct module_table *mt = &t->modules[slot_of(module)];
	u64 size = (u64)mt->nblocks << UNWIND_BLOCK_SHIFT, start, end;
	int err = 0;

	if (!has_table(t, module) || patch->end <= mt->base_off || patch->start >= patch->end)
		return 0;
	start = patch->start < mt->base_off ? 0 : patch->start - mt->base_off;
	end = patch->end - mt->base_off < size ? patch->end - mt->base_off : size;
	for (u64 at = start >> UNWIND_BLOCK_SHIFT; at << UNWIND_BLOCK_SHIFT < end; at++) {
		int code = patch_block(t, slot_of(module), (u32)at, patch);

		err = code ? code : err;
	}
	return err;
}

u32 tables_rule(struct tables *t, u32 module, u64 off)
{
	const struct module_table *mt = &t->modules[slot_of(module)];
	u64 block = (off - mt->base_off) >> UNWIND_BLOCK_SHIFT;
	union unwind_block_piece b;

	if (!has_table(t, module) || off < mt->base_off || block >= mt->nblocks)
		return UNWIND_RULE_NONE;
	b.whole = *block_at(t, mt, (u32)block);
	return rows_in_block(&b.block, words_of(t, mt, &b.block), off);
}

u32 tables_seen(const struct tables *t, u32 module)
{
	u32 slot = slot_of(module);

	return t->owner[slot] == module ? __atomic_load_n(&t->modules[slot].seen, __ATOMIC_RELAXED)
					: 0;
}

bool tables_view(struct tables *t, u32 module, struct rows *view)
{
	const struct module_table *mt = &t->modules[slot_of(module)];

	if (module >= MODULE_MAX || t->owner[slot_of(module)] != module)
		return false;
	if (mt->missing) {
		*view = (struct rows){.missing = (u8)mt->missing};
		return true;
	}
	if (!mt->has_table)
		return false;
	*view = (struct rows){
		.pages = &t->pages,
		.block_page = mt->block_page,
		.word_page = mt->word_page,
		.base_off = mt->base_off,
		.blocks = page_address(t, mt->block_page),
		.nblocks = mt->nblocks,
		.words = page_address(t, mt->word_page),
		.nwords = mt->nwords,
	};
	return true;
}

struct tables_size tables_size(const struct tables *t)
{
	return (struct tables_size){.chunks = t->nchunks, .pages = t->used - t->nfree};
}

const struct unwind_rule *tables_rule_array(const struct tables *t)
{
	return t->rules;
}
