/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads jitdump files, which the profiled program writes. They may have gigabytes of code, of which
 * a profile needs a few names. So the headers of all records are read once to find the last record
 * that covers each address, and a second time for the names of the functions in these.
 */
#include "symbol/jit_dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define MAGIC 0x4a695444u /* "JiTD" */
#define HEADER_BYTES 40u
#define PREFIX_BYTES 16u
#define PART_BYTES 4096u /* of a record, which are read at first */
#define RECORD_STEPS 1500 /* nanoseconds; it costs a system call */
#define DEBUG_MAX (16u << 20) /* bytes of a record of lines */
#define TEXT_MAX 65536u

enum { CODE_LOAD, CODE_MOVE, CODE_DEBUG_INFO };

struct record {
	u64 at; /* offset in the file */
	u32 id, size;
	u64 start, bytes; /* of the code */
	u64 index; /* which function it is */
	u64 from; /* of a move: where it was */
};

struct jit_dump {
	size_t n;
	struct jit_dump_frame *frames;
	/* for each address the offset of the last record that covers it, plus one; or 0 */
	u64 *last;
};

struct scan {
	struct input_file *in;
	struct budget *budget;
	const u64 *addresses;
	size_t n;
	u64 at;
	u8 part[PART_BYTES];
	size_t len; /* of `part`, which is the beginning of the current record */
};

static size_t lower_bound(const struct scan *s, u64 limit)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->addresses[mid] < limit)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- records --------------------------------------------------------------------------------- */

static void parse(struct record *r, struct bytes part)
{
	struct cursor c = cursor_over(part);

	cursor_take(&c, PREFIX_BYTES);
	if (r->id == CODE_DEBUG_INFO) {
		r->start = cursor_u64(&c);
	} else if (r->id == CODE_LOAD || r->id == CODE_MOVE) {
		cursor_u64(&c); /* process and thread */
		cursor_u64(&c); /* where the code was in its section */
		r->from = r->id == CODE_MOVE ? cursor_u64(&c) : 0;
		r->start = cursor_u64(&c);
		r->bytes = cursor_u64(&c);
		r->index = cursor_u64(&c);
	}
	if (c.bad)
		r->bytes = 0;
}

/* Returns 1 with the next record, 0 at the end, or a negative errno. */
static int next_record(struct scan *s, struct record *r)
{
	struct cursor c;
	ssize_t got;

	if (!budget_look(s->budget, BUDGET_NAMES, RECORD_STEPS))
		return -E2BIG;
	got = input_file_read(s->in, s->part, sizeof(s->part), s->at);
	if (got < (ssize_t)PREFIX_BYTES)
		return got < 0 ? (int)got : 0;
	s->len = (size_t)got;
	c = cursor_over((struct bytes){s->part, s->len});
	*r = (struct record){.at = s->at};
	r->id = cursor_u32(&c);
	r->size = cursor_u32(&c);
	if (r->size < PREFIX_BYTES || r->size > s->in->size - s->at)
		return 0;
	if (s->len > r->size)
		s->len = r->size;
	parse(r, (struct bytes){s->part, s->len});
	s->at += r->size;
	return 1;
}

static int begin(struct scan *s)
{
	struct cursor c;
	ssize_t got = input_file_read(s->in, s->part, HEADER_BYTES, 0);
	u32 magic, size;

	if (got < 0)
		return (int)got;
	c = cursor_over((struct bytes){s->part, (size_t)got});
	magic = cursor_u32(&c);
	cursor_u32(&c); /* version */
	size = cursor_u32(&c);
	if (c.bad || magic != MAGIC || size < HEADER_BYTES || size > s->in->size)
		return -EBADMSG;
	s->at = size;
	return 0;
}

/* ---- which record is the last one ------------------------------------------------------------ */

static int find_last(struct scan *s, struct jit_dump *d)
{
	struct record r;
	int more = begin(s);

	if (more)
		return more;
	while ((more = next_record(s, &r)) > 0) {
		u64 end;

		if (r.id > CODE_MOVE || !r.bytes || __builtin_add_overflow(r.start, r.bytes, &end))
			continue;
		for (size_t i = lower_bound(s, r.start); i < s->n && s->addresses[i] < end; i++) {
			if (!budget_take(s->budget, BUDGET_NAMES, 2))
				return -E2BIG;
			d->last[i] = r.at + 1;
		}
	}
	return more;
}

