/* SPDX-License-Identifier: Apache-2.0 */
/* Sets up the programs and maps of a heap recording before they are loaded. */
#ifndef CPROF_COLLECT_HEAP_LOAD_H
#define CPROF_COLLECT_HEAP_LOAD_H

#include "base/bpf_shared.h"
#include "collect/heap/heap_options.h"
#include "collect/probe/uprobe.h"
#include "heap.skel.h"

struct heap_load {
	const struct heap_options *own;
	bool follow; /* follow blocks until they are freed */
	bool sampler; /* a command preloads one */
	u32 ring; /* bytes of the ring of records, unless a low rate asks for more */
	enum uprobe_way way; /* in which programs will be attached */
};

/* Chooses programs, their settings, and the sizes of maps. Call it between open and load. Returns 0
 * or a negative errno. */
int heap_load_choose(struct heap_bpf *skel, const struct heap_load *l) MUST_CHECK;

#endif
