/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Finds text that a program has moved away from its file (huge pages). User space decides what it
 * is, once for each mapping. Code that a runtime generates is not to cost a request for each of its
 * mappings, so only those are requested that lie where a file has been: within the program, or
 * beside a mapping of a file. Loaders map a library without holes.
 */
#ifndef CPROF_BPF_MOVED_BPF_H
#define CPROF_BPF_MOVED_BPF_H

#define MOVED_AGAIN_NS 1000000000ull /* a request may have been lost, with its recording */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MOVED_RANGES);
	__type(key, struct moved_key);
	__type(value, struct moved_range);
} moved_ranges SEC(".maps");

enum file_part { FILE_NOT, FILE_BEGINS, FILE_CONTINUES };

/*
 * Returns which part of a file is mapped at an address, unless it is generated code in a file
 * without a name. It is global for the verifier, which then checks it once.
 */
__attribute__((noinline)) int file_part_at(u64 addr)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct vma_found vma = {};
	u32 *module;

	if (!mm || !vma_find(mm, addr, &vma) || !vma.inode)
		return FILE_NOT;
	module = bpf_map_lookup_elem(&modules, &vma.inode);
	if (module && *module == MODULE_ANON)
		return FILE_NOT;
	return vma.offset ? FILE_CONTINUES : FILE_BEGINS;
}

static __always_inline bool may_be_moved(struct mm_struct *mm, const struct vma_found *vma)
{
	if (vma->start < BPF_CORE_READ(mm, end_code) && vma->end > BPF_CORE_READ(mm, start_code))
		return true;
	return file_part_at(vma->start - 1) != FILE_NOT || file_part_at(vma->end) == FILE_CONTINUES;
}

/* It is false if the process is outside of cprof's PID namespace, where user space cannot reach
 * its memory. */
static __always_inline bool moved_request(const struct moved_key *key,
					  const struct moved_range *known)
{
	struct moved_range asked = {.asked = bpf_ktime_get_ns()};
	struct module_record record = {
		.kind = RECORD_MODULE,
		.tgid = proc_tgid(bpf_get_current_task_btf()),
		.start = key->start,
		.end = key->end,
		.mm_id = key->mm_id,
	};

	if (!record.tgid.nr)
		return false;
	if (known && asked.asked - known->asked < MOVED_AGAIN_NS)
		return true;
	/* The answer may come at this moment, and is not replaced. */
	if (bpf_map_update_elem(&moved_ranges, key, &asked, known ? BPF_EXIST : BPF_NOEXIST))
		return true;
	if (bpf_ringbuf_output(&records, &record, sizeof(record), BPF_RB_FORCE_WAKEUP))
		/* The ring is full, so the next sample requests it again. */
		bpf_map_delete_elem(&moved_ranges, key);
	return true;
}

/* Says what the code at `pc` is, in a mapping without a file of its own. It is false if user space
 * has to find out. */
static __always_inline bool moved_range_of(struct stack_walk *st, struct mm_struct *mm,
					   const struct vma_found *vma, u64 pc,
					   struct vma_range *out)
{
	struct moved_key key = {.mm_id = arch_mm_id(mm), .start = vma->start, .end = vma->end};
	const struct moved_range *known;

	out->module = MODULE_ANON;
	out->shift = 0;
	if (!may_be_moved(mm, vma))
		return true;
	known = bpf_map_lookup_elem(&moved_ranges, &key);
	if (!known || !known->module) {
		if (!moved_request(&key, known))
			return true;
		st->missing_module = 1;
		return false;
	}
	if (known->module == MODULE_ANON)
		return true;
	if (pc < known->start) {
		out->end = known->start;
	} else if (pc >= known->end) {
		out->start = known->end;
	} else {
		out->start = known->start;
		out->end = known->end;
		out->shift = known->shift;
		out->module = known->module;
		module_mark(out->module);
	}
	return true;
}

#endif
