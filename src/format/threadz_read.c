/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the stacks of all threads of a program ("threadz"), one sample a thread:
 *
 *   --- threadz 1 ---
 *   --- Thread 7f794ab90940 (name: main/14748) stack: ---
 *     PC:  0x00bc8f1c: helper(arg *)
 *     0x0040be31: main
 *   --- Thread 7f7948978700 (name: worker/14759) stack: ---
 *     [same as previous thread]
 *   --- Memory map: ---
 *
 * Stacks may also be lists of addresses without names, and may go on with those of the thread that
 * created this one, which go tool pprof shows as its callers.
 */
#include "format/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/address_samples.h"
#include "format/memory_map.h"
#include "format/text_scan.h"

#define NAME_BYTES 4096u

static bool is_thread(struct cursor line)
{
	return line_begins(&line, "--- Thread ") && line_has(&line, "stack: ---");
}

struct threadz {
	struct address_samples *a;
	struct address_sample s;
	size_t first_name;
	bool open, same;
	size_t last; /* the last thread with a stack of its own, plus one */
};

/* A leaf that was found twice, once by its context and once by unwinding, counts once. */
static void drop_second_leaf(struct threadz *t)
{
	u64 *at = t->a->addresses.data + t->s.first;

	if (t->a->addresses.len - t->s.first < 2 || at[0] != at[1] + 1)
		return;
	memmove(at + 1, at + 2, (t->a->addresses.len - t->s.first - 2) * sizeof(*at));
	t->a->addresses.len--;
}

static int end_thread(struct threadz *t)
{
	bool open = t->open;
	int ret;

	t->open = false;
	if (!open)
		return 0;
	if (t->same || t->a->addresses.len == t->s.first) {
		if (t->last)
			t->a->list.data[t->last - 1].values[0]++;
		return 0;
	}
	drop_second_leaf(t);
	t->s.values[0] = 1;
	ret = address_samples_push(t->a, t->s);
	t->last = t->a->list.len;
	return ret;
}

/* Reads the addresses of a line, and the name if there is one address and ": name". */
static int stack_line(struct threadz *t, struct cursor line)
{
	bool leaf = t->a->addresses.len == t->s.first;
	char name[NAME_BYTES];
	u64 address;
	int ret = 0;

	if (line_has(&line, "same as previous thread"))
		t->same = true;
	if (!scan_literal(&line, "PC:"))
		scan_literal(&line, "creator:");
	while (!ret && scan_literal(&line, "0x") && scan_hex(&line, &address)) {
		address -= !leaf;
		leaf = false;
		ret = address_samples_push_address(t->a, address);
		if (ret || !scan_literal(&line, ":"))
			continue;
		scan_rest(&line, name, sizeof(name));
		ret = *name ? address_samples_name(t->a, address, name, "", 0) : 0;
	}
	return ret;
}

static int read_threads(struct address_samples *a, struct cursor *text)
{
	struct cursor line = {.pos = text->pos, .end = text->pos};
	struct threadz t = {.a = a};
	int ret = 0;

	if (profile_add_sample_type(a->p, "thread", "count") ||
	    profile_set_period(a->p, "thread", "count", 1))
		return address_samples_no_memory(a);
	while (!ret && scan_line(text, &line)) {
		if (memory_map_begins(&line))
			break;
		if (is_thread(line)) {
			ret = end_thread(&t);
			t.s = (struct address_sample){.first = a->addresses.len};
			t.open = true;
			t.same = false;
		} else if (line_begins(&line, "---- no stack trace")) {
			break;
		} else if (t.open) {
			ret = stack_line(&t, line);
		}
	}
	ret = ret ? ret : end_thread(&t);
	return ret ? ret
		   : address_samples_finish(a, memory_map_after(line, *text), LEGACY_CPU_DROP);
}

bool threadz_is(struct bytes data)
{
	struct cursor text = cursor_over(data), line;

	while (scan_line(&text, &line)) {
		if (!scan_end(&line) && *line.pos != '#')
			return line_begins(&line, "--- threadz ") || is_thread(line);
	}
	return false;
}

int threadz_read(struct bytes data, struct read_notes *notes, struct profile **out,
		 struct error *err)
{
	return address_samples_read(data, read_threads, out, err);
}
