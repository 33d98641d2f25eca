/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of one file: the functions of an allocator, or the otel_memory probes of a sampler,
 * each with the place for a probe, numbered in the kernel's table of sites. Read once for a file,
 * whoever maps it.
 */
#ifndef CPROF_COLLECT_PROBE_FILE_H
#define CPROF_COLLECT_PROBE_FILE_H

#include "base/bpf_shared.h"
#include "base/log.h"
#include "collect/probe/code_check.h"
#include "collect/probe/uprobe.h"
#include "elf/elf_file.h"
#include "target/allocator.h"

struct probe_file {
	u64 inode;
	u32 dev_major, dev_minor;
	bool sampler; /* a sampler's library: its own frames are not the program's */
	uprobe_places allocs, frees, weighed; /* cookies are site numbers */
	/* Allocating functions that have no return probe, since an exception may leave them. */
	uprobe_places entries;
	uprobe_places results; /* inside their code, where what they return is known */
	/*
	 * What is attached in place of `allocs` where the kernel would set a return probe for every call: see
	 * probe_file_set_apart(). NULL: nothing is.
	 */
	struct probe_file *apart;
	code_spans ranges; /* the code of allocating functions */
	code_spans probed; /* the code around all places for probes, and those functions */
	u32 alloc_ns, free_ns; /* what a probe on malloc and on free costs here */
	char *title; /* "jemalloc 5.3.0 (/usr/lib/libjemalloc.so.2)"; NULL: no allocator is in it */
	char *searched; /* what was looked for where there is none and one was to be expected, or NULL */
};

/* What reading needs of the recording; all borrowed. */
struct function_reader {
	int sites_fd; /* the map of struct heap_site, by number */
	u32 nsites; /* numbers that are taken */
	bool live; /* frees are wanted */
	bool alone; /* allocation functions of other files have no probes */
	bool returns; /* a return probe is there for every call: the kernel has no sessions */
	u32 kernel; /* enum probe_kernel */
	const struct alloc_names *names; /* of --alloc; NULL: the known ones */
	const struct log *log;
};

/*
 * Reads the functions of `elf`, which is called `path` in messages. A file without any is no error.
 */
int probe_file_new(struct function_reader *r, struct elf_file *elf, const char *path,
		   struct probe_file **out) MUST_CHECK;
void probe_file_free(struct probe_file *f);

/*
 * Gives `f`, which was read from the same file, other places for the functions that have a return probe: behind the
 * first push or so, where no other recording has one, with their returns seen where the result is known. The kernel
 * runs each program at a place for every process that has a breakpoint there, so what matters is that no place is
 * shared. Functions for which that would have to be single-stepped keep their return probe.
 */
int probe_file_set_apart(struct function_reader *r, struct elf_file *elf, const char *path,
			 struct probe_file *f) MUST_CHECK;

#endif
