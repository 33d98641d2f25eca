/* SPDX-License-Identifier: Apache-2.0 */
/* Follows code that stacks have met: see code_met.h. */
#include "unwind/code_met.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/sorted.h"
#include "unwind/code_gaps.h"
#include "unwind/code_rows.h"
#include "unwind/code_starts.h"
#include "unwind/rows.h"

/* Decoding an instruction takes some 150 ns. */
#define INSTRUCTIONS_MOST 200000u
#define INSTRUCTIONS_MAX 5000000u

/* How far before an address functions are followed, and how many. If that does not lead there, both
 * are multiplied, so many times. */
#define WINDOW_BYTES 8192u
#define WINDOW_FUNCTIONS 16u
#define WINDOW_FACTOR 4u
#define WINDOW_TRIES 3u
/* Without any function before it in its range, what is padding has to be found from its begin. */
#define REST_BYTES 65536u

struct code_met {
	struct elf_file *f;
	struct file_image *image;
	struct code_flow *flow;
	code_range_vec gaps;
	code_start_vec starts;
	u64 left; /* instructions that may still be followed */
	bool at_once; /* everything is followed the first time */
	struct unwind_rule unknown; /* what applies if nothing is known */
};

/* ---- what is around an address --------------------------------------------------------------- */

static size_t gap_behind(const struct code_met *c, u64 vaddr)
{
	size_t i = sorted_behind_by(c->gaps.data, c->gaps.len, start, vaddr);

	return i && c->gaps.data[i - 1].end > vaddr ? i - 1 : i;
}

/* Returns the gap around `vaddr`. It is false if it is in none, such as data among code, and `out`
 * is what lies between the two gaps around it. */
static bool find_gap(const struct code_met *c, u64 vaddr, struct code_range *out)
{
	size_t i = gap_behind(c, vaddr);

	if (i < c->gaps.len && c->gaps.data[i].start <= vaddr) {
		*out = c->gaps.data[i];
		return true;
	}
	out->start = i ? c->gaps.data[i - 1].end : 0;
	out->end = i < c->gaps.len ? c->gaps.data[i].start : UINT64_MAX;
	return false;
}

/* Numbers of functions (code_met.starts). */
struct around {
	size_t first; /* the first one in the gap */
	size_t behind; /* the first one behind the address */
};

static struct around functions_around(const struct code_met *c, const struct code_range *gap,
				      u64 vaddr)
{
	return (struct around){
		sorted_from_by(c->starts.data, c->starts.len, vaddr, gap->start),
		sorted_behind_by(c->starts.data, c->starts.len, vaddr, vaddr),
	};
}

static u64 begin_of(const struct code_met *c, const struct around *a, size_t i,
		    const struct code_range *gap)
{
	return i < a->behind ? c->starts.data[i].vaddr : gap->start;
}

static u64 next_begin(const struct code_met *c, const struct around *a,
		      const struct code_range *gap)
{
	if (a->behind < c->starts.len && c->starts.data[a->behind].vaddr < gap->end)
		return c->starts.data[a->behind].vaddr;
	return gap->end;
}

/* ---- following ------------------------------------------------------------------------------- */

static bool is_followed(struct code_met *c, u64 vaddr)
{
	return code_flow_hole(c->flow, vaddr, vaddr + 1) != vaddr;
}

/* Returns the function to begin with: a certain one, or the first in the window, but at least
 * one. */
static size_t first_function(const struct code_met *c, const struct around *a, u64 vaddr,
			     u32 factor)
{
	u64 window = (u64)WINDOW_BYTES * factor;
	size_t i = a->behind;

	while (i > a->first && a->behind - i < (size_t)WINDOW_FUNCTIONS * factor) {
		const struct code_start_at *before = &c->starts.data[i - 1];

		if (i < a->behind && before->vaddr + window < vaddr)
			break;
		i--;
		if (before->how == CODE_START_SURE)
			break;
	}
	return i;
}

static void follow_functions(struct code_met *c, size_t from, size_t to, bool sure)
{
	for (size_t i = from; i < to; i++) {
		const struct code_start_at *s = &c->starts.data[i];

		if ((s->how == CODE_START_SURE) == sure)
			code_flow_follow(c->flow, s->vaddr, s->how);
	}
}

