/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes perf records: see perf_record.h. */
#include "collect/perf/perf_record.h"

#include <errno.h>
#include <string.h>

#include "arch/perf_regs.h"

static void take_registers(struct cursor *c, struct perf_sample *s)
{
	u64 regs[ARCH_PERF_REGS_MAX];

	s->abi = cursor_u64(c);
	if (s->abi == PERF_SAMPLE_REGS_ABI_NONE)
		return;
	for (int i = 0; i < __builtin_popcountll(arch_perf_regs); i++)
		regs[i] = cursor_u64(c);
	arch_take_perf_regs(&s->regs, regs);
}

static void take_stack(struct cursor *c, struct perf_sample *s)
{
	u64 size = cursor_u64(c), copied;
	const u8 *data;

	if (!size)
		return;
	data = cursor_take(c, size);
	copied = cursor_u64(c);
	if (c->bad)
		return;
	s->stack = (struct bytes){data, copied < size ? copied : size};
}

static void take_chain(struct cursor *c, struct perf_sample *s)
{
	u64 n = cursor_u64(c);

	if (n > cursor_left(c) / sizeof(u64)) {
		c->bad = true;
		return;
	}
	s->chain = cursor_take(c, n * sizeof(u64));
	s->chain_len = n;
}

static void take_sample(struct cursor *c, u16 misc, bool chain, struct perf_sample *s)
{
	s->user_mode = (misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_USER;
	s->ip = cursor_u64(c);
	s->pid = cursor_u32(c);
	s->tid = cursor_u32(c);
	cursor_u64(c); /* time */
	s->id = cursor_u64(c);
	s->cpu = cursor_u32(c);
	cursor_u32(c); /* reserved */
	s->period = cursor_u64(c);
	if (chain)
		take_chain(c, s);
	take_registers(c, s);
	take_stack(c, s);
}

static void take_mapped(struct cursor *c, struct perf_mapped *m)
{
	m->pid = cursor_u32(c);
	m->tid = cursor_u32(c);
	m->start = cursor_u64(c);
	m->len = cursor_u64(c);
	m->offset = cursor_u64(c);
	m->maj = cursor_u32(c);
	m->min = cursor_u32(c);
	m->inode = cursor_u64(c);
	cursor_u64(c); /* the inode's generation, which /proc/PID/maps does not show */
	cursor_u64(c); /* protection and flags */
	m->path = cursor_string(c);
}

static void take_task(struct cursor *c, struct perf_task *t)
{
	t->pid = cursor_u32(c);
	t->ppid = cursor_u32(c);
	t->tid = cursor_u32(c);
	t->ptid = cursor_u32(c);
}

static void take_comm(struct cursor *c, u16 misc, struct perf_comm *m)
{
	m->pid = cursor_u32(c);
	m->tid = cursor_u32(c);
	m->exec = misc & PERF_RECORD_MISC_COMM_EXEC;
	m->name = cursor_string(c);
}

int perf_record_decode(struct bytes raw, bool chain, struct perf_record *out)
{
	struct cursor c = cursor_over(raw);
	u16 misc;

	memset(out, 0, sizeof(*out));
	out->type = cursor_u32(&c);
	misc = cursor_u16(&c);
	cursor_u16(&c); /* size */
	switch (out->type) {
	case PERF_RECORD_SAMPLE:
		take_sample(&c, misc, chain, &out->sample);
		break;
	case PERF_RECORD_MMAP2:
		take_mapped(&c, &out->mapped);
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		take_task(&c, &out->task);
		break;
	case PERF_RECORD_COMM:
		take_comm(&c, misc, &out->comm);
		break;
	case PERF_RECORD_LOST:
		cursor_u64(&c); /* id */
		out->lost = cursor_u64(&c);
		break;
	case PERF_RECORD_LOST_SAMPLES:
		out->lost = cursor_u64(&c);
		break;
	default:
		break;
	}
	return c.bad ? -EBADMSG : 0;
}
