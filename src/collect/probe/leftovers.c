/* SPDX-License-Identifier: Apache-2.0 */
/* Removes breakpoints without a holder: see leftovers.h. */
#include "collect/probe/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "collect/probe/breakpoints.h"
#include "collect/probe/code_pages.h"
#include "target/mapped_file.h"
#include "target/process.h"

#define PAGES_MAX 4096u /* of changed code in a process that are compared with the file */
#define GONE_MS 300 /* the kernel needs a few ms; those of another program's probes stay */

typedef VEC(struct uprobe_place) place_vec;

struct search {
	struct uprobe_pins *pins;
	struct readers *readers;
	pid_t tgid;
	struct breakpoints found;
	int pagemap;
	u32 pages; /* compared so far */
};

/*
 * Collects the places of a page where the memory has a breakpoint and the file has not. If a page
 * differs in any other way, somebody else changed it and may have written such bytes as well, so
 * none of it is used.
 */
static int compare_page(struct search *s, const u8 *memory, const u8 *file, u64 address, u64 offset,
			place_vec *out)
{
	size_t before = out->len, before_found = s->found.addresses.len;

	for (u32 i = 0, step; i < CODE_PAGE; i += step) {
		step = 1;
		if (memory[i] == file[i])
			continue;
		step = breakpoints_replaced(&s->found, address + i, memory + i, file + i,
					    CODE_PAGE - i);
		if (!step) {
			out->len = before;
			s->found.addresses.len = before_found;
			return 0;
		}
		if (vec_push(out, (struct uprobe_place){.offset = offset + i}) ||
		    vec_push(&s->found.addresses, address + i))
			return -ENOMEM;
	}
	return 0;
}

static int look_at_page(struct search *s, const struct map_entry *e, u64 index,
			struct input_file *file, place_vec *out)
{
	u64 address = e->start + index * CODE_PAGE, offset = e->offset + index * CODE_PAGE;
	u8 memory[CODE_PAGE], wanted[CODE_PAGE];

	if (s->pages++ >= PAGES_MAX)
		return -E2BIG;
	if (pread(s->found.memory, memory, CODE_PAGE, (off_t)address) != CODE_PAGE)
		return 0;
	memset(wanted, 0, CODE_PAGE);
	if (input_file_read(file, wanted, CODE_PAGE, offset) < 0)
		return -EIO;
	return compare_page(s, memory, wanted, address, offset, out);
}

/* The file is only opened if there is something to compare, which is rare. */
static int open_once(struct search *s, const struct map_entry *e, struct input_file *file,
		     bool *is_open)
{
	struct target_root root = TARGET_ROOT_NONE;
	int err = 0;

	root.readers = s->readers;
	if (!*is_open)
		err = mapped_file_open(s->tgid, &root, e, file);
	*is_open = !err;
	return err;
}

static int look_at_mapping(struct search *s, const struct map_entry *e, place_vec *out)
{
	u64 pages = (e->end - e->start) / CODE_PAGE;
	bool copied[CODE_PAGES_AT_ONCE];
	struct input_file file = INPUT_FILE_NONE;
	bool is_open = false;
	int err = 0;

	for (u64 first = 0; first < pages && !err; first += CODE_PAGES_AT_ONCE) {
		u64 n = code_pages_copied(s->pagemap, e->start + first * CODE_PAGE, pages - first,
					  copied);

		for (u64 i = 0; i < n && !err; i++) {
			if (!copied[i])
				continue;
			err = open_once(s, e, &file, &is_open);
			if (!err)
				err = look_at_page(s, e, first + i, &file, out);
		}
	}
	if (is_open)
		input_file_close(&file);
	return err;
}

static void sweep_mapping(struct search *s, const struct map_entry *e)
{
	place_vec places = {0};
	char path[MAPPED_FILE_PATH_SIZE];

	/* What cannot be compared is left as it is, which does no harm. */
	(void)look_at_mapping(s, e, &places);
	mapped_file_path(s->tgid, e, path);
	if (places.len)
		uprobe_pins_sweep(s->pins, path, places.data, (u32)places.len);
	vec_release(&places);
}

static void tell(const struct search *s, const struct log *log)
{
	size_t found = s->found.addresses.len;
	u32 left;

	if (!found)
		return;
	left = breakpoints_wait_gone(&s->found, breakpoints_deadline(GONE_MS));
	if (left < found)
		log_note(log,
			 "PID %d: removed %zu breakpoints from its code that a program killed "
			 "earlier had left there",
			 (int)s->tgid, found - left);
	if (left)
		log_info(log, "PID %d: %u breakpoints in its code are another program's",
			 (int)s->tgid, left);
}

void leftovers_remove(struct uprobe_pins *pins, struct readers *readers, pid_t tgid,
		      const struct log *log)
{
	struct search s = {.pins = pins,
			   .readers = readers,
			   .tgid = tgid,
			   .pagemap = -1,
			   .found = {.memory = -1}};
	map_vec maps = {0};

	/* The other recording has searched it, and what there is now is in use. */
	if (uprobe_pins_others_probe(pins, tgid) || process_expects_traps(tgid) ||
	    maps_read(tgid, &maps))
		goto out;
	s.pagemap = code_pages_open(tgid);
	if (s.pagemap < 0 || breakpoints_open(&s.found, tgid, &maps))
		goto out_open;
	vec_for_each(&maps, e) {
		if (e->executable && e->inode && !e->shared)
			sweep_mapping(&s, e);
	}
	tell(&s, log);
out_open:
	breakpoints_release(&s.found);
	if (s.pagemap >= 0)
		close(s.pagemap);
out:
	maps_release(&maps);
}
