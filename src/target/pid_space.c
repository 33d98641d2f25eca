/* SPDX-License-Identifier: Apache-2.0 */
/* Converts between the numbers of PID namespaces: see pid_space.h. */
#include "target/pid_space.h"

#include <errno.h>

int pid_from_proc(struct proc_pid from, pid_t *out)
{
	/* In kill(2), process_vm_readv(2) and perf_event_open(2) a 0 would mean the caller
	 * itself. */
	if (!from.nr || from.nr > INT32_MAX)
		return -ESRCH;
	*out = (pid_t)from.nr;
	return 0;
}

struct proc_pid pid_to_proc(pid_t pid)
{
	return (struct proc_pid){(u32)pid};
}
