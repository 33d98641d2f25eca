/* SPDX-License-Identifier: Apache-2.0 */
/* The process that downloads: the other side of debuginfod.h. */
#ifndef CPROF_SYMBOL_DEBUGINFOD_CLIENT_H
#define CPROF_SYMBOL_DEBUGINFOD_CLIENT_H

#include "elf/elf_file.h"

struct debuginfod_request {
	u32 number;
	struct build_id id;
};

/* Answers come with up to two descriptors: the file and its supplementary file. */
struct debuginfod_answer {
	u32 number;
	u32 done; /* if it is 0, the file is being received */
	s32 err;
	u32 nfds;
	u64 received, size;
};

/* Serves requests that come as messages on `sock`, one after the other, until it is closed. */
void debuginfod_serve(const char *urls, int sock);

#endif
