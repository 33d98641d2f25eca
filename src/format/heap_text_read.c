/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads heap profiles in the form of text, whose values are `blocks: bytes [allocated: bytes]`:
 *
 *   heap profile: 3: 3000 [ 4: 4000] @ heap_v2/524288     gperftools, tcmalloc, Go (?debug=1)
 *     2: 2000 [ 2: 2000] @ 0x401101 0x401201
 *
 *   heap_v2/524288                                         jemalloc
 *   @ 0x401101 0x401201
 *     t*: 2: 2000 [0: 0]                                   all threads
 *     t0: 2: 2000 [0: 0]                                   one of them
 *
 * Both may end in a memory map. Of jemalloc's threads only the sum is used, because the values are
 * scaled by the average size of a block, and jeprof scales the sum.
 */
#include "format/read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/address_samples.h"
#include "format/go_text.h"
#include "format/memory_map.h"
#include "format/text_scan.h"

/* Allocators put these functions on top of stacks. The frames up to the outermost match are
 * removed. */
#define HEAP_DROP                                                                                \
	"(tc_|__libc_|je_|_rjem_|_rjem_je_)?(malloc|calloc|realloc|reallocarray|memalign|valloc" \
	"|pvalloc|aligned_alloc|mallocx|rallocx|xallocx|new|newarray|new_nothrow"                \
	"|newarray_nothrow)|(do_|__|je_)?(posix_)?memalign|operator new(\\[\\])?.*|tcmalloc::.*" \
	"|MallocHook::.*|(MallocBlock|DebugAllocate|HeapProfile).*"                              \
	"|(je_|_rjem_je_)?prof_(backtrace|alloc_prep|tctx_create|malloc_sample_object).*"        \
	"|(void \\* ?)?(newImpl|fallbackNewImpl|handleOOM).*"

enum { BLOCKS, BYTES, ALL_BLOCKS, ALL_BYTES };

struct heap_head {
	bool allocs; /* it also contains allocations that were freed */
	s64 rate; /* bytes between samples; 0 if every block was counted */
};

/* Scales a sampled block to the number of blocks of which one would be sampled at that rate. */
static void unsample(s64 *count, s64 *size, s64 rate)
{
	double scale;

	if (rate <= 1 || *count <= 0 || *size <= 0)
		return;
	scale = 1 / -expm1(-(double)*size / (double)*count / (double)rate);
	*count = (double)*count * scale < 9e18 ? (s64)((double)*count * scale) : INT64_MAX;
	*size = (double)*size * scale < 9e18 ? (s64)((double)*size * scale) : INT64_MAX;
}

static bool scan_values(struct cursor *line, s64 v[4])
{
	return scan_number(line, &v[BLOCKS]) && scan_literal(line, ":") &&
	       scan_number(line, &v[BYTES]) && scan_literal(line, "[") &&
	       scan_number(line, &v[ALL_BLOCKS]) && scan_literal(line, ":") &&
	       scan_number(line, &v[ALL_BYTES]) && scan_literal(line, "]");
}

static bool has_allocs(const s64 v[4])
{
	return (v[ALL_BLOCKS] != v[BLOCKS] && v[ALL_BLOCKS]) ||
	       (v[ALL_BYTES] != v[BYTES] && v[ALL_BYTES]);
}

static void set_values(struct address_sample *s, const struct heap_head *h, s64 v[4])
{
	s->block = v[BLOCKS] > 0       ? v[BYTES] / v[BLOCKS]
		   : v[ALL_BLOCKS] > 0 ? v[ALL_BYTES] / v[ALL_BLOCKS]
				       : 0;
	unsample(&v[BLOCKS], &v[BYTES], h->rate);
	unsample(&v[ALL_BLOCKS], &v[ALL_BYTES], h->rate);
	memcpy(s->values, h->allocs ? v + ALL_BLOCKS : v, 2 * sizeof(*v));
	memcpy(s->values + 2, v, 2 * sizeof(*v));
}

static int add_types(struct address_samples *a, const struct heap_head *h)
{
	struct profile *p = a->p;

	if (h->allocs && (profile_add_sample_type(p, "alloc_objects", "count") ||
			  profile_add_sample_type(p, "alloc_space", "bytes")))
		return address_samples_no_memory(a);
	if (profile_add_sample_type(p, h->allocs ? "inuse_objects" : "objects", "count") ||
	    profile_add_sample_type(p, h->allocs ? "inuse_space" : "space", "bytes") ||
	    profile_set_period(p, "space", "bytes", h->rate ? h->rate : 1))
		return address_samples_no_memory(a);
	return 0;
}

/* ---- gperftools and Go ----------------------------------------------------------------------- */

/* Takes what follows "heap profile:". */
static bool read_head(struct cursor line, struct heap_head *h)
{
	s64 v[4], rate = 0;
	char how[64];

	if (!scan_literal(&line, "heap profile:") || !scan_values(&line, v) ||
	    !scan_literal(&line, "@"))
		return false;
	scan_rest(&line, how, sizeof(how));
	h->rate = 0;
	if (strchr(how, '/'))
		rate = strtoll(strchr(how, '/') + 1, NULL, 10);
	if (!strncmp(how, "heap/", 5))
		h->rate = rate / 2;
	else if (!strncmp(how, "heap_v2/", 8) || !strncmp(how, "heapz_v2/", 9))
		h->rate = rate;
	/* Growth and fragmentation of the heap have one kind of values. */
	h->allocs = !strncmp(how, "heap", 4) && has_allocs(v);
	return rate >= 0;
}

