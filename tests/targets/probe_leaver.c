/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_leaver PID COUNT MS: a process attaches probes to COUNT places of this program in process
 * PID and is killed after that many milliseconds. If that happens in the middle of attaching, the
 * kernel leaves breakpoints there. probe_leaver PID COUNT hold keeps the probes until SIGTERM. The
 * target is probe_leaver without arguments, which only allocates a little.
 *
 * It exits with 77 if the kernel has no uprobe_multi links (6.6).
 */
#include "target.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PLACES 4000 /* push %rbx, pop %rbx */
#define STRIDE 2
#define UPROBE_MULTI 48 /* enum bpf_attach_type of Linux 6.6 */
#define SKIPPED 77

void places(void);
__asm__(".text\n"
	".globl places\n"
	".type places, @function\n"
	"places:\n"
	".rept 4000\n"
	"	push %rbx\n"
	"	pop %rbx\n"
	".endr\n"
	"	ret\n"
	".size places, . - places\n");

struct uprobe_multi_create { /* part of union bpf_attr */
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, pad;
};

static int load(void)
{
	static const char license[] = "GPL";
	const struct bpf_insn return_0[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
					    {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_KPROBE;
	attr.insn_cnt = 2;
	attr.insns = (uintptr_t)return_0;
	attr.license = (uintptr_t)license;
	attr.expected_attach_type = UPROBE_MULTI;
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* Returns where the places begin in this file. */
static uint64_t file_offset(void)
{
	unsigned long start, end, offset, address = (unsigned long)(uintptr_t)&places;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    address >= start && address < end) {
			fclose(maps);
			return address - start + offset;
		}
	}
	exit(1);
}

static int attach(int prog, int pid, int count)
{
	static uint64_t offsets[PLACES];
	struct uprobe_multi_create attr = {.prog_fd = (uint32_t)prog,
					   .attach_type = UPROBE_MULTI,
					   .path = (uintptr_t) "/proc/self/exe",
					   .offsets = (uintptr_t)offsets,
					   .cnt = (uint32_t)count,
					   .pid = (uint32_t)pid};
	uint64_t first = file_offset();

	for (int i = 0; i < count; i++)
		offsets[i] = first + (uint64_t)i * STRIDE;
	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* The kernel tries to undo a killed attachment in the thread that is being killed, and cannot. */
static int leave(int pid, int count, long ms)
{
	const struct timespec some = {.tv_nsec = ms * 1000000};
	pid_t child = fork();
	int status;

	if (!child) {
		int prog = load();

		if (prog < 0 || attach(prog, pid, count) < 0)
			_exit(SKIPPED);
		pause();
		_exit(1);
	}
	nanosleep(&some, NULL);
	kill(child, SIGKILL);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static int hold(int pid, int count)
{
	int prog = load(), link = prog < 0 ? -1 : attach(prog, pid, count);

	if (link < 0)
		return SKIPPED;
	target_ready();
	while (!target_stop)
		pause();
	return 0;
}

static int work(void)
{
	target_ready();
	while (!target_stop) {
		void *volatile p = malloc(100);

		free(p);
		places();
		usleep(1000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int pid = argc > 1 ? atoi(argv[1]) : 0, count = argc > 2 ? atoi(argv[2]) : 0;

	if (argc < 3)
		return work();
	if (count < 1 || count > PLACES)
		return 2;
	if (argc < 4)
		return 2;
	return !strcmp(argv[3], "hold") ? hold(pid, count) : leave(pid, count, atol(argv[3]));
}
