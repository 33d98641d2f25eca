/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the processes of a recording: see target_list.h. */
#include "collect/session/target_list.h"

#include "base/bpf_shared.h"
#include "collect/session/map_walk.h"
#include "target/pid_space.h"

static int add(void *arg, const void *key, const void *value)
{
	const struct target_process *process = value;
	pid_vec *out = arg;
	pid_t tgid;

	return pid_from_proc(process->tgid, &tgid) ? 0 : vec_push(out, tgid);
}

int target_list(int targets_fd, pid_vec *out)
{
	out->len = 0;
	return map_walk(&(struct map_walk){.fd = targets_fd,
					   .key_size = sizeof(struct global_pid),
					   .value_size = sizeof(struct target_process),
					   .entry = add,
					   .arg = out});
}
