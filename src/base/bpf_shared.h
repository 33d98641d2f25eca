/* SPDX-License-Identifier: Apache-2.0 */
/* Includes bpf/shared.h in user space with the integer types that the kernel side already has. */
#ifndef CPROF_BASE_BPF_SHARED_H
#define CPROF_BASE_BPF_SHARED_H

#include "base/types.h"
#include "../../bpf/shared.h"

/* Returns why a stack ended, as users read it; `end` is an enum stack_end. */
const char *stack_end_text(u32 end);
/* Returns what an enum sample_stat counts, such as "samples of the target". */
const char *sample_stat_text(u32 stat);
/* Returns the text of an enum wait_cause, such as "lock". */
const char *wait_cause_text(u32 cause);
/* Returns the text of an enum wait_outcome, such as "acquired". */
const char *wait_outcome_text(u32 outcome);

#endif
