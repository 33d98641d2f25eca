/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects samples that consist of addresses, and makes a profile of them. Files of gperftools,
 * jemalloc and Go's text profiles contain such samples, some with a memory map after them, and some
 * with the names of their addresses.
 */
#ifndef CPROF_FORMAT_ADDRESS_SAMPLES_H
#define CPROF_FORMAT_ADDRESS_SAMPLES_H

#include "base/bytes.h"
#include "base/error.h"
#include "profile/profile.h"
#include "target/maps.h"

#define ADDRESS_SAMPLE_TYPES 4

struct address_sample {
	size_t first; /* in addresses, leaf first; callers are within their call instructions */
	u32 n;
	s64 values[ADDRESS_SAMPLE_TYPES];
	s64 block; /* bytes of one block, for the label "bytes"; 0 for none */
	u32 first_label, nlabels;
};

struct address_name {
	u64 address;
	size_t sample; /* where it was given; only the first sample's names of an address count */
	size_t order;
	struct profile_line line;
};

struct address_samples {
	VEC(u64) addresses;
	VEC(struct address_sample) list;
	VEC(struct profile_label) labels;
	VEC(struct address_name) names;
	struct profile *p;
	map_vec maps;
	VEC(u32) mapping_of; /* for each entry of maps, plus one; 0 if not yet in the profile */
	u32 nowhere; /* plus one */
	struct error *err;
};

int address_samples_init(struct address_samples *a, struct error *err) MUST_CHECK;
/* Releases everything; passes the profile on if `ret` is 0, and returns `ret`. */
int address_samples_take(struct address_samples *a, int ret, struct profile **out);

/* Reads a text into a profile: `read` fills samples from it, and calls address_samples_finish(). */
int address_samples_read(struct bytes data,
			 int (*read)(struct address_samples *a, struct cursor *text),
			 struct profile **out, struct error *err) MUST_CHECK;

/* Appends an address to those of the sample that comes next. */
int address_samples_push_address(struct address_samples *a, u64 address) MUST_CHECK;
/* Appends all the addresses of a text line, each reduced by `less`. */
int address_samples_scan(struct address_samples *a, struct cursor *line, u64 less) MUST_CHECK;
/* Adds a sample with the addresses from s->first on. */
int address_samples_push(struct address_samples *a, struct address_sample s) MUST_CHECK;
/* Gives the last sample a label with a text. */
int address_samples_label(struct address_samples *a, const char *key, const char *text) MUST_CHECK;

/*
 * Names an address of the last sample. Names of one address come innermost first. If the address is
 * not in the sample, the name is ignored.
 */
int address_samples_name(struct address_samples *a, u64 address, const char *function,
			 const char *file, s64 line) MUST_CHECK;
/* Ends the names of the last sample: frames before the first and after the last one are removed,
 * because Go hides those of its runtime. */
void address_samples_end_names(struct address_samples *a, size_t first_name);

/* Makes the profile. `map` is the text of a memory map (memory_map.h), and `drop` the expression
 * for frames that the profiler or the allocator added. */
int address_samples_finish(struct address_samples *a, struct bytes map,
			   const char *drop) MUST_CHECK;

/* Profilers put these functions on top of stacks. The frames up to the outermost match are
 * removed. */
#define LEGACY_CPU_DROP                                                        \
	"ProfileData::Add|ProfileData::prof_handler|CpuProfiler::prof_handler" \
	"|__pthread_sighandler|__restore|__restore_rt"

#define address_samples_bad(a, ...) error_set((a)->err, -EBADMSG, __VA_ARGS__)
#define address_samples_no_memory(a) error_set((a)->err, -ENOMEM, "not enough memory")

#endif
