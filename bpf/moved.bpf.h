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

/* Returns which part of a file is mapped at an address, unless it is generated code in a file
 * without a name. */
static __always_inline enum file_part file_part_at(struct mm_struct *mm, u64 addr,
						   struct vma_found *vma)
{
	u32 *module;
	u64 inode;

	if (!vma_find(mm, addr, vma) || !vma->inode)
		return FILE_NOT;
	inode = vma->inode;
	module = bpf_map_lookup_elem(&modules, &inode);
	if (module && *module == MODULE_ANON)
		return FILE_NOT;
	return vma->offset ? FILE_CONTINUES : FILE_BEGINS;
}

static __always_inline bool may_be_moved(struct mm_struct *mm, const struct moved_key *key,
					 struct vma_found *vma)
{
	if (key->start < BPF_CORE_READ(mm, end_code) && key->end > BPF_CORE_READ(mm, start_code))
		return true;
	return file_part_at(mm, key->start - 1, vma) != FILE_NOT ||
	       file_part_at(mm, key->end, vma) == FILE_CONTINUES;
}

static const struct moved_range not_yet_known;

/* It is false if the process is outside of cprof's PID namespace, where user space cannot reach
 * its memory. */
static __always_inline bool moved_request(struct stack_walk *st, const struct moved_key *key,
					  struct moved_range *known)
{
	struct module_record *record = (void *)st->scratch; /* the BPF stack is small */
	u64 now = bpf_ktime_get_ns();

	record->tgid = proc_tgid(bpf_get_current_task_btf());
	if (!record->tgid.nr)
		return false;
	if (known && now - known->asked < MOVED_AGAIN_NS)
		return true;
	/* The answer may come at this moment, and is not replaced. */
	if (!known && bpf_map_update_elem(&moved_ranges, key, (void *)&not_yet_known, BPF_NOEXIST))
		return true;
	known = bpf_map_lookup_elem(&moved_ranges, key);
	if (known)
		known->asked = now;
	record->kind = RECORD_MODULE;
	record->inode = 0;
	record->start = key->start;
	record->end = key->end;
	record->offset = 0;
	record->mm_id = key->mm_id;
	if (bpf_ringbuf_output(&records, record, sizeof(*record), BPF_RB_FORCE_WAKEUP))
		/* The ring is full, so the next sample requests it again. */
		bpf_map_delete_elem(&moved_ranges, key);
	return true;
}

/* Finds the part around `pc` of what is known of its mapping. */
static __always_inline void moved_part(const struct moved_range *known, u64 pc,
				       struct vma_range *out)
{
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
}

/*
 * Finds out what the code at st->regs is, which is in a mapping without a file of its own, and
 * remembers it for the next step. It returns 0, or 1 if the walk has ended because user space has
 * to find out. It is global for the verifier, as unwind_step() is, and it is not called by that,
 * because both together would have too large a stack.
 */
__attribute__((noinline)) int env_find_unnamed(struct stack_walk *st)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct moved_key key = {};
	struct moved_range *known;
	struct vma_cache *cache;
	struct vma_range range = {};
	bool may;
	u32 set;
	u64 pc;

	if (!st || !mm)
		return 1;
	pc = st->regs.exact ? st->regs.pc : st->regs.pc - 1;
	st->end = STACK_NOT_MAPPED;
	set = (u32)st->mm_set & (VMA_CACHE_SETS - 1);
	cache = bpf_map_lookup_elem(&vma_caches, &set);
	if (!cache || !vma_find(mm, pc, &st->found))
		return 1;
	key.mm_id = arch_mm_id(mm);
	key.start = st->found.start;
	key.end = st->found.end;
	may = may_be_moved(mm, &key, &st->found);
	known = may ? bpf_map_lookup_elem(&moved_ranges, &key) : NULL;
	if (may && (!known || !known->module) && moved_request(st, &key, known)) {
		st->missing_module = 1;
		st->end = STACK_LOADING;
		return 1;
	}
	range.start = key.start;
	range.end = key.end;
	range.module = MODULE_ANON;
	if (known && known->module > MODULE_ANON)
		moved_part(known, pc, &range);
	vma_cache_add(cache, &range);
	return 0;
}

#endif
