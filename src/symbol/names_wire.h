/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol between cprof and the process that names addresses for it (names_process.h). Data
 * from that process is checked, because the file that it reads may have taken it over.
 */
#ifndef CPROF_SYMBOL_NAMES_WIRE_H
#define CPROF_SYMBOL_NAMES_WIRE_H

#include "base/budget.h"
#include "base/bytes.h"
#include "base/readers.h"
#include "base/vec.h"
#include "symbol/module_names.h"

/* Sent to the process, followed by `n` addresses. */
struct names_request {
	/* it is at the same address there, where it has been since the fork */
	struct module *module;
	u64 n;
	u64 cpu_ns, time_ns; /* struct budget_watch */
	u32 symbols_only; /* module_names_from_symbols() */
	u32 pad;
};

/* Sent by the process at the end of a request. */
struct names_finish {
	int err;
	u32 has_dwarf;
	char unread[MODULE_NAMES_UNREAD]; /* struct module_names_info */
	u64 grown_kb; /* the most by which the process has ever been larger than at its start */
	struct budget budget; /* of the module's file */
	struct readers_unanswered unanswered;
};

/* Buffers bytes for a descriptor, which may block. */
struct names_writer {
	int fd;
	size_t len;
	u8 bytes[65536];
};

/* Returns 0 or a negative errno. */
int names_write_answer(struct names_writer *w, size_t which, enum name_source source,
		       const struct dwarf_frame *frames, u32 n) MUST_CHECK;
int names_write_finish(struct names_writer *w,
		       const struct names_finish *f) MUST_CHECK; /* flushes */

/* Holds what has arrived and has not been decoded yet. */
struct names_reader {
	VEC(u8) bytes;
	size_t at;
	struct dwarf_frame frames[DWARF_MAX_INLINES];
};

enum names_message { NAMES_INCOMPLETE, NAMES_ANSWER, NAMES_FINISH };

struct names_answer {
	size_t which;
	enum name_source source;
	const struct dwarf_frame *frames; /* borrowed until the next message */
	u32 n;
};

/* Makes space and appends what a read() gives. Returns 0 at the end, or a negative errno. */
ssize_t names_read(struct names_reader *r, int fd) MUST_CHECK;
/* Returns an enum names_message, or -EBADMSG. */
int names_next(struct names_reader *r, struct names_answer *answer, struct names_finish *finish);
void names_reader_release(struct names_reader *r);

#endif
