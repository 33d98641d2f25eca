/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the formats of gperftools: CPU profiles (64-bit words for the header and for the count and
 * stack of each sample, then the text of /proc/PID/maps; its doc/cpuprofile-fileformat.html) and
 * heap profiles ("heap profile: ..." and lines of `blocks: bytes [allocated: bytes] @ addresses`).
 * They contain only addresses, and names are added later.
 *
 * It follows go tool pprof in two points: a caller's address is a return address, so one less is
 * used, and frames of the signal handler are removed.
 */
#include "format/read.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/maps.h"

#define STACK_MAX 65536u
#define SAMPLES_MAX (16u << 20)
#define LINE_BYTES 65536u
/* Profilers and allocators put these functions on top of stacks. The frames up to the outermost
 * match are removed. */
#define CPU_DROP                                                                          \
	"ProfileData::Add|ProfileData::prof_handler|CpuProfiler::prof_handler|__pthread_" \
	"sighandler|"                                                                     \
	"__restore|__restore_rt"
#define HEAP_DROP                                                                                \
	"(tc_|__libc_)?(malloc|calloc|realloc|memalign|valloc|pvalloc|new|newarray|new_nothrow|" \
	"newarray_nothrow)|(do_|__)?(posix_)?memalign|operator new(\\[\\])?|tcmalloc::.*|"       \
	"MallocHook::.*|(MallocBlock|DebugAllocate|HeapProfile).*"

struct raw_sample {
	size_t first; /* in addresses, leaf first */
	u32 n;
	s64 values[4];
	s64 block; /* heap: bytes of one block */
};

struct raw {
	VEC(u64) addresses;
	VEC(struct raw_sample) samples;
	struct profile *p;
	map_vec maps;
	VEC(u32) mapping_of; /* for each entry of maps, plus one; 0 if not yet in the profile */
	u32 nowhere; /* plus one */
	size_t ntypes;
	struct error *err;
};

#define bad(r, ...) error_set((r)->err, -EBADMSG, __VA_ARGS__)
#define no_memory(r) error_set((r)->err, -ENOMEM, "not enough memory")

/* ---- into a profile -------------------------------------------------------------------------- */