/* Returns the address from which on everything was tried. */
static u64 follow_around(struct code_met *c, const struct code_range *gap, const struct around *a,
			 u64 vaddr)
{
	u32 factor = 1;
	struct code_range rest;
	size_t from = a->behind;

	for (u32 tries = 0; tries < WINDOW_TRIES && !is_followed(c, vaddr); tries++) {
		from = first_function(c, a, vaddr, factor);
		follow_functions(c, from, a->behind, true);
		follow_functions(c, from, a->behind, false);
		factor *= WINDOW_FACTOR;
	}
	rest = (struct code_range){begin_of(c, a, from, gap), next_begin(c, a, gap)};
	if (!is_followed(c, vaddr) && vaddr - rest.start < REST_BYTES) {
		rest.end = vaddr + 1;
		code_rows_follow_rest(c->flow, c->image, elf_file_budget(c->f), &rest);
	}
	return rest.start;
}

static u64 begin_following(struct code_met *c, u64 most)
{
	code_flow_allow(c->flow, c->left < most ? c->left : most);
	return code_flow_stats(c->flow)->instructions;
}

static void end_following(struct code_met *c, u64 before)
{
	c->left -= code_flow_stats(c->flow)->instructions - before;
	if (code_flow_has_ended(c->flow))
		budget_lose(elf_file_budget(c->f), BUDGET_CODE, BUDGET_STEPS);
}

static void follow(struct code_met *c, const struct code_range *gap, u64 vaddr,
		   struct code_range *tried)
{
	struct around a = functions_around(c, gap, vaddr);
	u64 before = begin_following(c, INSTRUCTIONS_MOST);

