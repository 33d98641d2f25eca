/* SPDX-License-Identifier: Apache-2.0 */
/* Has the state at a call (System V psABI 3.2.2): see call_frames.h. */
#include "arch/call_frames.h"

const struct arch_entry_frame arch_entry_frame = {.cfa_off = 8, .ra_off = -8};
