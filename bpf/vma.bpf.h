/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Finds which file is mapped at an address, by reading the task's own address space at the moment
 * of the sample. So exec, fork, dlopen and processes that run for milliseconds need no bookkeeping,
 * and an address can never be looked up in an outdated mapping.
 *
 * bpf_find_vma() does not help here: with interrupts off it may be called once per interrupt only
 * (its unlock is deferred to one irq_work per CPU). So the VMA tree is walked without a lock: a
 * maple tree since 6.1 (commit 524e00b36e8c), an rbtree before. A writer may change it at the same
 * time. So every load is a checked one (bpf_probe_read_kernel), and a VMA counts only if it says
 * itself that it belongs to this mm and contains the address. The worst case is a miss.
 *
 * Results are kept per CPU as long as mm->mm_lock_seq does not change (since 6.4 it changes
 * whenever the address space is write-locked), or else for one sample.
 */
#ifndef CPROF_BPF_VMA_BPF_H
#define CPROF_BPF_VMA_BPF_H

#define VM_EXEC 0x4 /* include/linux/mm.h */

#define MAPLE_TYPE_SHIFT 3 /* include/linux/maple_tree.h: how node pointers are tagged */
#define MAPLE_TYPE_MASK 0x0f
#define MAPLE_NODE_MASK 255ull
#define MAPLE_ROOT_NODE 0x02ull
#define MAPLE_MAX_DEPTH 8 /* 10^8 ranges */
#define MAPLE_SLOTS 16

#define RBTREE_MAX_DEPTH 24

#define VMA_CACHE_RANGES 8
#define VMA_CACHE_SETS 8

/* These are the shapes of other kernels. The part after ___ is dropped when types are matched
 * (CO-RE). */
struct mm_struct___rbtree { /* before 6.1 */
	struct rb_root mm_rb;
} __attribute__((preserve_access_index));

struct vm_area_struct___rbtree {
	struct rb_node vm_rb;
} __attribute__((preserve_access_index));

struct mm_struct___seq_int { /* 6.4 to 6.12 */
	int mm_lock_seq;
} __attribute__((preserve_access_index));

struct mm_struct___seq_count { /* 6.13 and later */
	seqcount_t mm_lock_seq;
} __attribute__((preserve_access_index));

struct vma_range {
	u64 start, end;
	u64 shift; /* file offset = address + shift */
	u32 module;
	u32 pad;
};

struct vma_cache {
	u64 mm_id; /* arch_mm_id() */
	u64 seq;
	u64 epoch; /* modules_state.epoch */
	u32 len, next, last;
	u32 pad;
	struct vma_range range[VMA_CACHE_RANGES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VMA_CACHE_SETS);
	__type(key, u32);
	__type(value, struct vma_cache);
} vma_caches SEC(".maps");

/* Maps the kernel's inode to the module number; 0 while user space is loading it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODULE_SLOTS);
	__type(key, u64);
	__type(value, u32);
} modules SEC(".maps");

struct maple_copy {
	u64 node[32]; /* struct maple_node has 256 bytes in every kernel that has it */
	/* They are volatile, because the verifier forgets what it knows about a value that is
	 * stored here, and does not follow each one apart. */
	volatile u64 at; /* the pointer to the next node, or to the entry */
	volatile u64 slot;
};

/* This is not on the stack, because 6.1 gives a program and everything that it calls 512 bytes
 * together. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct maple_copy);
} maple_copies SEC(".maps");

/* A key on the stack would take the 8 bytes that the programs of some kinds do not have. */
static const u32 first_entry = 0;

/* Returns the entry for the address in the tree with that root, or 0. It is global, so the verifier
 * checks it once: inlined at each of its callers, it was half of what the verifier looked at. */
__attribute__((noinline)) u64 maple_find(u64 root, u64 addr)
{
	struct maple_copy *copy = bpf_map_lookup_elem(&maple_copies, &first_entry);

	if (!copy || (root & 3) != MAPLE_ROOT_NODE)
		return 0;
	copy->at = root;
	for (int depth = 0; depth < MAPLE_MAX_DEPTH; depth++) {
		u32 type, pivots, slot = 0;

		if (bpf_probe_read_kernel(copy->node, sizeof(copy->node),
					  (void *)(copy->at & ~MAPLE_NODE_MASK)))
			return 0;
		type = (copy->at >> MAPLE_TYPE_SHIFT) & MAPLE_TYPE_MASK;
		pivots = type == maple_arange_64 ? 9 : 15;
		/* node[0] is the parent; pivots follow, and then slots. A zero pivot ends a short
		 * node. */
		for (u32 i = 0; i < MAPLE_SLOTS - 1; i++) {
			if (i >= pivots || copy->node[1 + i] == 0 || addr <= copy->node[1 + i])
				break;
			slot = i + 1;
		}
		copy->slot = 1 + pivots + slot;
		copy->at = copy->node[copy->slot & 31];
		if (type != maple_range_64 && type != maple_arange_64)
			return type == maple_leaf_64 ? copy->at : 0;
	}
	return 0;
}

