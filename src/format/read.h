/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads profiles from files: pprof (protobuf, gzipped or not), folded text and the formats of
 * gperftools, told apart by their content. Files may come from anybody, so sizes are bounded, and
 * contradictory contents are refused with one line that says what is wrong.
 */
#ifndef CPROF_FORMAT_READ_H
#define CPROF_FORMAT_READ_H

#include "base/bytes.h"
#include "base/error.h"
#include "profile/profile.h"

/* "-" is the standard input. Errors begin with "cannot read PATH: ". */
int format_read_file(const char *path, struct profile **out, struct error *err) MUST_CHECK;

/* Does the same for bytes; errors do not contain a path. */
int format_read_bytes(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;

/* Each reads one form from bytes that are already inflated. */
int pprof_read(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;
int folded_read(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;

/* These profiles have no names: see symbol/symbolize_files.h. */
bool gperftools_is_cpu(struct bytes data);
bool gperftools_is_heap(struct bytes data);
int gperftools_read_cpu(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;
int gperftools_read_heap(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;

/* Inflates all members of gzip data (RFC 1952). The caller frees *out. */
int gunzip(struct bytes data, u8 **out, size_t *len, struct error *err) MUST_CHECK;

#endif
