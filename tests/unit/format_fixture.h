/* SPDX-License-Identifier: Apache-2.0 */
/* Provides profiles and sinks that the tests of profile and format share. */
#ifndef CPROF_TESTS_FORMAT_FIXTURE_H
#define CPROF_TESTS_FORMAT_FIXTURE_H

#include "format/format.h"

/* Holds the bytes that a writer produced. */
struct memory {
	u8 *data;
	size_t len, cap;
};

struct sink memory_sink(struct memory *m);
int full_sink_write(void *arg, const void *data, size_t len); /* returns -ENOSPC */

/* Returns what `f` writes as a string that the caller frees, or fails the case. */
char *written(const struct profile *p, const struct format *f, const struct format_options *opt);

/*
 * The types are samples/count and cpu/nanoseconds at 10 ms. Mappings are demo, libfoo.so (claims
 * names, lacks one) and the kernel. The samples, leaf first, with their count:
 *   inlined<int>(int) in work, main            3   thread=a
 *   work, main                                 2   thread=b
 *   (libfoo.so, no name), main                 1   tid=7
 *   do_syscall, work, work, main               4
 */
enum { FIXTURE_LIBRARY = 1, FIXTURE_INLINED = 0 };
struct profile *fixture_profile(void);
/* Checks that a file has this profile as folded text. */
void fixture_check_profile(const char *path);

/* Has `locations` functions with one location each, and `samples` stacks of 30 with the values 1,
 * 2, ... */
struct profile *large_profile(u32 locations, u32 samples);

#endif
