/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that read profiles share: loading, and where results go. */
#ifndef CPROF_CMD_VIEWING_H
#define CPROF_CMD_VIEWING_H

#include "format/format.h"
#include "options.h"
#include "terminal.h"

/* Reads file number `i` of the command line; NULL after it has printed the reason. */
struct profile *viewing_load(const struct options *o, size_t i, struct terminal *t);

/* Removes from the profile what --focus and similar options leave out; returns an enum
 * cprof_exit. */
int viewing_filter(const struct options *o, struct profile *p, struct terminal *t);

/* Writes as -o and -f say, with a base to compare with (or NULL); returns an enum cprof_exit. */
int viewing_write(const struct options *o, const struct profile *p, const struct profile *base,
		  struct terminal *t);

/* Returns the standard output as a sink. */
struct sink viewing_stdout(void);

/* Prints the error, unless the reader of our output has left; returns an enum cprof_exit. */
int viewing_failed(struct terminal *t, int code, const struct error *err);

#endif
