/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads profiles from files: pprof (protobuf, gzipped or not), folded text, and the formats that
 * pprof's readers of older files take, told apart by their content. Files may come from anybody, so
 * sizes are bounded, and contradictory contents are refused with one line that says what the file
 * was recognised as and what is wrong.
 */
#ifndef CPROF_FORMAT_READ_H
#define CPROF_FORMAT_READ_H

#include "base/bytes.h"
#include "base/error.h"
#include "profile/profile.h"

/* What was left out of a profile that could be read. */
struct read_notes {
	u64 lines_left_out; /* of folded text: lines that do not end in a count */
	u64 first_left_out; /* the number of the first of them, from 1 */
};

/* "-" is the standard input. Errors begin with "cannot read PATH: ". `notes` may be NULL. */
int format_read_file(const char *path, struct read_notes *notes, struct profile **out,
		     struct error *err) MUST_CHECK;

/* Does the same for bytes; errors do not contain a path. */
int format_read_bytes(struct bytes data, struct read_notes *notes, struct profile **out,
		      struct error *err) MUST_CHECK;

/* Each reads one form from bytes that are already inflated. Only folded text has notes. */
typedef int profile_reader(struct bytes data, struct read_notes *notes, struct profile **out,
			   struct error *err) MUST_CHECK;

profile_reader pprof_read, folded_read;
/* These have no names, or not all: see symbol/symbolize_files.h. */
profile_reader gperftools_read_cpu, heap_text_read, jemalloc_read, counts_text_read;
profile_reader contention_text_read, threadz_read, java_text_read;

/* Each looks at the beginning of the bytes. */
typedef bool profile_recognizer(struct bytes data);

profile_recognizer gperftools_is_cpu, heap_text_is, jemalloc_is, counts_text_is;
profile_recognizer contention_text_is, threadz_is, java_text_is;

#endif
