/* SPDX-License-Identifier: Apache-2.0 */
/* Has two functions that do nothing, on which the cost of a probe is measured. */
#ifndef CPROF_ARCH_PROBE_TRIAL_H
#define CPROF_ARCH_PROBE_TRIAL_H

/* Its first instruction is one that every kernel emulates if it has a probe. */
void arch_trial_emulated(void);
/* Its first instruction is one that every kernel executes in a single step. */
void arch_trial_stepped(void);

#endif
