/* SPDX-License-Identifier: Apache-2.0 */
/* Names addresses of a compiled fixture through a whole profile. */
#ifndef CPROF_TESTS_NAME_FIXTURE_H
#define CPROF_TESTS_NAME_FIXTURE_H

#include "symbol/symbolize.h"
#include "target/module.h"

struct named {
	struct module module;
	struct profile *profile; /* location i is address i, and has one sample */
	struct symbolize_stats stats;
};

/* Names `vaddrs` of the ELF file NAME in the fixture directory (or at an absolute path). */
void name_addresses(struct named *out, const char *name, const u64 *vaddrs, size_t n,
		    bool no_inlines);
void named_release(struct named *named);

u32 named_depth(const struct named *named, u32 address);
/* Returns "name file.c:12" for one frame: the shown name, the file's base name and the line. It is
 * in static storage. */
const char *named_frame(const struct named *named, u32 address, u32 frame);

/* Returns the value of a symbol in .symtab or .dynsym; the case fails if there is none. */
u64 vaddr_of(const char *name, const char *symbol);

#endif
