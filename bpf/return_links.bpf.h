/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Lists the return probes of all programs on this machine that links to single processes set. Their
 * breakpoints are in these processes only. But where two links meet at one place of a file, the
 * kernel prepares a return for both in either process (kernel/trace/bpf_trace.c, 6.13 to 6.18:
 * uprobe_prog_run() returns 0 for a process that is not the link's, and handler_chain() takes that
 * as a yes).
 */
#ifndef CPROF_BPF_RETURN_LINKS_BPF_H
#define CPROF_BPF_RETURN_LINKS_BPF_H

#define LINK_TYPE_UPROBE_MULTI 12 /* include/uapi/linux/bpf.h: enum bpf_link_type */
#define MINOR_BITS 20 /* include/linux/kdev_t.h */
#define LINK_PLACES_MAX 256 /* an allocator has some 30 */

struct link_places {
	struct seq_file *seq;
	u64 places;
	u32 n;
	struct return_link record;
};

/* bpf_loop() calls it for each place; otherwise the verifier would go through all of them. */
static long tell_return(u64 i, struct link_places *l)
{
	struct bpf_uprobe *place = (void *)(l->places + i * bpf_core_type_size(struct bpf_uprobe));
	struct return_link *record = &l->record;
	u32 dev;

	if (i >= l->n)
		return 1;
	if (!BPF_CORE_READ(place, consumer.ret_handler))
		return 0;
	record->inode = (u64)BPF_CORE_READ(place, uprobe, inode);
	record->number = BPF_CORE_READ(place, uprobe, inode, i_ino);
	dev = BPF_CORE_READ(place, uprobe, inode, i_sb, s_dev);
	record->dev_major = dev >> MINOR_BITS;
	record->dev_minor = dev & ((1u << MINOR_BITS) - 1);
	record->offset = (u64)BPF_CORE_READ(place, offset);
	bpf_seq_write(l->seq, record, sizeof(*record));
	return 0;
}

/* Does what proc_tgid() does, for a task that the verifier knows nothing about. */
static __always_inline struct proc_pid number_of(struct task_struct *task)
{
	if (!settings.pidns_nested)
		return (struct proc_pid){BPF_CORE_READ(task, tgid)};
	return (struct proc_pid){
		number_in_cprofs_namespace(BPF_CORE_READ(task, group_leader, thread_pid))};
}

SEC("iter/bpf_link")
int list_returns(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_link *link = ctx->link;
	struct bpf_uprobe_multi_link *multi;
	struct link_places l = {.seq = ctx->meta->seq};
	struct task_struct *task;

	if (!link || BPF_CORE_READ(link, type) != LINK_TYPE_UPROBE_MULTI ||
	    !bpf_core_field_exists(struct bpf_uprobe, uprobe))
		return 0;
	multi = (void *)((u64)link - bpf_core_field_offset(struct bpf_uprobe_multi_link, link));
	task = BPF_CORE_READ(multi, task);
	if (!task)
		return 0; /* it has breakpoints in every process anyway */
	l.record.link = BPF_CORE_READ(link, id);
	l.record.program = BPF_CORE_READ(link, prog, aux, id);
	l.record.tgid = number_of(task);
	l.places = (u64)BPF_CORE_READ(multi, uprobes);
	l.n = BPF_CORE_READ(multi, cnt);
	bpf_loop(LINK_PLACES_MAX, tell_return, &l, 0);
	return 0;
}

#endif