static int read_line(struct address_samples *a, const struct heap_head *h, struct cursor line)
{
	struct address_sample s = {.first = a->addresses.len};
	s64 v[4];
	int ret;

	if (!scan_values(&line, v) || !scan_literal(&line, "@"))
		return address_samples_bad(a, "a line of it is damaged");
	set_values(&s, h, v);
	ret = address_samples_scan(a, &line, 1);
	return ret ? ret : address_samples_push(a, s);
}

static int read_text(struct address_samples *a, struct cursor *text)
{
	struct go_names names = {0};
	struct heap_head h;
	struct cursor line;
	int ret;

	if (!scan_line(text, &line) || !read_head(line, &h))
		return address_samples_bad(a, "its first line is damaged");
	ret = add_types(a, &h);
	while (!ret && scan_line(text, &line)) {
		if (memory_map_begins(&line))
			break;
		if (line_begins(&line, "#")) {
			ret = go_names_line(&names, a, line);
			continue;
		}
		go_names_end(&names, a);
		if (!scan_end(&line))
			ret = read_line(a, &h, line);
	}
	go_names_end(&names, a);
	return ret ? ret : address_samples_finish(a, memory_map_after(line, *text), HEAP_DROP);
}

bool heap_text_is(struct bytes data)
{
	struct cursor c = cursor_over(data);

	return line_begins(&c, "heap profile:");
}

int heap_text_read(struct bytes data, struct read_notes *notes, struct profile **out,
		   struct error *err)
{
	return address_samples_read(data, read_text, out, err);
}

/* ---- jemalloc -------------------------------------------------------------------------------- */

struct jemalloc_record {
	struct address_sample s;
	s64 all[4], threads[4]; /* all: those of "t*"; threads: the sum of the others */
	bool open, has_all;
};

static int end_record(struct address_samples *a, const struct heap_head *h,
		      struct jemalloc_record *r)
{
	bool open = r->open;

	r->open = false;
	if (!open)
		return 0;
	set_values(&r->s, h, r->has_all ? r->all : r->threads);
	return address_samples_push(a, r->s);
}

static int begin_record(struct address_samples *a, const struct heap_head *h,
			struct jemalloc_record *r, struct cursor line)
{
	int ret = end_record(a, h, r);

	*r = (struct jemalloc_record){.s = {.first = a->addresses.len}, .open = true};
	return ret ? ret : address_samples_scan(a, &line, 1);
}

/* Reads "t*: 2: 2000 [0: 0]" or "t3: 2: 2000 [0: 0] name". */
static int thread_line(struct address_samples *a, struct jemalloc_record *r, struct cursor line)
{
	bool all = scan_literal(&line, "t*");
	s64 v[4], thread;

	if ((!all && (!scan_literal(&line, "t") || !scan_number(&line, &thread))) ||
	    !scan_literal(&line, ":") || !scan_values(&line, v))
		return address_samples_bad(a, "a line of it is damaged");
	if (all)
		memcpy(r->all, v, sizeof(v));
	r->has_all |= all;
	for (size_t i = 0; i < ARRAY_LEN(v) && !all; i++) {
		if (__builtin_add_overflow(r->threads[i], v[i], &r->threads[i]))
			return address_samples_bad(a, "a sum of it is too large");
	}
	return 0;
}

static int read_jemalloc(struct address_samples *a, struct cursor *text)
{
	struct jemalloc_record r = {0};
	struct heap_head h = {0};
	struct cursor line;
	bool headed = false;
	int ret = 0;

	if (!scan_line(text, &line) || !scan_literal(&line, "heap_v2/") ||
	    !scan_number(&line, &h.rate) || h.rate < 0)
		return address_samples_bad(a, "its first line is damaged");
	while (!ret && scan_line(text, &line)) {
		if (memory_map_begins(&line))
			break;
		if (scan_literal(&line, "@")) {
			/* What comes before the first stack are the sums of all. */
			h.allocs |= !headed && has_allocs(r.has_all ? r.all : r.threads);
			ret = headed ? 0 : add_types(a, &h);
			headed = true;
			ret = ret ? ret : begin_record(a, &h, &r, line);
		} else if (!scan_end(&line)) {
			ret = thread_line(a, &r, line);
		}
	}
	if (!ret && !headed)
		ret = add_types(a, &h);
	ret = ret ? ret : end_record(a, &h, &r);
	return ret ? ret : address_samples_finish(a, memory_map_after(line, *text), HEAP_DROP);
}

bool jemalloc_is(struct bytes data)
{
	struct cursor c = cursor_over(data);

	return line_begins(&c, "heap_v2/");
}

int jemalloc_read(struct bytes data, struct read_notes *notes, struct profile **out,
		  struct error *err)
{
	return address_samples_read(data, read_jemalloc, out, err);
}
