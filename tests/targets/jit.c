/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A just-in-time compiler of two functions. jit_outer calls jit_inner, and both keep frame
 * pointers; only /tmp/perf-PID.map has their names. jit_inner spends half of the time in a call
 * back into C.
 *
 *   jit          keeps the code in anonymous memory
 *   jit memfd    keeps it in a file without a name, each function of which is mapped apart, as
 *                .NET does so that no memory is both writable and executable
 *   jit dump     writes jit-PID.dump instead of a perf map, in which jit_inner has two lines, and
 *                maps it as writers do so that profilers find it
 */
#include "target.h"

#include <stdint.h>
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

struct code {
	/* where the functions are written and executed; jit_inner may use INNER_AT bytes */
	unsigned char *outer, *inner;
	const unsigned char *run_outer, *run_inner;
};

static void compile(const struct code *c)
{
	static const unsigned char enter[] = {0x55, 0x48, 0x89, 0xe5}; /* push rbp; mov rbp, rsp */
	static const unsigned char leave[] = {0x5d, 0xc3}; /* pop rbp; ret */
	static const unsigned char load[] = {0x48, 0xb8}; /* movabs rax, imm64 */
	static const unsigned char call[] = {0xff, 0xd0}; /* call rax */
	/* mov ecx, 1000000; 1: dec ecx; jnz 1b */
	static const unsigned char loop[] = {0xb9, 0x40, 0x42, 0x0f, 0x00, 0xff, 0xc9, 0x75, 0xfc};
	unsigned char *at = c->outer;
	void (*back)(void) = called_back;

	at = emit(at, enter, sizeof(enter));
	at = emit(at, load, sizeof(load));
	at = emit(at, &c->run_inner, sizeof(c->run_inner));
	at = emit(at, call, sizeof(call));
	emit(at, leave, sizeof(leave));

	at = emit(c->inner, enter, sizeof(enter));
	at = emit(at, loop, sizeof(loop));
	at = emit(at, load, sizeof(load));
	at = emit(at, &back, sizeof(back));
	at = emit(at, call, sizeof(call));
	emit(at, leave, sizeof(leave));
}

static void name(const struct code *c, char *path, size_t size)
{
	FILE *map;

	snprintf(path, size, "/tmp/perf-%d.map", getpid());
	unlink(path); /* It may be left over from a killed process with this PID. */
	map = fopen(path, "wx");
	if (!map)
		exit(1);
	fprintf(map, "%lx %x jit_outer\n", (unsigned long)c->run_outer, INNER_AT);
	fprintf(map, "%lx %x jit_inner with spaces\n", (unsigned long)c->run_inner, INNER_AT);
	fclose(map);
}

static unsigned char *map(void *at, size_t len, int protection, int fd, off_t offset)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *memory = mmap(at, len, protection, flags | (at ? MAP_FIXED : 0), fd, offset);

	if (memory == MAP_FAILED)
		exit(1);
	return memory;
}

static void put(FILE *f, const void *data, size_t len)
{
	fwrite(data, 1, len, f);
}

static void dump_function(FILE *f, const unsigned char *run, const unsigned char *code,
			  unsigned long index, const char *function)
{
	const size_t len = strlen(function) + 1;
	const unsigned prefix[] = {0, (unsigned)(56 + len + INNER_AT), 0, 0};
	const unsigned long fields[] = {0, (unsigned long)run, (unsigned long)run, INNER_AT, index};

	put(f, prefix, sizeof(prefix));
	put(f, fields, sizeof(fields));
	put(f, function, len);
	put(f, code, INNER_AT);
}

/* jit_inner has lines 5 and, from its loop on, 6. */
static void dump_lines(FILE *f, const unsigned char *run)
{
	static const char file[] = "/src/inner.jit", same[] = "\xff";
	const unsigned prefix[] = {2, 32 + 2 * 16 + sizeof(file) + sizeof(same), 0, 0};
	const unsigned long fields[] = {(unsigned long)run, 2};
	const unsigned long at[] = {(unsigned long)run, (unsigned long)run + 4};
	const unsigned lines[2][2] = {{5, 0}, {6, 0}};

	put(f, prefix, sizeof(prefix));
	put(f, fields, sizeof(fields));
	put(f, &at[0], sizeof(at[0]));
	put(f, lines[0], sizeof(lines[0]));
	put(f, file, sizeof(file));
	put(f, &at[1], sizeof(at[1]));
	put(f, lines[1], sizeof(lines[1]));
	put(f, same, sizeof(same));
}

static void dump(const struct code *c, char *path, size_t size)
{
	const unsigned header[] = {0x4a695444, 1, 40, 62, 0, (unsigned)getpid(), 0, 0, 0, 0};
	FILE *f;

	snprintf(path, size, "/tmp/jit-%d.dump", getpid());
	unlink(path);
	f = fopen(path, "wx+");
	if (!f)
		exit(1);
	put(f, header, sizeof(header));
	dump_function(f, c->run_outer, c->outer, 1, "jit_outer");
	dump_lines(f, c->run_inner);
	dump_function(f, c->run_inner, c->inner, 2, "jit_inner with spaces");
	fflush(f);
	map(NULL, 4096, PROT_READ | PROT_EXEC, fileno(f), 0);
}

static NOINLINE void run_jit(void (*code)(void))
{
	code();
	NO_TAIL_CALL();
}

static struct code in_anonymous_memory(void)
{
	unsigned char *memory = map(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, -1, 0);

	return (struct code){memory, memory + INNER_AT, memory, memory + INNER_AT};
}

/* The order of the functions in memory is not that in the file. */
static struct code in_memfd(void)
{
	unsigned char *region = map(NULL, 32768, PROT_NONE, -1, 0), *writable;
	int fd = memfd_create("doublemapper", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 8192))
		exit(1);
	writable = map(NULL, 8192, PROT_READ | PROT_WRITE, fd, 0);
	return (struct code){writable, writable + 4096,
			     map(region + 20480, 4096, PROT_READ | PROT_EXEC, fd, 0),
			     map(region + 4096, 4096, PROT_READ | PROT_EXEC, fd, 4096)};
}

int main(int argc, char **argv)
{
	struct code code = argc > 1 && !strcmp(argv[1], "memfd") ? in_memfd()
								 : in_anonymous_memory();
	char path[64];

	compile(&code);
	if (argc > 1 && !strcmp(argv[1], "dump"))
		dump(&code, path, sizeof(path));
	else
		name(&code, path, sizeof(path));
	target_ready();
	while (!target_stop)
		run_jit((void (*)(void))(uintptr_t)code.run_outer);
	unlink(path);
	return 0;
}
