/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of pprof_read() share while they read one file. */
#ifndef CPROF_FORMAT_PPROF_READER_H
#define CPROF_FORMAT_PPROF_READER_H

#include <errno.h>

#include "format/pprof_ids.h"
#include "format/pprof_wire.h"
#include "profile/profile.h"

/*
 * This limits each table; a program with a million functions is a large one. A sample takes up to
 * eight times the space that it had in the file, so all samples together may hold at most CELLS_MAX
 * times four bytes.
 */
#define ITEMS_MAX (4u << 20)
#define SAMPLES_MAX (16u << 20)
#define CELLS_MAX (128ull << 20)
#define STRING_MAX (1u << 20)
#define TYPES_MAX 256u
#define STACK_MAX (1u << 20)
/* These count inlined functions, which a few bytes can multiply. One stack may have STACK_MAX
 * frames, and all together this many. */
#define FRAMES_MAX (256ull << 20)

struct pprof_reader {
	struct profile *p;
	struct error *err;
	struct bytes data;
	VEC(struct bytes) strings; /* as they are in the file */
	VEC(s64) interned; /* their numbers in the profile; -1 if not yet added */
	struct id_map mappings, functions, locations;
	u32 nowhere; /* the mapping of locations without one, plus one; 0 if not needed yet */
	bool has_time;
	u64 frames; /* of the samples so far */
	/* the sample that is being read */
	VEC(u32) stack;
	u64 stack_frames;
	VEC(s64) values;
	VEC(struct profile_label) labels;
};

#define bad(r, ...) error_set((r)->err, -EBADMSG, __VA_ARGS__)
#define no_memory(r) error_set((r)->err, -ENOMEM, "not enough memory")

/* Calls `put` for each number that is a field of the message. */
static inline int pprof_numbers(struct pprof_reader *r, struct bytes message,
				int (*put)(struct pprof_reader *r, const struct field *f,
					   void *out),
				void *out)
{
	struct cursor c = cursor_over(message);
	struct field f;
	int ret = 0;

	while (!ret && next_field(&c, &f)) {
		if (is_number(&f))
			ret = put(r, &f, out);
	}
	return ret;
}

/* Sets the profile's number of the file's string, which is interned when it is first needed. */
int pprof_string(struct pprof_reader *r, u64 index, string_id *out) MUST_CHECK;
/* Call it once all tables have been read (pprof_samples.c). */
int pprof_read_samples(struct pprof_reader *r) MUST_CHECK;

#endif
