/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles from files: pprof (protobuf, gzipped or not), folded text and what gperftools writes, told apart by
 * content. Files are
 * anybody's, so sizes are bounded, and what contradicts itself is refused with one line that says what.
 */
#ifndef CPROF_FORMAT_READ_H
#define CPROF_FORMAT_READ_H

#include "base/bytes.h"
#include "base/error.h"
#include "profile/profile.h"

/* "-" is standard input. Errors begin with "cannot read PATH: ". */
int format_read_file(const char *path, struct profile **out, struct error *err) MUST_CHECK;

/* The same for bytes; errors have no path. */
int format_read_bytes(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;

/* One form each; the bytes are inflated already. */
int pprof_read(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;
int folded_read(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;

/* Without names: see symbol/symbolize_files.h. */
bool gperftools_is_cpu(struct bytes data);
bool gperftools_is_heap(struct bytes data);
int gperftools_read_cpu(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;
int gperftools_read_heap(struct bytes data, struct profile **out, struct error *err) MUST_CHECK;

/* gzip (RFC 1952), all members. The caller frees *out. */
int gunzip(struct bytes data, u8 **out, size_t *len, struct error *err) MUST_CHECK;

#endif
