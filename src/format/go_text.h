/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what Go adds to its text profiles (?debug=1) in comments after each stack: the names of its
 * addresses and its labels.
 *
 *   #	0x43d5c4	main.work+0x24	/src/main.go:17
 *   # labels: {"user":"a"}
 */
#ifndef CPROF_FORMAT_GO_TEXT_H
#define CPROF_FORMAT_GO_TEXT_H

#include "format/address_samples.h"

struct go_names {
	size_t first; /* in the names of the samples */
	bool open;
};

/* Reads a line that begins with '#'. Comments of other forms are ignored. */
int go_names_line(struct go_names *n, struct address_samples *a, struct cursor line) MUST_CHECK;
/* Ends the names of a stack; does nothing if there were none. */
void go_names_end(struct go_names *n, struct address_samples *a);

#endif
