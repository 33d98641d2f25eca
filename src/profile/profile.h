/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile in memory, in the shape of pprof's profile.proto: values per stack, stacks of
 * locations, locations of lines (inlining), lines of functions. Items refer to each other by
 * number; string number 0 is "". A profile does not know where it came from, and formats only read
 * it.
 *
 * All adders copy what they are given, deduplicate it, and return the number of the item or a
 * negative errno.
 */
#ifndef CPROF_PROFILE_PROFILE_H
#define CPROF_PROFILE_PROFILE_H

#include "base/types.h"
#include "base/vec.h"

typedef u32 string_id;

struct profile_value_type {
	string_id type, unit; /* "cpu", "nanoseconds" */
};

enum profile_mapping_kind {
	PROFILE_MAPPING_FILE,
	PROFILE_MAPPING_KERNEL,
	PROFILE_MAPPING_JIT,
	PROFILE_MAPPING_SYNTHETIC, /* marks such as "[stack cut: ...]" */
};

struct profile_mapping {
	u64 start, limit, offset;
	string_id path, build_id;
	u8 kind; /* enum profile_mapping_kind */
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
	/* borrowed: the struct module that the symbolizer uses; NULL if read from a file */
	void *source;
};

struct profile_function {
	string_id name, system_name, filename; /* demangled, raw, source path */
	s64 start_line;
};

struct profile_line {
	u32 function;
	s64 line;
};

struct profile_location {
	u32 mapping;
	/* mapping.start + (file offset - mapping.offset) for files; the address otherwise */
	u64 address;
	/* in profile->lines, innermost first; unnamed if there are 0 lines */
	u32 first_line, nlines;
	bool folded;
};

struct profile_label {
	string_id key;
	string_id str; /* 0 if the label is numeric */
	s64 num;
	string_id num_unit;
};

struct profile_sample {
	/* Indexes profile->stack_locations, leaf first. Consecutive samples may share them. */
	u32 first_location, nlocations;
	u32 first_value; /* in profile->values, one for each sample type */
	u32 first_label, nlabels;
};

struct profile_index; /* holds the hash tables for deduplication */

struct profile {
	VEC(struct profile_value_type) sample_types;
	VEC(struct profile_mapping) mappings;
	VEC(struct profile_function) functions;
	VEC(struct profile_line) lines;
	VEC(struct profile_location) locations;
	VEC(struct profile_sample) samples;
	VEC(u32) stack_locations;
	VEC(s64) values;
	VEC(struct profile_label) labels;
	VEC(char *) strings;
	VEC(string_id) comments;
	struct profile_value_type period_type;
	s64 period;
	s64 time_nanos, duration_nanos;
	string_id default_sample_type, doc_url, drop_frames, keep_frames;
	struct profile_index *index;
};

int profile_new(struct profile **out) MUST_CHECK;
void profile_free(struct profile *p);

/* Returns the number of a string, or a negative errno. NULL counts as "". Invalid UTF-8 is replaced
 * by U+FFFD. */
s64 profile_string(struct profile *p, const char *text);
const char *profile_text(const struct profile *p, string_id id);

int profile_add_sample_type(struct profile *p, const char *type, const char *unit) MUST_CHECK;
int profile_set_period(struct profile *p, const char *type, const char *unit,
		       s64 period) MUST_CHECK;
int profile_add_comment(struct profile *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

s64 profile_add_mapping(struct profile *p, const struct profile_mapping *m); /* not deduplicated */
s64 profile_location(struct profile *p, u32 mapping, u64 address); /* one per (mapping, address) */
s64 profile_function(struct profile *p, const char *name, const char *system_name,
		     const char *filename, s64 start_line);
/* Gives a location its lines, innermost first, in place of those that it had. */
int profile_location_set_lines(struct profile *p, u32 location, const struct profile_line *lines,
			       u32 n) MUST_CHECK;

/*
 * Adds `values` (one for each sample type) to the sample with this stack and these labels, creating
 * it if necessary. Samples whose values are all zero are ignored.
 */
int profile_add_sample(struct profile *p, const u32 *locations, u32 nlocations, const s64 *values,
		       const struct profile_label *labels, u32 nlabels) MUST_CHECK;

/*
 * Call this after changing stacks or labels of samples in place. It merges samples that have become
 * equal and drops those whose values are all zero.
 */
void profile_merge_samples(struct profile *p);

/* Returns the index of the sample type called `type` (or "type/unit"). Without a name it is the
 * default one, or else the last. Returns -ENOENT if there is none. */
int profile_find_sample_type(const struct profile *p, const char *type);

#endif
