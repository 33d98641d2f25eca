/* SPDX-License-Identifier: Apache-2.0 */
/* Unwind tables on their way into the kernel: see tables.h. */
#include "collect/tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES sizeof(struct unwind_page)
#define CHUNK_BYTES (TABLE_CHUNK_PAGES * PAGE_BYTES)
#define POOL_BYTES (TABLE_MAX_CHUNKS * CHUNK_BYTES) /* 1 GiB of addresses, not of memory */

struct tables {
	struct tables_maps maps;
	struct rule_set *set;
	struct unwind_rule *rules; /* mapped */
	struct module_table *modules; /* mapped */
	u8 *pool; /* address space for all chunks, which are mapped one behind the other */
	u32 nchunks;
	u32 used; /* pages handed out, over all chunks */
	u64 rows;
};

static void *map_array(int fd, size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

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
	t->pool = reserve(POOL_BYTES);
	if (t->rules && t->modules && t->pool)
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
	if (t->pool)
		munmap(t->pool, POOL_BYTES);
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

/* One more chunk at the end of the pool. */
static int add_chunk(struct tables *t)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	u32 index = t->nchunks;
	int fd, err = 0;

	if (index >= TABLE_MAX_CHUNKS)
		return -ENOSPC;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_pages", sizeof(u32), PAGE_BYTES,
			    TABLE_CHUNK_PAGES, &opts);
	if (fd < 0)
		return -errno;
	if (mmap(t->pool + index * CHUNK_BYTES, CHUNK_BYTES, PROT_READ | PROT_WRITE,
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
		memcpy(t->pool + t->used * PAGE_BYTES, (const u8 *)data + at, n);
		t->used++;
	}
	return 0;
}

int tables_load(struct tables *t, u32 module, const struct rows *rows)
{
	struct module_table mt = {
		.base_off = rows->base_off, .nblocks = rows->nblocks, .nwords = rows->nwords};
	int err;

	if (module >= MODULE_MAX)
		return -ENOSPC;
	err = append_pages(t, rows->blocks, rows->nblocks * sizeof(*rows->blocks), &mt.block_page);
	if (!err)
		err = append_pages(t, rows->words, rows->nwords * sizeof(*rows->words),
				   &mt.word_page);
	if (err)
		return err;
	t->modules[module] = mt;
	/* The programs must not see has_table before the rest. */
	__atomic_store_n(&t->modules[module].has_table, 1, __ATOMIC_RELEASE);
	t->rows += rows->nrows;
	return 0;
}

bool tables_view(struct tables *t, u32 module, struct rows *view)
{
	const struct module_table *mt = &t->modules[module < MODULE_MAX ? module : 0];

	if (!mt->has_table)
		return false;
	*view = (struct rows){
		.base_off = mt->base_off,
		.blocks = (void *)(t->pool + (size_t)mt->block_page * PAGE_BYTES),
		.nblocks = mt->nblocks,
		.words = (void *)(t->pool + (size_t)mt->word_page * PAGE_BYTES),
		.nwords = mt->nwords,
	};
	return true;
}

const struct unwind_rule *tables_rule_array(const struct tables *t)
{
	return t->rules;
}