static int map_compare(const void *left, const void *right)
{
	const struct map_entry *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

static const struct map_entry *map_at(const struct raw *r, u64 address)
{
	size_t low = 0, high = r->maps.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct map_entry *e = &r->maps.data[middle];

		if (address >= e->start && address < e->end)
			return e->executable ? e : NULL;
		if (address < e->start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int mapping_of(struct raw *r, u64 address, u32 *mapping)
{
	const struct map_entry *e = map_at(r, address);
	u32 *known = e ? &r->mapping_of.data[e - r->maps.data] : &r->nowhere;
	struct profile_mapping m = {0};
	s64 id;

	if (e && !*known) {
		id = profile_string(r->p, e->path);
		if (id < 0)
			return no_memory(r);
		m = (struct profile_mapping){.start = e->start,
					     .limit = e->end,
					     .offset = e->offset,
					     .path = (string_id)id};
	}
	if (!*known) {
		id = profile_add_mapping(r->p, &m);
		if (id < 0)
			return no_memory(r);
		*known = (u32)id + 1;
	}
	*mapping = *known - 1;
	return 0;
}

static int add_sample(struct raw *r, const struct raw_sample *s, string_id bytes_key)
{
	const struct profile_label label = {
		.key = bytes_key, .num = s->block, .num_unit = bytes_key};
	u32 *stack = malloc((s->n + 1) * sizeof(*stack)), mapping = 0;
	int ret = stack ? 0 : no_memory(r);

	for (u32 i = 0; i < s->n && !ret; i++) {
		u64 address = r->addresses.data[s->first + i];
		s64 location;

		ret = mapping_of(r, address, &mapping);
		if (ret)
			break;
		location = profile_location(r->p, mapping, address);
		if (location < 0)
			ret = no_memory(r);
		else
			stack[i] = (u32)location;
	}
	if (!ret && profile_add_sample(r->p, stack, s->n, s->values, &label, bytes_key != 0))
		ret = no_memory(r);
	free(stack);
	return ret;
}

static int finish(struct raw *r, struct bytes maps, const char *drop, bool heap)
{
	s64 key = heap ? profile_string(r->p, "bytes") : 0, drop_id = profile_string(r->p, drop);
	int ret = maps_parse(maps, &r->maps);

	if (ret || key < 0 || drop_id < 0 || vec_reserve(&r->mapping_of, r->maps.len + 1))
		return no_memory(r);
	if (r->maps.len)
		qsort(r->maps.data, r->maps.len, sizeof(*r->maps.data), map_compare);
	memset(r->mapping_of.data, 0, (r->maps.len + 1) * sizeof(u32));
	r->p->drop_frames = (string_id)drop_id;
	vec_for_each(&r->samples, s) {
		if (!ret)
			ret = add_sample(r, s, (string_id)key);
	}
	return ret;
}

static int raw_init(struct raw *r, struct error *err)
{
	int ret;

	*r = (struct raw){.err = err};
	ret = profile_new(&r->p);
	return ret ? error_set(err, ret, "%s", error_reason(ret)) : 0;
}

static int raw_take(struct raw *r, int ret, struct profile **out)
{
	vec_release(&r->addresses);
	vec_release(&r->samples);
	vec_release(&r->mapping_of);
	maps_release(&r->maps);
	if (ret)
		profile_free(r->p);
	else
		*out = r->p;
	return ret;
}

static int push_sample(struct raw *r, const struct raw_sample *s)
{
	if (r->samples.len >= SAMPLES_MAX)
		return error_set(r->err, -EFBIG, "it holds more samples than a profile would");
	return vec_push(&r->samples, *s) ? no_memory(r) : 0;
}

/* ---- CPU ------------------------------------------------------------------------------------- */

static void drop_second(struct raw *r, struct raw_sample *s)
{
	r->addresses.data[s->first + 1] = r->addresses.data[s->first];
	s->first++;
	s->n--;
}

/* Finds the second address of most samples, if there is one (by a majority vote, then a count). */
static bool common_second(const struct raw *r, u64 *address, size_t *count)
{
	size_t votes = 0;

	*count = 0;
	vec_for_each(&r->samples, s) {
		u64 second;

		if (s->n < 2)
			continue;
		second = r->addresses.data[s->first + 1];
		if (!votes)
			*address = second;
		votes += second == *address ? 1 : -(size_t)1;
	}
	vec_for_each(&r->samples, s)
		*count += s->n > 1 && r->addresses.data[s->first + 1] == *address;
	return votes != 0;
}

/* Frames of the signal handler are second in nearly all samples; there are at most two of them. */
static void drop_handler(struct raw *r)
{
	for (int i = 0; i < 2; i++) {
		u64 address = 0;
		size_t count;

		if (!common_second(r, &address, &count) ||
		    count < r->samples.len - r->samples.len / 32)
			continue;
		vec_for_each(&r->samples, s) {
			if (s->n > 1 && r->addresses.data[s->first + 1] == address)
				drop_second(r, s);
		}
	}
	/* The leaf occurs twice, once from the signal's context and once from unwinding. */
	vec_for_each(&r->samples, s) {
		if (s->n > 1 && r->addresses.data[s->first] == r->addresses.data[s->first + 1] + 1)
			drop_second(r, s);
	}
}

static int read_cpu_samples(struct raw *r, struct cursor *c)
{
	while (c->pos < c->end) {
		struct raw_sample s = {.first = r->addresses.len};
		u64 count = cursor_u64(c), n = cursor_u64(c);
		int ret;

		if (c->bad || n > STACK_MAX || n * 8 > cursor_left(c) || count > INT64_MAX)
			return bad(r, "a sample of the gperftools profile is damaged");
		for (u64 i = 0; i < n; i++) {
			if (vec_push(&r->addresses, cursor_u64(c) - (i > 0)))
				return no_memory(r);
		}
		if (!count && n == 1 && !r->addresses.data[s.first])
			return 0;
		s.n = (u32)n;
		s.values[0] = (s64)count;
		if (__builtin_mul_overflow((s64)count, r->p->period, &s.values[1]))
			return bad(r, "a count of the gperftools profile is too large");
		ret = push_sample(r, &s);
		if (ret)
			return ret;
	}
	return 0;
}

bool gperftools_is_cpu(struct bytes data)
{
	struct cursor c = cursor_over(data);
	u64 words[5];

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = cursor_u64(&c);
	return !c.bad && !words[0] && words[1] == 3 && !words[2] && words[3] && !words[4];
}

int gperftools_read_cpu(struct bytes data, struct profile **out, struct error *err)
{
	struct cursor c = cursor_over(data);
	struct raw r;
	u64 period;
	int ret = raw_init(&r, err);

	if (ret)
		return ret;
	cursor_take(&c, 3 * sizeof(u64));
	period = cursor_u64(&c);
	cursor_take(&c, sizeof(u64));
	if (period > INT64_MAX / 1000)
		ret = bad(&r, "the period of the gperftools profile is too large");
	else if (profile_add_sample_type(r.p, "samples", "count") ||
		 profile_add_sample_type(r.p, "cpu", "nanoseconds") ||
		 profile_set_period(r.p, "cpu", "nanoseconds", (s64)period * 1000))
		ret = no_memory(&r);
	if (!ret)
		ret = read_cpu_samples(&r, &c);
	if (!ret) {
		drop_handler(&r);
		ret = finish(&r, (struct bytes){c.pos, cursor_left(&c)}, CPU_DROP, false);
	}
	return raw_take(&r, ret, out);
}

/* ---- heap ------------------------------------------------------------------------------------ */

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

static bool read_head(const char *line, struct heap_head *h)
{
	s64 values[4];
	char how[32] = "", rate[32] = "";

	if (sscanf(line,
		   "heap profile: %" SCNd64 ": %" SCNd64 " [ %" SCNd64 ": %" SCNd64
		   "] @ %31[_a-z0-9]/%31[0-9]",
		   &values[0], &values[1], &values[2], &values[3], how, rate) < 5)
		return false;
	h->allocs = (values[2] != values[0] && values[2]) || (values[3] != values[1] && values[3]);
	h->rate = strtoll(rate, NULL, 10);
	if (!strcmp(how, "heap"))
		h->rate /= 2;
	else if (strcmp(how, "heap_v2") != 0 && strcmp(how, "heapz_v2") != 0)
		h->rate = 0;
	return true;
}

static int read_heap_line(struct raw *r, const struct heap_head *h, const char *line)
{
	struct raw_sample s = {.first = r->addresses.len};
	s64 v[4];
	int at = 0;

	if (sscanf(line, " %" SCNd64 ": %" SCNd64 " [ %" SCNd64 ": %" SCNd64 "] @%n", &v[0], &v[1],
		   &v[2], &v[3], &at) < 4 ||
	    !at)
		return bad(r, "a line of the heap profile is damaged");
	s.block = v[0] > 0 ? v[1] / v[0] : v[2] > 0 ? v[3] / v[2] : 0;
	unsample(&v[0], &v[1], h->rate);
	unsample(&v[2], &v[3], h->rate);
	memcpy(s.values, h->allocs ? v + 2 : v, 2 * sizeof(*v));
	memcpy(s.values + 2, v, 2 * sizeof(*v));
	for (line += at; s.n < STACK_MAX; s.n++) {
		char *end;
		u64 address = strtoull(line, &end, 16);

		if (end == line)
			break;
		line = end;
		if (vec_push(&r->addresses, address - 1))
			return no_memory(r);
	}
	return push_sample(r, &s);
}

/* Reads the next line without its end; false if there is none. A line that is too long is cut. */
static bool next_line(struct cursor *c, char *line)
{
	const u8 *end = memchr(c->pos, '\n', cursor_left(c));
	size_t len = end ? (size_t)(end - c->pos) : cursor_left(c);
	size_t kept = len < LINE_BYTES ? len : LINE_BYTES - 1;

	if (c->pos == c->end)
		return false;
	memcpy(line, c->pos, kept);
	line[kept] = '\0';
	c->pos += len + (end != NULL);
	return true;
}

static int add_heap_types(struct raw *r, const struct heap_head *h)
{
	struct profile *p = r->p;

	if (h->allocs && (profile_add_sample_type(p, "alloc_objects", "count") ||
			  profile_add_sample_type(p, "alloc_space", "bytes")))
		return no_memory(r);
	if (profile_add_sample_type(p, h->allocs ? "inuse_objects" : "objects", "count") ||
	    profile_add_sample_type(p, h->allocs ? "inuse_space" : "space", "bytes") ||
	    profile_set_period(p, "space", "bytes", h->rate ? h->rate : 1))
		return no_memory(r);
	return 0;
}

static int read_heap_lines(struct raw *r, struct cursor *c, char *line)
{
	struct heap_head h;
	int ret;

	if (!next_line(c, line) || !read_head(line, &h))
		return bad(r, "the first line of the heap profile is damaged");
	ret = add_heap_types(r, &h);
	while (!ret && next_line(c, line)) {
		if (strstr(line, "MAPPED_LIBRARIES:") || strstr(line, "--- Memory map: ---"))
			break;
		if (line[strspn(line, " \t\r")] && line[0] != '#')
			ret = read_heap_line(r, &h, line);
	}
	return ret;
}

bool gperftools_is_heap(struct bytes data)
{
	static const char magic[] = "heap profile:";

	return data.len >= sizeof(magic) && !memcmp(data.data, magic, sizeof(magic) - 1);
}

int gperftools_read_heap(struct bytes data, struct profile **out, struct error *err)
{
	struct cursor c = cursor_over(data);
	char *line = malloc(LINE_BYTES);
	struct raw r;
	int ret = raw_init(&r, err);

	if (!ret)
		ret = line ? read_heap_lines(&r, &c, line) : no_memory(&r);
	if (!ret)
		ret = finish(&r, (struct bytes){c.pos, cursor_left(&c)}, HEAP_DROP, true);
	free(line);
	return raw_take(&r, ret, out);
}
