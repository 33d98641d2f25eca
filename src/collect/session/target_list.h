/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the processes that the BPF programs of a recording count as its target, including
 * children. */
#ifndef CPROF_COLLECT_TARGET_LIST_H
#define CPROF_COLLECT_TARGET_LIST_H

#include "target/process.h"

/*
 * Replaces the contents of `out` by the processes of the map `targets` that cprof can reach. A
 * process that begins or ends meanwhile may be in it or not. Returns 0 or a negative errno; `out`
 * holds what was read until then.
 */
int target_list(int targets_fd, pid_vec *out) MUST_CHECK;

#endif
