/* SPDX-License-Identifier: Apache-2.0 */
/* Unwind tables on their way into the kernel: see tables.h. */
#include "collect/session/tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES sizeof(struct unwind_page)
#define CHUNK_BYTES (TABLE_CHUNK_PAGES * PAGE_BYTES)

/*
 * All TABLE_MAX_CHUNKS would take a gigabyte of addresses, with which cprof could not start where its
 * address space is limited (RLIMIT_AS). So addresses are reserved in regions, each twice as large as the one
 * before. A table lies in one region, and its pages follow each other there.
 */
#define FIRST_REGION_CHUNKS 8u
#define MAX_REGIONS 32

struct region {
	u8 *base; /* its chunks are mapped here, one behind the other */
	u32 first, reserved; /* number of its first chunk, and how many have addresses */
};

struct tables {
	struct tables_maps maps;
	struct rule_set *set;
	struct unwind_rule *rules; /* mapped */
	struct module_table *modules; /* mapped */
	struct region regions[MAX_REGIONS];
	u32 nregions, nchunks;
	u32 used; /* pages handed out, over all chunks */
	u64 rows;
};

static void *map_array(int fd, size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

/* Addresses without memory behind them. */
static u8 *reserve(size_t bytes)
{
	void *mem =
		mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

int tables_new(const struct tables_maps *maps, struct tables **out)
{
	struct tables *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->maps = *maps;
	t->rules = map_array(maps->rules_fd, UNWIND_MAX_RULES * sizeof(*t->rules));
	t->modules = map_array(maps->modules_fd, MODULE_MAX * sizeof(*t->modules));
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
	for (u32 i = 0; i < t->nregions; i++)
		munmap(t->regions[i].base, t->regions[i].reserved * CHUNK_BYTES);
	if (t->rules)
		munmap(t->rules, UNWIND_MAX_RULES * sizeof(*t->rules));
	if (t->modules)
		munmap(t->modules, MODULE_MAX * sizeof(*t->modules));
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

/* ---- addresses -------------------------------------------------------------------------------- */

static u8 *chunk_address(const struct tables *t, u32 chunk)
{
	u32 i = t->nregions - 1;

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

/* Gives back the addresses of chunks that the last region did not come to have. */
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
	t->regions[t->nregions++] = fresh;
	t->used = t->nchunks * TABLE_CHUNK_PAGES;
	return 0;
}

/* Addresses for so many pages in one region. */
static int make_room(struct tables *t, u32 pages)
{
	const struct region *last = t->nregions ? &t->regions[t->nregions - 1] : NULL;
	u32 chunks = pages / TABLE_CHUNK_PAGES + (pages % TABLE_CHUNK_PAGES > 0);

	if (last && (u64)t->used + pages <= (u64)(last->first + last->reserved) * TABLE_CHUNK_PAGES)
		return 0;
	return add_region(t, chunks);
}

/* ---- pages ------------------------------------------------------------------------------------ */

static int add_chunk(struct tables *t)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	u32 index = t->nchunks;
	int fd, err = 0;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_pages", sizeof(u32), PAGE_BYTES,
			    TABLE_CHUNK_PAGES, &opts);
	if (fd < 0)
		return -errno;
	if (mmap(chunk_address(t, index), CHUNK_BYTES, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    bpf_map_update_elem(t->maps.chunks_fd, &index, &fd, BPF_ANY))
		err = -errno;
	close(fd); /* the outer map and our mapping keep it */
	if (err)
		return err;
	t->nchunks++;
	return 0;
}

/* Appends whole pages, which may cross into new chunks; gives the number of the first one. */
static int append_pages(struct tables *t, const void *data, size_t bytes, u32 *first)
{
	*first = t->used;
	for (size_t at = 0; at < bytes; at += PAGE_BYTES) {
		size_t n = bytes - at < PAGE_BYTES ? bytes - at : PAGE_BYTES;

		if (t->used == t->nchunks * TABLE_CHUNK_PAGES) {
			int err = add_chunk(t);

			if (err)
				return err;
		}
		memcpy(page_address(t, t->used), (const u8 *)data + at, n);
		t->used++;
	}
	return 0;
}

int tables_load(struct tables *t, u32 module, const struct rows *rows)
{
	struct module_table mt = {
		.base_off = rows->base_off, .nblocks = rows->nblocks, .nwords = rows->nwords};
	size_t blocks = rows->nblocks * sizeof(*rows->blocks);
	u32 before;
	int err;

	if (module >= MODULE_MAX)
		return -ENOSPC;
	err = make_room(t, pages_for(blocks) + pages_for(rows->nwords * sizeof(*rows->words)));
	before = t->used;
	if (!err)
		err = append_pages(t, rows->blocks, blocks, &mt.block_page);
	if (!err)
		err = append_pages(t, rows->words, rows->nwords * sizeof(*rows->words),
				   &mt.word_page);
	if (err) {
		t->used = before;
		return err;
	}
	t->modules[module] = mt;
	/* The programs must not see has_table before the rest. */
	__atomic_store_n(&t->modules[module].has_table, 1, __ATOMIC_RELEASE);
	t->rows += rows->nrows;
	return 0;
}

void tables_set_unread(struct tables *t, u32 module)
{
	if (module < MODULE_MAX)
		t->modules[module].unread = 1;
}

bool tables_view(struct tables *t, u32 module, struct rows *view)
{
	const struct module_table *mt = &t->modules[module < MODULE_MAX ? module : 0];

	if (mt->unread) {
		*view = (struct rows){.unread = true};
		return true;
	}
	if (!mt->has_table)
		return false;
	*view = (struct rows){
		.base_off = mt->base_off,
		.blocks = page_address(t, mt->block_page),
		.nblocks = mt->nblocks,
		.words = page_address(t, mt->word_page),
		.nwords = mt->nwords,
	};
	return true;
}

const struct unwind_rule *tables_rule_array(const struct tables *t)
{
	return t->rules;
}
