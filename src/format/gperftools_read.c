/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads CPU profiles of gperftools: words for the header and for the count and stack of each
 * sample, then the text of /proc/PID/maps (its doc/cpuprofile-fileformat.html). Words have 32 or
 * 64 bits, in either byte order. A Java agent writes names in place of the map (java_text.h).
 *
 * It follows go tool pprof in two points: a caller's address is a return address, so one less is
 * used, and frames of the signal handler are removed.
 */
#include "format/read.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/address_samples.h"
#include "format/java_text.h"

#define STACK_MAX 65536u
#define HEADER_WORDS 5

struct words {
	struct cursor c;
	bool wide, big;
};

static u64 take_word(struct words *w)
{
	u64 word = w->wide ? cursor_u64(&w->c) : cursor_u32(&w->c);

	if (!w->big)
		return word;
	return w->wide ? htobe64(word) : htobe32((u32)word);
}

static size_t word_size(const struct words *w)
{
	return w->wide ? sizeof(u64) : sizeof(u32);
}

/* Fills in the header, and finds the kind of words for which it is one. */
static bool read_header(struct bytes data, struct words *w, u64 header[HEADER_WORDS])
{
	for (u32 kind = 0; kind < 4; kind++) {
		*w = (struct words){cursor_over(data), kind & 2, kind & 1};
		for (size_t i = 0; i < HEADER_WORDS; i++)
			header[i] = take_word(w);
		if (!w->c.bad && !header[0] && header[1] == 3 && header[2] <= 1 && header[3] &&
		    !header[4])
			return true;
	}
	return false;
}

bool gperftools_is_cpu(struct bytes data)
{
	u64 header[HEADER_WORDS];
	struct words w;

	return read_header(data, &w, header);
}

/* ---- frames of the signal handler ------------------------------------------------------------ */

static void drop_second(struct address_samples *a, struct address_sample *s)
{
	a->addresses.data[s->first + 1] = a->addresses.data[s->first];
	s->first++;
	s->n--;
}

/* Finds the second address of most samples, if there is one (by a majority vote, then a count). */
static bool common_second(const struct address_samples *a, u64 *address, size_t *count)
{
	size_t votes = 0;

	*count = 0;
	vec_for_each(&a->list, s) {
		u64 second;

		if (s->n < 2)
			continue;
		second = a->addresses.data[s->first + 1];
		if (!votes)
			*address = second;
		votes += second == *address ? 1 : -(size_t)1;
	}
	vec_for_each(&a->list, s)
		*count += s->n > 1 && a->addresses.data[s->first + 1] == *address;
	return votes != 0;
}

/* Frames of the signal handler are second in nearly all samples; there are at most two of them. */
static void drop_handler(struct address_samples *a)
{
	for (int i = 0; i < 2; i++) {
		u64 address = 0;
		size_t count;

		if (!common_second(a, &address, &count) || count < a->list.len - a->list.len / 32)
			continue;
		vec_for_each(&a->list, s) {
			if (s->n > 1 && a->addresses.data[s->first + 1] == address)
				drop_second(a, s);
		}
	}
	/* The leaf occurs twice, once from the signal's context and once from unwinding. */
	vec_for_each(&a->list, s) {
		if (s->n > 1 && a->addresses.data[s->first] == a->addresses.data[s->first + 1] + 1)
			drop_second(a, s);
	}
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Returns 1 after the mark at the end. */
static int read_sample(struct address_samples *a, struct words *w, u64 less)
{
	struct address_sample s = {.first = a->addresses.len};
	u64 count = take_word(w), n = take_word(w);
	int ret = 0;

	if (w->c.bad || n > STACK_MAX || n * word_size(w) > cursor_left(&w->c) || count > INT64_MAX)
		return address_samples_bad(a, "a sample of it is damaged");
	for (u64 i = 0; i < n && !ret; i++)
		ret = address_samples_push_address(a, take_word(w) - (i ? less : 0));
	if (ret || (!count && n == 1 && !a->addresses.data[s.first]))
		return ret ? ret : 1;
	s.values[0] = (s64)count;
	if (__builtin_mul_overflow((s64)count, a->p->period, &s.values[1]))
		return address_samples_bad(a, "a count in it is too large");
	return address_samples_push(a, s);
}

static int add_types(struct address_samples *a, u64 period)
{
	if (period > INT64_MAX / 1000)
		return address_samples_bad(a, "its period is too large");
	if (profile_add_sample_type(a->p, "samples", "count") ||
	    profile_add_sample_type(a->p, "cpu", "nanoseconds") ||
	    profile_set_period(a->p, "cpu", "nanoseconds", (s64)period * 1000))
		return address_samples_no_memory(a);
	return 0;
}

static int read_samples(struct address_samples *a, struct bytes data)
{
	u64 header[HEADER_WORDS];
	struct words w;
	bool java;
	int ret;

	if (!read_header(data, &w, header))
		return address_samples_bad(a, "its header is damaged");
	java = header[2];
	ret = add_types(a, header[3]);
	while (!ret && w.c.pos < w.c.end)
		ret = read_sample(a, &w, !java);
	if (ret < 0)
		return ret;
	if (!java)
		drop_handler(a);
	ret = java ? java_names_read(a, &w.c) : 0;
	return ret ? ret
		   : address_samples_finish(a, (struct bytes){w.c.pos, cursor_left(&w.c)},
					    LEGACY_CPU_DROP);
}

int gperftools_read_cpu(struct bytes data, struct read_notes *notes, struct profile **out,
			struct error *err)
{
	struct address_samples a;
	int ret = address_samples_init(&a, err);

	if (ret)
		return ret;
	return address_samples_take(&a, read_samples(&a, data), out);
}
