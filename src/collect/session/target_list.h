/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that the BPF programs of a recording take for its target, children included. */
#ifndef CPROF_COLLECT_TARGET_LIST_H
#define CPROF_COLLECT_TARGET_LIST_H

#include "target/process.h"

/*
 * Replaces what is in `out` by the processes of the map `targets`, those that cprof can reach. One that begins
 * or ends meanwhile may be in it or not. 0 or a negative errno; `out` holds what was read until then.
 */
int target_list(int targets_fd, pid_vec *out) MUST_CHECK;

#endif
