/* SPDX-License-Identifier: Apache-2.0 */
/* Compares code in memory with that in the file: see code_check.h. */
#include "collect/probe/code_check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collect/probe/breakpoints.h"
#include "collect/probe/code_pages.h"
#include "target/mapped_file.h"

#define AROUND 16 /* bytes: one more than the longest instruction (Intel SDM volume 2, 2.3.11) */

struct check {
	struct readers *readers;
	pid_t tgid;
	struct breakpoints memory;
	int pagemap;
	struct input_file file;
	bool is_open;
	u64 where;
};

int code_spans_add_place(code_spans *spans, u64 offset)
{
	u64 start = offset < AROUND ? 0 : offset - AROUND;

	return vec_push(spans, (struct code_span){start, offset + AROUND});
}

/* The file is only opened if there is something to compare, which is rare. */
static int open_once(struct check *c, const struct map_entry *e)
{
	struct target_root root = TARGET_ROOT_NONE;
	int err;

	if (c->is_open)
		return 0;
	root.readers = c->readers;
	err = mapped_file_open(c->tgid, &root, e, &c->file);
	c->is_open = !err;
	return err;
}

/* Compares a part of one page; the rest of it is searched for probes that begin before that
 * part. */
static bool same_in_page(struct check *c, u64 address, u64 offset, u32 from, u32 to)
{
	u8 memory[CODE_PAGE], wanted[CODE_PAGE] = {0};
	u32 i = 0, step;

	c->where = offset + from;
	if (pread(c->memory.memory, memory, CODE_PAGE, (off_t)address) != CODE_PAGE)
		return true; /* nothing is there any more, not even for the kernel */
	if (input_file_read(&c->file, wanted, CODE_PAGE, offset) < 0)
		return false;
	for (; i < to; i += step) {
		step = 1;
		if (memory[i] == wanted[i])
			continue;
		step = breakpoints_replaced(&c->memory, address + i, memory + i, wanted + i,
					    CODE_PAGE - i);
		if (!step && i >= from) {
			c->where = offset + i;
			return false;
		}
		step += !step;
	}
	return true;
}

/* A page that was not written to is that of the file. */
static bool same_page(struct check *c, const struct map_entry *e, u64 offset, u32 from, u32 to)
{
	u64 address = e->start + (offset - e->offset);
	bool copied[CODE_PAGES_AT_ONCE] = {false};

	if (code_pages_copied(c->pagemap, address, 1, copied) && !copied[0])
		return true;
	c->where = offset + from;
	return !open_once(c, e) && same_in_page(c, address, offset, from, to);
}

static bool same_span(struct check *c, const struct map_entry *e, const struct code_span *r)
{
	u64 end = e->offset + (e->end - e->start),
	    from = r->start > e->offset ? r->start : e->offset, to = r->end < end ? r->end : end;

	while (from < to) {
		u64 page = from & ~(u64)(CODE_PAGE - 1), next = page + CODE_PAGE;
		u64 stop = to < next ? to : next;

		if (!same_page(c, e, page, (u32)(from - page), (u32)(stop - page)))
			return false;
		from = next;
	}
	return true;
}

/* Something else may have been mapped there since the maps were read. */
static bool is_still_mapped(pid_t tgid, const struct map_entry *e)
{
	map_vec maps = {0};
	bool found = false;

	if (!maps_read(tgid, &maps)) {
		vec_for_each(&maps, now)
			found |= now->start == e->start && now->offset == e->offset &&
				 now->executable && map_is_same_file(now, e);
	}
	maps_release(&maps);
	return found;
}

static bool same_everywhere(struct check *c, const map_vec *maps, const struct map_entry *file,
			    const code_spans *spans)
{
	vec_for_each(maps, e) {
		if (!e->executable || e->shared || !map_is_same_file(e, file))
			continue;
		vec_for_each(spans, r) {
			if (!same_span(c, e, r) && is_still_mapped(c->tgid, e))
				return false;
		}
	}
	return true;
}

static void say_changed(const struct check *c, const struct log *log, const char *path)
{
	log_warn(log,
		 "PID %d: no probes in %s: its code at offset %#llx is not what the file holds (a "
		 "hook, a live patch or a text relocation), so that a probe could crash the "
		 "process",
		 (int)c->tgid, path, (unsigned long long)c->where);
}

bool code_is_unchanged(struct readers *readers, const struct log *log, pid_t tgid,
		       const map_vec *maps, const struct map_entry *file, const code_spans *spans)
{
	struct check c = {.readers = readers,
			  .tgid = tgid,
			  .memory = {.memory = -1},
			  .file = INPUT_FILE_NONE};
	bool same;
	int err;

	if (!spans->len)
		return true;
	c.pagemap = code_pages_open(tgid);
	err = c.pagemap < 0 ? c.pagemap : breakpoints_open(&c.memory, tgid, maps);
	/* Nothing can be changed in a process that has ended. */
	same = err ? err == -ESRCH || err == -ENOENT : same_everywhere(&c, maps, file, spans);
	if (!same)
		say_changed(&c, log, file->path);
	breakpoints_release(&c.memory);
	if (c.pagemap >= 0)
		close(c.pagemap);
	if (c.is_open)
		input_file_close(&c.file);
	return same;
}
