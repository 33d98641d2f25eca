/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells whether a process still runs the code in its files. Places for probes are found in the
 * file, and the kernel executes a probed instruction as it is in the file. If a process has changed
 * its code (a hooking library, a live patch, text relocations), a breakpoint could be placed inside
 * an instruction, and the kernel would execute another instruction than the process has there.
 * Either crashes the process.
 */
#ifndef CPROF_COLLECT_CODE_CHECK_H
#define CPROF_COLLECT_CODE_CHECK_H

#include "base/log.h"
#include "base/readers.h"
#include "target/maps.h"

struct code_span { /* of file offsets */
	u64 start, end;
};

typedef VEC(struct code_span) code_spans;

/* Appends what must be unchanged around a place for a probe. Returns 0 or -ENOMEM. */
int code_spans_add_place(code_spans *spans, u64 offset) MUST_CHECK;

/*
 * Compares these parts of the file behind `file`, wherever the process maps it executable, with the
 * memory of the process. Breakpoints of probes do not count as changes. Returns whether all is
 * equal; if not, it reports to `log` that no probes are set there. What cannot be compared counts
 * as changed, unless the process has ended.
 */
bool code_is_unchanged(struct readers *readers, const struct log *log, pid_t tgid,
		       const map_vec *maps, const struct map_entry *file, const code_spans *spans);

#endif
