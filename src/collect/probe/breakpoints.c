/* SPDX-License-Identifier: Apache-2.0 */
/* Finds breakpoints in the code of a process: see breakpoints.h. */
#include "collect/probe/breakpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "target/process.h"

#define TRAMPOLINE "[uprobes-trampoline]"
#define STEP_NS 1000000

u64 breakpoints_deadline(u32 timeout_ms)
{
	return monotonic_ns() + (u64)timeout_ms * 1000000;
}

int breakpoints_open(struct breakpoints *b, pid_t tgid, const map_vec *maps)
{
	char path[PROCESS_PATH_MAX];

	*b = (struct breakpoints){.memory = -1};
	vec_for_each(maps, e) {
		if (strcmp(e->path, TRAMPOLINE) != 0)
			continue;
		b->trampoline = (struct probe_trampoline){e->start, e->end};
	}
	process_path(tgid, "mem", path);
	b->memory = open(path, O_RDONLY | O_CLOEXEC);
	return b->memory < 0 ? -errno : 0;
}

void breakpoints_release(struct breakpoints *b)
{
	vec_release(&b->addresses);
	if (b->memory >= 0)
		close(b->memory);
	b->memory = -1;
}

u32 breakpoints_replaced(const struct breakpoints *b, u64 address, const u8 *memory, const u8 *file,
			 size_t len)
{
	return arch_probe_replaced((struct bytes){memory, len}, file, address, &b->trampoline);
}

static bool is_probed(const struct breakpoints *b, u64 address)
{
	u8 code[ARCH_PROBE_BYTES_MAX];
	ssize_t got = pread(b->memory, code, sizeof(code), (off_t)address);

	return got > 0 && /* otherwise it has been unmapped */
	       arch_probe_bytes((struct bytes){code, (size_t)got}, address, &b->trampoline);
}

static u32 count(const struct breakpoints *b)
{
	u32 n = 0;

	vec_for_each(&b->addresses, address)
		n += is_probed(b, *address);
	return n;
}

u32 breakpoints_wait_gone(const struct breakpoints *b, u64 deadline_ns)
{
	const struct timespec step = {.tv_nsec = STEP_NS};
	u32 left;

	while ((left = count(b)) && monotonic_ns() < deadline_ns)
		nanosleep(&step, NULL);
	return left;
}
