/* SPDX-License-Identifier: Apache-2.0 */
/* User space's function to bpf/shared.h: brings the integer types that the kernel side has by itself. */
#ifndef CPROF_BASE_BPF_SHARED_H
#define CPROF_BASE_BPF_SHARED_H

#include "base/types.h"
#include "../../bpf/shared.h"

/* Why a stack ended, as users read it; `end` is an enum stack_end. */
const char *stack_end_text(u32 end);
const char *wait_cause_text(u32 cause); /* enum wait_cause: "lock" */
const char *wait_outcome_text(u32 outcome); /* enum wait_outcome: "acquired" */

#endif
