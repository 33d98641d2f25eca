/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads files within bounds, and inflates gzip data (RFC 1952) while it is read, so that a file is
 * never in memory in both forms.
 */
#ifndef CPROF_FORMAT_INPUT_H
#define CPROF_FORMAT_INPUT_H

#include "base/bytes.h"
#include "base/error.h"

struct input {
	u8 *data; /* owned */
	size_t len, cap;
};

void input_release(struct input *in);

/* "-" is the standard input. Errors are without the path. */
int input_load(struct input *in, const char *path, struct error *err) MUST_CHECK;

bool input_is_gzip(struct bytes data);
/* Inflates all members of gzip data that is in memory. */
int input_inflate(struct input *in, struct bytes data, struct error *err) MUST_CHECK;

#endif