	tried->start = follow_around(c, gap, &a, vaddr);
	tried->end = next_begin(c, &a, gap);
	end_following(c, before);
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct output {
	struct code_met *c;
	struct code_part *part;
	bool tried; /* what was not followed will never be */
};

static int put_row(void *arg, u64 vaddr, const struct unwind_rule *rule)
{
	struct output *o = arg;
	struct code_row row = {.rule = *rule};

	if (!elf_file_vaddr_to_offset(o->c->f, vaddr, &row.off))
		return 0;
	if (rule->cfa == UNWIND_CFA_NONE || (rule->cfa == UNWIND_CFA_LATER && o->tried))
		row.rule = o->c->unknown;
	if (o->part->rows.len && o->part->rows.data[o->part->rows.len - 1].off == row.off)
		o->part->rows.len--;
	return vec_push(&o->part->rows, row);
}

/* Everything is in one section, and so in one segment. */
static int put_part(struct output *o, const struct code_range *r)
{
	size_t first = o->part->rows.len;
	int err = code_flow_rows(o->c->flow, r->start, r->end, put_row, o);

	if (!err && o->part->rows.len > first) {
		o->part->start = o->part->rows.data[0].off;
		o->part->end = o->part->rows.data[first].off + (r->end - r->start);
	}
	return err;
}

static int by_off(const void *a, const void *b)
{
	const struct code_row *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

/* Segments need not be in the order of their offsets. Between the gaps, nothing was left for
 * later. */
static int put_all(struct output *o)
{
	struct code_part *part = o->part;
	int err = 0;

	vec_for_each(&o->c->gaps, gap)
		err = err ? err : put_part(o, gap);
	if (err || !part->rows.len)
		return err;
	qsort(part->rows.data, part->rows.len, sizeof(*part->rows.data), by_off);
	part->start = 0;
	part->end = UINT64_MAX;
	return 0;
}

static void follow_all(struct code_met *c)
{
	u64 before = begin_following(c, INSTRUCTIONS_MAX);

	code_rows_follow(c->flow, c->image, elf_file_budget(c->f), &c->starts, c->gaps.data,
			 c->gaps.len);
	end_following(c, before);
}

/* What is not known afterwards never will be. */
static void forget_flow(struct code_met *c)
{
	code_flow_free(c->flow);
	c->flow = NULL;
	vec_release(&c->gaps);
	vec_release(&c->starts);
}

static int give_up(const struct code_met *c, u64 off, u64 before, u64 behind, struct code_part *out)
{
	out->start = off > before ? off - before : 0;
	out->end = off < UINT64_MAX - behind ? off + behind : UINT64_MAX;
	return vec_push(&out->rows, (struct code_row){out->start, c->unknown});
}

/* The part has the offset in any case. */
static int finish(const struct code_met *c, u64 off, struct code_part *out)
{
	if (out->start <= off && off < out->end)
		return 0;
	vec_release(&out->rows);
	return give_up(c, off, 0, 1, out);
}

int code_met_follow(struct code_met *c, u64 off, struct code_part *out)
{
	struct output o = {.c = c, .part = out};
	struct code_range gap, part;
	struct around a;
	int err;
	u64 vaddr;

	*out = (struct code_part){0};
	if (c->at_once && c->flow) {
		o.tried = true;
		follow_all(c);
		err = put_all(&o);
		forget_flow(c);
		return err ? err : finish(c, off, out);
	}
	if (!elf_file_offset_to_vaddr(c->f, off, &vaddr))
		return give_up(c, off, 0, 1, out);
	if (!find_gap(c, vaddr, &gap))
		return give_up(c, off, vaddr - gap.start, gap.end - vaddr, out);
	a = functions_around(c, &gap, vaddr);
	part = (struct code_range){begin_of(c, &a, a.behind - (a.behind > a.first), &gap),
				   next_begin(c, &a, &gap)};
	o.tried = !is_followed(c, vaddr);
	if (o.tried)
		follow(c, &gap, vaddr, &part);
	err = put_part(&o, &part);
	return err ? err : finish(c, off, out);
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool is_little_or_most(const struct code_met *c)
{
	const struct elf_segment *s;
	size_t n = elf_file_segments(c->f, &s);
	u64 code = 0, gaps = 0;

	for (size_t i = 0; i < n; i++)
		code += s[i].flags & PF_X ? s[i].filesz : 0;
	vec_for_each(&c->gaps, gap)
		gaps += gap->end - gap->start;
	return gaps <= FOLLOWED_AT_ONCE || gaps >= code / 20 * 19;
}

/* The gaps are known. */
static int begin(struct code_met *c, struct elf_file *debug)
{
	int err = file_image_new(c->f, &c->image);

	if (!err)
		err = code_flow_new(c->image, elf_file_budget(c->f), c->gaps.data, c->gaps.len,
				    &c->flow);
	if (!err)
		err = code_starts_find(c->f, debug, c->image, c->gaps.data, c->gaps.len,
				       &c->starts);
	if (!err && !c->at_once)
		code_flow_starts(c->flow, c->starts.data, c->starts.len);
	return err;
}

static int find_gaps(struct code_met *c, struct elf_file *debug)
{
	struct function_index index;
	int err = function_index_init(&index, c->f, debug);

	if (err)
		return err;
	err = code_gaps_find(c->f, &index, &c->gaps);
	if (rows_gap_rule(c->f, index.fdes) == UNWIND_RULE_CHAIN)
		c->unknown.cfa = UNWIND_CFA_CHAIN;
	c->at_once = is_little_or_most(c);
	function_index_release(&index);
	return err;
}

static int copy_gaps(struct code_met *c, const struct code_range *ranges, size_t n)
{
	int err = vec_reserve(&c->gaps, n + 1);

	for (size_t i = 0; !err && i < n; i++)
		c->gaps.data[c->gaps.len++] = ranges[i];
	return err;
}

static struct code_met *allocate(struct elf_file *f)
{
	struct code_met *c = calloc(1, sizeof(*c));

	if (!c) {
		elf_file_free(f);
		return NULL;
	}
	c->f = f;
	c->left = INSTRUCTIONS_MAX;
	return c;
}

static int finish_new(struct code_met *c, struct elf_file *debug, int err, struct code_met **out)
{
	if (!err)
		err = begin(c, debug);
	if (err)
		code_met_free(c);
	else
		*out = c;
	return err;
}

int code_met_new(struct elf_file *f, struct elf_file *debug, struct code_met **out)
{
	struct code_met *c = allocate(f);

	return c ? finish_new(c, debug, find_gaps(c, debug), out) : -ENOMEM;
}

int code_met_new_in(struct elf_file *f, struct elf_file *debug, const struct code_range *ranges,
		    size_t n, struct code_met **out)
{
	struct code_met *c = allocate(f);

	return c ? finish_new(c, debug, copy_gaps(c, ranges, n), out) : -ENOMEM;
}

struct code_flow *code_met_flow(struct code_met *c)
{
	return c->flow;
}

u64 code_met_followed(const struct code_met *c)
{
	return INSTRUCTIONS_MAX - c->left;
}

void code_met_free(struct code_met *c)
{
	if (!c)
		return;
	code_flow_free(c->flow);
	file_image_free(c->image);
	vec_release(&c->gaps);
	vec_release(&c->starts);
	elf_file_free(c->f);
	free(c);
}

struct budget *code_met_budget(struct code_met *c)
{
	return elf_file_budget(c->f);
}

void code_met_trim(struct code_met *c)
{
	file_image_forget(c->image);
	elf_file_trim(c->f);
}
