/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names generated code of a process from everything that it may have left: its jitdump file
 * (jit_dump.h), and its perf map (jit.h) for what that does not name.
 */
#ifndef CPROF_SYMBOL_JIT_SOURCES_H
#define CPROF_SYMBOL_JIT_SOURCES_H

#include "symbol/dwarf_index.h"
#include "target/module.h"

struct jit_sources;

/* Results of reading the files; -ENOENT if there is none. Others are those of jit.h and jit_dump.h,
 * and of opening the files. */
struct jit_results {
	int map, dump;
	bool map_cut;
};

/* Names `n` distinct addresses in ascending order. Returns 0 or -ENOMEM. */
int jit_sources_read(const struct module *m, struct budget *budget, const u64 *addresses, size_t n,
		     struct jit_results *results, struct jit_sources **out) MUST_CHECK;
void jit_sources_free(struct jit_sources *s); /* NULL is allowed */

/* Fills in what is known of addresses[i], borrowed. Returns false if nothing is. */
bool jit_sources_at(const struct jit_sources *s, size_t i, struct dwarf_frame *frame);

/*
 * Removes the marks of the stages of a compiler from a name, so that a function is the same however
 * often it was compiled: "LazyCompile:*work" of V8 becomes "LazyCompile:work", and
 * "Program::Main()[Tier0]" of .NET becomes "Program::Main()".
 */
void jit_name_tidy(char *name);

#endif
