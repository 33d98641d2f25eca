/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Describes the functions of one file: those of an allocator, or the otel_memory probes of a
 * sampler. Each has a place for its probe and a number in the kernel's table of sites. A file is
 * read once, however many processes map it.
 */
#ifndef CPROF_COLLECT_PROBE_FILE_H
#define CPROF_COLLECT_PROBE_FILE_H

#include "base/bpf_shared.h"
#include "base/log.h"
#include "collect/probe/probe_set.h"
#include "collect/probe/site_table.h"
#include "elf/elf_file.h"
#include "target/allocator.h"

struct probe_file {
	struct probed_file base; /* `exclusive`: a sampler's library, as it says what it sampled */
	uprobe_places allocs, frees, weighed; /* cookies are site numbers */
	uprobe_places notices; /* where cprof's own sampler says something else than samples */
	/* Allocating functions that have no return probe, because an exception may leave them. */
	uprobe_places entries;
	uprobe_places results; /* places inside their code where their result is known */
	/*
	 * This is attached in place of `allocs` where the kernel would set a return probe for every
	 * call: see probe_file_set_apart(). It may be NULL.
	 */
	struct probe_file *apart;
	code_spans ranges; /* the code of allocating functions */
	u32 alloc_ns, free_ns; /* the cost of a probe on malloc and on free here */
	/* "jemalloc 5.3.0 (/usr/lib/libjemalloc.so.2)"; NULL if it contains no allocator */
	char *title;
	/* what was searched, if there is none although one was expected; else NULL */
	char *searched;
};

/* What reading needs from the recording; everything is borrowed. */
struct function_reader {
	struct site_table sites;
	bool live; /* frees are wanted */
	bool alone; /* allocation functions of other files have no probes */
	bool returns; /* every call has a return probe, because the kernel has no sessions */
	u32 kernel; /* enum probe_kernel */
	const struct alloc_names *names; /* from --alloc; NULL for the known ones */
	const struct log *log;
};

/*
 * Reads the functions of `elf`, which messages call `path`. A file without any is not an error.
 * Returns -ENOSPC if the table has no space for all of them.
 */
int probe_file_new(struct function_reader *r, struct elf_file *elf, const char *path,
		   struct probe_file **out) MUST_CHECK;
void probe_file_free(struct function_reader *r, struct probe_file *f); /* gives its sites back */

/*
 * Gives `f`, which was read from the same file, other places for the functions that have a return
 * probe. They are after the first push or so, where no other recording has one, and their returns
 * are seen where the result is known. The kernel runs each program at a place for every process
 * that has a breakpoint there, so recordings must not share a place. Functions for which that would
 * have to be single-stepped keep their return probe.
 */
int probe_file_set_apart(struct function_reader *r, struct elf_file *elf, const char *path,
			 struct probe_file *f) MUST_CHECK;

#endif
