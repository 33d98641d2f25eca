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

#define CALL 0xe8
#define CALL_LEN 5
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
		b->trampoline = e->start;
		b->trampoline_end = e->end;
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

static bool is_call(const struct breakpoints *b, u64 address, const u8 *code, size_t len)
{
	s32 distance;
	u64 destination;

	if (len < CALL_LEN || code[0] != CALL)
		return false;
	memcpy(&distance, code + 1, sizeof(distance));
	destination = address + CALL_LEN + (u64)(s64)distance;
	return destination >= b->trampoline && destination < b->trampoline_end;
}

u32 breakpoints_replaced(const struct breakpoints *b, u64 address, const u8 *memory, const u8 *file,
			 size_t len)
{
	static const u8 nop5[CALL_LEN] = {0x0f, 0x1f, 0x44, 0x00, 0x00};

	if (len >= CALL_LEN && !memcmp(file, nop5, CALL_LEN) && is_call(b, address, memory, len))
		return CALL_LEN;
	return memory[0] == BREAKPOINT;
}

static bool is_probed(const struct breakpoints *b, u64 address)
{
	u8 code[CALL_LEN];
	ssize_t got = pread(b->memory, code, sizeof(code), (off_t)address);

	return got > 0 && /* otherwise it has been unmapped */
	       (code[0] == BREAKPOINT || is_call(b, address, code, (size_t)got));
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