static __always_inline u64 rbtree_find(struct mm_struct *mm, u64 addr)
{
	struct mm_struct___rbtree *old = (void *)mm;
	u64 rb_off = bpf_core_field_offset(struct vm_area_struct___rbtree, vm_rb);
	struct rb_node *node = BPF_CORE_READ(old, mm_rb.rb_node);

	for (int depth = 0; depth < RBTREE_MAX_DEPTH && node; depth++) {
		struct vm_area_struct *vma = (void *)((u64)node - rb_off);

		if (addr >= BPF_CORE_READ(vma, vm_end)) {
			node = BPF_CORE_READ(node, rb_right);
		} else if (addr < BPF_CORE_READ(vma, vm_start)) {
			node = BPF_CORE_READ(node, rb_left);
		} else {
			return (u64)vma;
		}
	}
	return 0;
}

static __always_inline bool vma_find(struct mm_struct *mm, u64 addr, struct vma_found *out)
{
	struct vm_area_struct *vma;
	struct file *file;

	if (bpf_core_field_exists(mm->mm_mt))
		vma = (void *)maple_find((u64)BPF_CORE_READ(mm, mm_mt.ma_root), addr);
	else
		vma = (void *)rbtree_find(mm, addr);
	if (!vma)
		return false;
	out->start = BPF_CORE_READ(vma, vm_start);
	out->end = BPF_CORE_READ(vma, vm_end);
	if (addr < out->start || addr >= out->end || BPF_CORE_READ(vma, vm_mm) != mm)
		return false;
	out->executable = BPF_CORE_READ(vma, vm_flags) & VM_EXEC;
	out->offset = (u64)BPF_CORE_READ(vma, vm_pgoff) << ARCH_PAGE_SHIFT;
	file = BPF_CORE_READ(vma, vm_file);
	out->inode = file ? (u64)BPF_CORE_READ(file, f_inode) : 0;
	return true;
}

/* Returns a value that changes whenever the address space may have changed; 0 if the kernel has no
 * such counter. */
static __always_inline u64 mm_sequence(struct mm_struct *mm)
{
	struct mm_struct___seq_count *seqcount = (void *)mm;
	struct mm_struct___seq_int *seqint = (void *)mm;

	if (bpf_core_field_exists(seqcount->mm_lock_seq.sequence))
		return (u64)BPF_CORE_READ(seqcount, mm_lock_seq.sequence) | 1ull << 32;
	if (bpf_core_field_exists(seqint->mm_lock_seq))
		return (u32)BPF_CORE_READ(seqint, mm_lock_seq) | 1ull << 32;
	return 0;
}

/* Returns the set for this address space, emptied if it is for another one or has become stale. */
static __always_inline struct vma_cache *vma_cache_open(struct mm_struct *mm)
{
	u64 mm_id = arch_mm_id(mm);
	u32 set = (u32)mm_id & (VMA_CACHE_SETS - 1);
	struct vma_cache *cache = bpf_map_lookup_elem(&vma_caches, &set);
	const struct modules_state *state = modules_state();
	u64 seq;

	if (!cache || !state)
		return NULL;
	seq = mm_sequence(mm);
	if (!seq || cache->mm_id != mm_id || cache->seq != seq || cache->epoch != state->epoch) {
		cache->mm_id = mm_id;
		cache->seq = seq;
		cache->epoch = state->epoch;
		cache->len = 0;
		cache->next = 0;
		cache->last = 0;
		cache->range[0].end = 0;
	}
	return cache;
}

static __always_inline struct vma_range *vma_cache_find(struct vma_cache *cache, u64 addr)
{
	struct vma_range *last = &cache->range[cache->last & (VMA_CACHE_RANGES - 1)];

	/* Callers are mostly in the same mapping as their callees. An empty slot contains no
	 * address: start = end = 0. */
	if (addr >= last->start && addr < last->end)
		return last;
	for (u32 i = 0; i < VMA_CACHE_RANGES; i++) {
		struct vma_range *r = &cache->range[i];

		if (i >= cache->len)
			break;
		if (addr >= r->start && addr < r->end) {
			cache->last = i;
			return r;
		}
	}
	return NULL;
}

static __always_inline void vma_cache_add(struct vma_cache *cache, const struct vma_range *range)
{
	u32 at = cache->next & (VMA_CACHE_RANGES - 1);

	cache->range[at] = *range;
	cache->next = at + 1;
	if (cache->len < VMA_CACHE_RANGES)
		cache->len++;
}

#endif
