/* SPDX-License-Identifier: Apache-2.0 */
/* Declares BPF_LINK_CREATE for uprobes as include/uapi/linux/bpf.h has it since 6.6 and 6.13,
 * because Debian 12's is older. */
#ifndef CPROF_COLLECT_UPROBE_LINK_H
#define CPROF_COLLECT_UPROBE_LINK_H

#include "base/types.h"

#define UPROBE_ATTACH_MULTI 48
#define UPROBE_ATTACH_SESSION 57

struct uprobe_link_create {
	u32 prog_fd, target_fd, attach_type, flags;
	u64 path, offsets, ref_ctr_offsets, cookies;
	u32 cnt, multi_flags, pid, pad;
};

#endif