/* ---- moved functions ------------------------------------------------------------------------- */

/* An address is looked up where its function was loaded, however often that has moved since. */
struct wanted {
	u64 last; /* offset of the record that covers it, plus one; 0 if none does */
	u64 index; /* of its function, if that has moved */
	u64 offset; /* of the address in the function */
	u32 which; /* number of the address */
	bool moved;
};

static int compare_last(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	if (x->last != y->last)
		return x->last < y->last ? -1 : 1;
	return x->which < y->which ? -1 : x->which > y->which;
}

/* Those that have moved come last, by the index of their function. */
static int compare_index(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	if (x->moved != y->moved)
		return x->moved ? 1 : -1;
	if (x->moved && x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return compare_last(a, b);
}

/* `wanted` is sorted by record. */
static int follow_moves(struct scan *s, struct wanted *wanted)
{
	struct record r;
	size_t next = 0;
	int more = begin(s);

	if (more)
		return more;
	while ((more = next_record(s, &r)) > 0) {
		while (next < s->n && wanted[next].last < r.at + 1)
			next++;
		for (; next < s->n && wanted[next].last == r.at + 1; next++) {
			wanted[next].moved = r.id == CODE_MOVE;
			wanted[next].index = r.index;
			wanted[next].offset = s->addresses[wanted[next].which] - r.start;
		}
	}
	return more;
}

/* ---- names and lines ------------------------------------------------------------------------- */

/* Holds what is known of a function while its addresses are named. */
struct function {
	struct record load;
	char *name;
	u8 *lines; /* the record of its lines; NULL if there is none */
	size_t lines_len;
};

static int read_bytes(struct scan *s, const struct record *r, size_t max, u8 **out, size_t *len)
{
	ssize_t got;

	*len = r->size < max ? r->size : max;
	if (!budget_look(s->budget, BUDGET_NAMES, *len) ||
	    !budget_reserve(s->budget, BUDGET_NAMES, *len))
		return -E2BIG;
	*out = malloc(*len + 1);
	if (!*out)
		return -ENOMEM;
	got = input_file_read(s->in, *out, *len, r->at);
	*len = got > 0 ? (size_t)got : 0;
	return got < 0 ? (int)got : 0;
}

/* The name follows the fields, and ends in a NUL. */
static int read_name(struct scan *s, const struct record *r, char **name)
{
	const size_t fields = PREFIX_BYTES + 40;
	u8 *bytes = NULL;
	size_t len;
	int err = 0;

	if (s->len > fields && memchr(s->part + fields, 0, s->len - fields)) {
		*name = strdup((char *)s->part + fields);
		return *name ? 0 : -ENOMEM;
	}
	err = read_bytes(s, r, fields + TEXT_MAX, &bytes, &len);
	if (!err && len > fields && memchr(bytes + fields, 0, len - fields)) {
		*name = strdup((char *)bytes + fields);
		err = *name ? 0 : -ENOMEM;
	}
	free(bytes);
	return err;
}

static void function_release(struct function *f)
{
	free(f->name);
	free(f->lines);
}

static int function_read(struct scan *s, const struct record *load, const struct record *lines,
			 struct function *f)
{
	int err;

	*f = (struct function){.load = *load};
	err = read_name(s, load, &f->name);
	if (!err && lines->size && lines->start == load->start)
		err = read_bytes(s, lines, DEBUG_MAX, &f->lines, &f->lines_len);
	if (err)
		function_release(f);
	return err;
}

/* Finds the last line that begins at or before the address. A name of 0xff is the one before. */
static int find_line(struct scan *s, const struct function *f, u64 address,
		     struct jit_dump_frame *frame)
{
	struct cursor c = cursor_over((struct bytes){f->lines, f->lines_len});
	const char *file = NULL, *found = NULL;
	u64 best = 0, entries;

	cursor_take(&c, PREFIX_BYTES + sizeof(u64));
	for (entries = cursor_u64(&c); entries && !c.bad; entries--) {
		u64 at = cursor_u64(&c);
		u32 line = cursor_u32(&c);
		const char *name = (cursor_u32(&c), cursor_string(&c));

		if (!name || !budget_take(s->budget, BUDGET_NAMES, 10))
			break;
		if (strcmp(name, "\xff") != 0)
			file = name;
		if (at > address || at < best)
			continue;
		best = at;
		found = file;
		frame->line = line;
	}
	frame->file = found ? strndup(found, TEXT_MAX) : NULL;
	return found && !frame->file ? -ENOMEM : 0;
}

static int name_address(struct scan *s, const struct function *f, u64 address,
			struct jit_dump_frame *frame)
{
	free(frame->name);
	free(frame->file);
	*frame = (struct jit_dump_frame){0};
	if (!f->name)
		return 0;
	if (!budget_reserve(s->budget, BUDGET_NAMES, strlen(f->name)))
		return -E2BIG;
	frame->name = strdup(f->name);
	return frame->name ? find_line(s, f, address, frame) : -ENOMEM;
}

/* Returns the first wanted address whose function has moved and has this index or a higher one. */
static size_t find_moved(const struct wanted *wanted, size_t n, u64 index)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (!wanted[mid].moved || wanted[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Names the wanted addresses [from, to) that belong to a function that was loaded. */
static int name_range(struct scan *s, struct jit_dump *d, const struct wanted *wanted, size_t from,
		      size_t to, const struct record *load, const struct record *lines)
{
	struct function f;
	int err;

	if (from == to)
		return 0;
	err = function_read(s, load, lines, &f);
	if (err)
		return err;
	for (size_t i = from; i < to && !err; i++) {
		/* An index may be used again, so a later function is not the one that moved. */
		if (load->at < wanted[i].last)
			err = name_address(s, &f, load->start + wanted[i].offset,
					   &d->frames[wanted[i].which]);
	}
	function_release(&f);
	return err;
}

static int read_names(struct scan *s, struct jit_dump *d, const struct wanted *wanted)
{
	struct record r, lines = {0};
	size_t next = 0, end, moved;
	int err = begin(s), more = 0;

	while (!err && (more = next_record(s, &r)) > 0) {
		if (r.id == CODE_DEBUG_INFO)
			lines = r;
		if (r.id != CODE_LOAD)
			continue;
		while (next < s->n && !wanted[next].moved && wanted[next].last < r.at + 1)
			next++;
		for (end = next; end < s->n && !wanted[end].moved && wanted[end].last == r.at + 1;)
			end++;
		err = name_range(s, d, wanted, next, end, &r, &lines);
		moved = find_moved(wanted, s->n, r.index);
		for (end = moved; end < s->n && wanted[end].index == r.index;)
			end++;
		if (!err)
			err = name_range(s, d, wanted, moved, end, &r, &lines);
		/* Lines belong to the function that is loaded next. */
		lines = (struct record){0};
	}
	return err ? err : more;
}

static int scan(struct scan *s, struct jit_dump *d, struct wanted *wanted)
{
	int err = find_last(s, d);

	for (size_t i = 0; i < s->n; i++)
		wanted[i] = (struct wanted){.last = d->last[i], .which = (u32)i};
	if (!err && s->n) {
		qsort(wanted, s->n, sizeof(*wanted), compare_last);
		err = follow_moves(s, wanted);
	}
	if (!err && s->n) {
		qsort(wanted, s->n, sizeof(*wanted), compare_index);
		err = read_names(s, d, wanted);
	}
	return err;
}

int jit_dump_scan(struct input_file *in, struct budget *budget, const u64 *addresses, size_t n,
		  struct jit_dump **out)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct jit_dump *d = calloc(1, sizeof(*d));
	struct wanted *wanted = calloc(n + 1, sizeof(*wanted));
	int err = s && d && wanted ? 0 : -ENOMEM;

	if (!err) {
		*s = (struct scan){.in = in, .budget = budget, .addresses = addresses, .n = n};
		d->n = n;
		d->frames = calloc(n + 1, sizeof(*d->frames));
		d->last = calloc(n + 1, sizeof(*d->last));
		err = d->frames && d->last ? scan(s, d, wanted) : -ENOMEM;
	}
	free(wanted);
	free(s);
	if (err) {
		jit_dump_free(d);
		return err;
	}
	*out = d;
	return 0;
}

void jit_dump_free(struct jit_dump *d)
{
	if (!d)
		return;
	for (size_t i = 0; d->frames && i < d->n; i++) {
		free(d->frames[i].name);
		free(d->frames[i].file);
	}
	free(d->frames);
	free(d->last);
	free(d);
}

const struct jit_dump_frame *jit_dump_at(const struct jit_dump *d, size_t i)
{
	return &d->frames[i];
}
