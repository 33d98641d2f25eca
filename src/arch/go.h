/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says how Go's compiler lays out frames, and reads from the code of Go's runtime where that
 * runtime keeps what the walker needs to follow a switch of stacks (enum unwind_go).
 */
#ifndef CPROF_ARCH_GO_H
#define CPROF_ARCH_GO_H

#include "base/bpf_shared.h"
#include "base/bytes.h"

/* Returns the rule of a Go function whose frame has `size` bytes (the stack pointer's distance from
 * its value at the entry); UNWIND_CFA_NONE if there can be no such frame. */
struct unwind_rule arch_go_rule(s64 size);

/* Returns whether it is a rule as the above, or as call frame information has it there. */
bool arch_is_go_rule(const struct unwind_rule *rule);

/*
 * The following read the code of runtime.systemstack, runtime.asmcgocall and crosscall2. Results
 * are offsets, 0 if the code does not show them; false if this is not the function.
 */

/* Gives that of g from the thread pointer, and that of curg in m. */
bool arch_go_systemstack(struct bytes code, s16 *tls, s16 *curg);
/* Gives that of g in the function's frame. */
bool arch_go_asmcgocall(struct bytes code, s16 *slot);
/* Returns that of C's frame pointer from the CFA. */
s16 arch_go_saved_fp(struct bytes code);

#endif
