/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the system calls of x86-64: see syscall_site.h. */
#include "arch/syscall_site.h"

#include <string.h>

#include "../../../bpf/arch/x86/syscalls.h"

#define RAX 0 /* by DWARF number: the number of the call, and its result */
#define ARGUMENTS (1u << 5 | 1u << 4 | 1u << 1 | 1u << 10) /* rdi, rsi, rdx, r10 */
#define NUMBER_INSN 5 /* mov $number,%eax */
#define BEFORE_MAX 40 /* bytes between that and the call */
#define AFTER_MAX 4 /* instructions after the call */
#define SYSCALL_INSN 2

static bool goes_on(const struct arch_insn *insn)
{
	return insn->flow == INSN_GOES_ON && !insn->ends_line && !insn->enters_kernel;
}

/* Whether the instructions from `from` on lead to `to` and keep rax. */
static bool leads_to(struct bytes code, size_t from, size_t to, u64 vaddr)
{
	struct arch_insn insn;

	for (size_t at = from; at < to; at += insn.length) {
		struct bytes rest = {code.data + at, to - at};

		if (!arch_insn_decode(rest, vaddr + at, &insn) || !goes_on(&insn) ||
		    insn.written & 1u << RAX)
			return false;
	}
	return true;
}

static bool number_before(struct bytes code, size_t call, u64 vaddr, u32 *number)
{
	for (size_t back = NUMBER_INSN; back <= BEFORE_MAX && back <= call; back++) {
		const u8 *at = code.data + call - back;

		if (at[0] != 0xb8 || at[3] || at[4])
			continue;
		if (!leads_to(code, call - back + NUMBER_INSN, call, vaddr))
			continue;
		*number = at[1] | (u32)at[2] << 8;
		return true;
	}
	return false;
}

/* Finds the cheapest place where result and arguments are as the kernel left them. */
static bool place_after(struct bytes code, size_t after, u64 vaddr, u32 kernel,
			struct syscall_site *out)
{
	bool found = false;
	size_t at = after;

	for (u32 i = 0; i < AFTER_MAX && at < code.len; i++) {
		struct bytes rest = {code.data + at, code.len - at};
		enum probe_cost cost;
		struct arch_insn insn;

		if (!arch_insn_decode(rest, vaddr + at, &insn) || insn.enters_kernel)
			break;
		if (arch_probe_cost(&insn, false, kernel, &cost) && (!found || cost < out->cost)) {
			out->offset = at;
			out->cost = cost;
			found = true;
		}
		if (!goes_on(&insn) || insn.written & (1u << RAX | ARGUMENTS) ||
		    (found && out->cost == PROBE_COST_EMULATED))
			break;
		at += insn.length;
	}
	return found;
}

int arch_syscall_sites(struct bytes code, u64 vaddr, u32 kernel,
		       int (*found)(void *arg, const struct syscall_site *site), void *arg)
{
	static const u8 insn[SYSCALL_INSN] = {0x0f, 0x05};
	size_t at = 0;
	int err = 0;

	while (!err && at < code.len) {
		const u8 *hit = memmem(code.data + at, code.len - at, insn, sizeof(insn));
		struct syscall_site site;

		if (!hit)
			break;
		at = (size_t)(hit - code.data);
		if (number_before(code, at, vaddr, &site.number) &&
		    place_after(code, at + SYSCALL_INSN, vaddr, kernel, &site))
			err = found(arg, &site);
		at += SYSCALL_INSN;
	}
	return err;
}

/* Those that receive descriptors from others (recvmsg) are not among them. */
bool arch_syscall_opens(u32 number)
{
	static const u32 openers[] = {
		SYS_OPEN,
		SYS_OPENAT,
		SYS_OPENAT2,
		SYS_CREAT,
		SYS_OPEN_BY_HANDLE_AT,
		SYS_SOCKET,
		SYS_SOCKETPAIR,
		SYS_ACCEPT,
		SYS_ACCEPT4,
		SYS_PIPE,
		SYS_PIPE2,
		SYS_DUP,
		SYS_DUP2,
		SYS_DUP3,
		SYS_FCNTL,
		SYS_EPOLL_CREATE,
		SYS_EPOLL_CREATE1,
		SYS_EVENTFD,
		SYS_EVENTFD2,
		SYS_TIMERFD_CREATE,
		SYS_SIGNALFD,
		SYS_SIGNALFD4,
		SYS_INOTIFY_INIT,
		SYS_INOTIFY_INIT1,
		SYS_FANOTIFY_INIT,
		SYS_MEMFD_CREATE,
		SYS_PIDFD_OPEN,
		SYS_PIDFD_GETFD,
		SYS_MQ_OPEN,
		SYS_PERF_EVENT_OPEN,
		SYS_IO_URING_SETUP,
		SYS_USERFAULTFD,
	};

	for (size_t i = 0; i < ARRAY_LEN(openers); i++) {
		if (openers[i] == number)
			return true;
	}
	return false;
}
