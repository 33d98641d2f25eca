/* SPDX-License-Identifier: Apache-2.0 */
/* Follows all functions that have no call frame information: see code_rows.h. */
#include "unwind/code_rows.h"

#include <errno.h>

#include "unwind/code_gaps.h"

#define ALIGNMENT 16 /* Compilers pad functions to it. */

/* Returns where the padding at `vaddr` ends. */
static u64 skip_padding(struct file_image *image, struct budget *budget, u64 vaddr, u64 end)
{
	struct stack_effect e;

	while (vaddr < end && budget_take(budget, BUDGET_CODE, 100)) {
		struct bytes code = file_image_at(image, vaddr);

		if (!code.len)
			return end;
		if (!code.data[0])
			vaddr++;
		else if (stack_effect_decode(code, vaddr, &e) && e.is_padding)
			vaddr += e.length;
		else
			return vaddr;
	}
	return end;
}

void code_rows_follow_rest(struct code_flow *flow, struct file_image *image, struct budget *budget,
			   const struct code_range *range)
{
	u64 at = range->start;

	while ((at = code_flow_hole(flow, at, range->end)) < range->end) {
		u64 start = skip_padding(image, budget, at, range->end);

		if (start >= range->end)
			return;
		if (start != code_flow_hole(flow, start, start + 1)) {
			at = start;
			continue;
		}
		if (start % ALIGNMENT == 0 || start == range->start)
			code_flow_follow(flow, start, CODE_START_GUESS);
		at = start + 1;
		if (code_flow_hole(flow, start, at) == start)
			at = (start / ALIGNMENT + 1) * ALIGNMENT;
	}
}

/* Functions that are certain come first, so what they lead to contradicts wrong guesses. */
void code_rows_follow(struct code_flow *flow, struct file_image *image, struct budget *budget,
		      const code_start_vec *starts, const struct code_range *ranges, size_t n)
{
	vec_for_each(starts, s)
		code_flow_expect(flow, s->vaddr, s->how);
	vec_for_each(starts, s)
		if (s->how == CODE_START_SURE)
			code_flow_follow(flow, s->vaddr, s->how);
	vec_for_each(starts, s)
		if (s->how != CODE_START_SURE)
			code_flow_follow(flow, s->vaddr, s->how);
	for (size_t i = 0; i < n; i++)
		code_rows_follow_rest(flow, image, budget, &ranges[i]);
}

int code_rows_find(struct elf_file *f, struct elf_file *debug, const struct code_range *ranges,
		   size_t n, struct code_flow **out)
{
	struct budget *budget = elf_file_budget(f);
	struct file_image *image = NULL;
	struct code_flow *flow = NULL;
	code_start_vec starts = {0};
	int err;

	*out = NULL;
	if (!n)
		return 0;
	err = file_image_new(f, &image);
	if (!err)
		err = code_flow_new(image, budget, ranges, n, &flow);
	if (!err)
		err = code_starts_find(f, debug, image, ranges, n, &starts);
	if (!err)
		code_rows_follow(flow, image, budget, &starts, ranges, n);
	vec_release(&starts);
	file_image_free(image);
	if (err) {
		code_flow_free(flow);
		return err;
	}
	*out = flow;
	return 0;
}

int code_rows_new(struct elf_file *f, struct elf_file *debug, const struct function_index *index,
		  struct code_flow **out)
{
	code_range_vec gaps;
	int err = code_gaps_find(f, index, &gaps);

	*out = NULL;
	if (err)
		return err;
	err = code_rows_find(f, debug, gaps.data, gaps.len, out);
	if (err == -E2BIG) /* The file has its other rows. */
		err = 0;
	vec_release(&gaps);
	return err;
}
