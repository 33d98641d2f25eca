/* SPDX-License-Identifier: Apache-2.0 */
/* Compares memory with the files that are mapped around it: see moved_text.h. */
#include "target/moved_text.h"

#include <string.h>
#include <sys/uio.h>

#include "target/module.h"

#define PAGE_MASK 4095ull /* segments are mapped in whole pages */
#define SAMPLES 64u
#define SAMPLE_BYTES 64u
#define TRIES_MAX 16u /* of comparisons; real files need one */
#define SAME_OF_8 7u /* breakpoints and patches may have changed some of the code */

static bool is_of_a_file(const struct map_entry *e)
{
	return e->inode && e->path[0] == '/' && !module_path_is_memory(e->path);
}

struct neighbours {
	const struct map_entry *below, *above; /* NULL if there is none */
};

static struct neighbours find_neighbours(const map_vec *maps, const struct map_entry *e)
{
	struct neighbours n = {NULL, NULL};

	vec_for_each(maps, it) {
		if (!is_of_a_file(it) || map_is_same_file(it, e))
			continue;
		if (it->end <= e->start && (!n.below || it->end > n.below->end))
			n.below = it;
		if (it->start >= e->end && (!n.above || it->start < n.above->start))
			n.above = it;
	}
	return n;
}

u32 moved_text_around(const map_vec *maps, const struct map_entry *e,
		      const struct map_entry *around[MOVED_TEXT_AROUND])
{
	const struct neighbours near = find_neighbours(maps, e);
	u32 n = 0;

	if (near.below)
		around[n++] = near.below;
	if (near.above && (!near.below || !map_is_same_file(near.above, near.below)))
		around[n++] = near.above;
	return n;
}

/* The kernel's own, such as [vdso], are not memory of the program. */
static bool is_memory(const struct map_entry *e)
{
	static const char named[] = "[anon"; /* prctl(2), PR_SET_VMA_ANON_NAME */

	if (e->inode)
		return module_path_is_memory(e->path);
	return e->path[0] != '[' || !strncmp(e->path, named, sizeof(named) - 1);
}

bool moved_text_is_likely(const map_vec *maps, const struct map_entry *e)
{
	struct neighbours near;

	if (!e->executable || !is_memory(e))
		return false;
	near = find_neighbours(maps, e);
	if (near.below && near.below->end == e->start)
		return true;
	if (near.above && near.above->start == e->end && near.above->offset)
		return true;
	return near.below && near.above && map_is_same_file(near.below, near.above);
}

static u64 lower(u64 a, u64 b)
{
	return a < b ? a : b;
}

static u64 higher(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* ---- the bytes ------------------------------------------------------------------------------- */

static bool is_padding(struct bytes code)
{
	size_t same = 1;

	while (same < code.len && code.data[same] == code.data[0])
		same++;
	return same == code.len;
}

static bool read_memory(pid_t tgid, u64 address, void *out, size_t len)
{
	struct iovec local = {out, len}, remote = {(void *)(uintptr_t)address, len};

	return process_vm_readv(tgid, &local, 1, &remote, 1, 0) == (ssize_t)len;
}

/* Compares samples of the text with the segment `s`, whose addresses are moved by `bias`. */
static bool is_same_code(pid_t tgid, const struct moved_text *text, const struct elf_segment *s,
			 u64 bias, struct elf_file *elf)
{
	u64 start = higher(text->start, s->vaddr + bias);
	u64 end = lower(text->end, s->vaddr + bias + s->filesz);
	u64 step = (end - start) / SAMPLES + 1;
	u32 same = 0, compared = 0;
	u8 memory[SAMPLE_BYTES];

	for (u64 at = start; at < end; at += step) {
		u64 len = end - at < SAMPLE_BYTES ? end - at : SAMPLE_BYTES;
		struct bytes want = elf_file_loaded(elf, at - bias, len);

		if (!want.len || is_padding(want))
			continue;
		if (!read_memory(tgid, at, memory, want.len))
			return false;
		compared++;
		same += !memcmp(memory, want.data, want.len);
	}
	return compared && same * 8 >= compared * SAME_OF_8;
}

/* ---- the place ------------------------------------------------------------------------------- */

/* Returns whether the segment has text at `e`, if the file's addresses are moved by `bias`. */
static bool is_segment(const struct map_entry *e, const struct elf_segment *s, u64 bias,
		       struct moved_text *out)
{
	u64 start = s->vaddr + bias, end = start + s->filesz;

	if (!(s->flags & PF_X) || start >= end || end > (u64)-1 - PAGE_MASK)
		return false;
	out->start = higher(e->start, start & ~PAGE_MASK);
	out->end = lower(e->end, (end + PAGE_MASK) & ~PAGE_MASK);
	out->shift = s->offset - start;
	return out->start < out->end;
}

/* Pages that two segments share are mapped for both, so a mapping may belong to either. */
static bool is_mapped_for(const struct map_entry *around, const struct elf_segment *s)
{
	u64 first = s->offset & ~PAGE_MASK;

	return around->offset >= first &&
	       around->offset - first < s->offset - first + higher(s->filesz, 1);
}

bool moved_text_is_of(pid_t tgid, const struct map_entry *e, const struct map_entry *around,
		      struct elf_file *elf, struct moved_text *out)
{
	const struct elf_segment *s;
	size_t n = elf_file_segments(elf, &s);
	u32 tries = 0;

	for (size_t i = 0; i < n; i++) {
		u64 bias = around->start - around->offset + s[i].offset - s[i].vaddr;

		if (!is_mapped_for(around, &s[i]))
			continue;
		for (size_t k = 0; k < n && tries < TRIES_MAX; k++) {
			if (!is_segment(e, &s[k], bias, out))
				continue;
			tries++;
			if (is_same_code(tgid, out, &s[k], bias, elf))
				return true;
		}
	}
	return false;
}
