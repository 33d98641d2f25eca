/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A just-in-time compiler of two functions. jit_outer calls jit_inner, and both keep frame
 * pointers; only /tmp/perf-PID.map has their names. jit_inner spends half of the time in a call
 * back into C.
 */
#include "target.h"

#include <sys/mman.h>

#define INNER_AT 64

static NOINLINE void called_back(void)
{
	TARGET_SPIN(1000000);
}

static unsigned char *emit(unsigned char *at, const void *code, size_t len)
{
	memcpy(at, code, len);
	return at + len;
}

static void compile(unsigned char *memory)
{
	static const unsigned char enter[] = {0x55, 0x48, 0x89, 0xe5}; /* push rbp; mov rbp, rsp */
	static const unsigned char leave[] = {0x5d, 0xc3}; /* pop rbp; ret */
	static const unsigned char load[] = {0x48, 0xb8}; /* movabs rax, imm64 */
	static const unsigned char call[] = {0xff, 0xd0}; /* call rax */
	/* mov ecx, 1000000; 1: dec ecx; jnz 1b */
	static const unsigned char loop[] = {0xb9, 0x40, 0x42, 0x0f, 0x00, 0xff, 0xc9, 0x75, 0xfc};
	unsigned char *inner = memory + INNER_AT, *at = memory;
	void (*back)(void) = called_back;

	at = emit(at, enter, sizeof(enter));
	at = emit(at, load, sizeof(load));
	at = emit(at, &inner, sizeof(inner));
	at = emit(at, call, sizeof(call));
	emit(at, leave, sizeof(leave));

	at = emit(inner, enter, sizeof(enter));
	at = emit(at, loop, sizeof(loop));
	at = emit(at, load, sizeof(load));
	at = emit(at, &back, sizeof(back));
	at = emit(at, call, sizeof(call));
	emit(at, leave, sizeof(leave));
}

static void name(const unsigned char *memory, char *path, size_t size)
{
	FILE *map;

	snprintf(path, size, "/tmp/perf-%d.map", getpid());
	unlink(path); /* It may be left over from a killed process with this PID. */
	map = fopen(path, "wx");
	if (!map)
		exit(1);
	fprintf(map, "%lx %x jit_outer\n", (unsigned long)memory, INNER_AT);
	fprintf(map, "%lx %x jit_inner with spaces\n", (unsigned long)memory + INNER_AT, INNER_AT);
	fclose(map);
}

static NOINLINE void run_jit(void (*code)(void))
{
	code();
	NO_TAIL_CALL();
}

int main(void)
{
	unsigned char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[64];

	if (memory == MAP_FAILED)
		return 1;
	compile(memory);
	name(memory, path, sizeof(path));
	target_ready();
	while (!target_stop)
		run_jit((void (*)(void))memory);
	unlink(path);
	return 0;
}
