/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves its text to memory without its file, at the same addresses, as servers do that want it on
 * huge pages. `moved WHAT HOW`, where WHAT is
 *
 *   all      the whole executable segment
 *   part     only the pages of the innermost function
 *   library  the executable segment of libmoved.so, which has the same functions
 *   hole     nothing; but generated code replaces a page of the text that is not used
 *
 * and HOW is `anonymous`, `memfd`, or `late`, which is anonymous memory as well, but only after a
 * second of CPU time.
 */
#include "target.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define HOT __attribute__((section("hot")))

static volatile uint64_t sink;

NOINLINE HOT __attribute__((aligned(4096))) void moved_leaf(long n)
{
	TARGET_SPIN(n);
}

/* The next function has pages of its own. */
NOINLINE HOT __attribute__((aligned(4096))) void moved_middle(long n)
{
	volatile uint64_t room[7];

	for (int i = 0; i < 7; i++) {
		moved_leaf(n);
		room[i] = (uint64_t)i;
	}
	sink = room[n % 7];
}

NOINLINE HOT void moved_outer(long n)
{
	moved_middle(n);
	NO_TAIL_CALL();
}

#ifndef LIBRARY
/* A page of code that nobody calls. */
__asm__(".pushsection hot, \"ax\", @progbits\n"
	".p2align 12\n"
	".type unused_page, @function\n"
	"unused_page:\n"
	".rept 1024\n"
	"mov $0x12, %al\n"
	"inc %rax\n"
	"ret\n"
	".endr\n"
	".p2align 12\n"
	".size unused_page, 4096\n"
	".popsection\n");
extern char unused_page[];

struct span {
	uintptr_t inside, start, end;
};

/* Finds the executable segment that has the address `inside`. */
static int find_segment(struct dl_phdr_info *info, size_t size UNUSED, void *arg)
{
	struct span *span = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || span->inside < start ||
		    span->inside >= start + p->p_memsz)
			continue;
		span->start = start & ~(PAGE - 1);
		span->end = (start + p->p_memsz + PAGE - 1) & ~(PAGE - 1);
		return 1;
	}
	return 0;
}

static void must(int true)
{
	if (!true) {
		perror("moved");
		exit(1);
	}
}

static void move(const struct span *span, int to_file)
{
	size_t len = span->end - span->start;
	int fd = to_file ? memfd_create("text", MFD_CLOEXEC) : -1;
	int flags = to_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	char *copy;

	must(!to_file || !ftruncate(fd, (off_t)len));
	copy = mmap(NULL, len, PROT_READ | PROT_WRITE | PROT_EXEC, flags, fd, 0);
	must(copy != MAP_FAILED);
	memcpy(copy, (void *)span->start, len);
	must(!mprotect(copy, len, PROT_READ | PROT_EXEC));
	must(mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)span->start) !=
	     MAP_FAILED);
}

/* The code keeps a frame pointer, and calls nothing. */
static void generate(void *page)
{
	/* push rbp; mov rbp, rsp; mov ecx, 1000000; 1: dec ecx; jnz 1b; pop rbp; ret */
	static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xb9, 0x40, 0x42, 0x0f,
					     0x00, 0xff, 0xc9, 0x75, 0xfc, 0x5d, 0xc3};
	void *at = mmap(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	must(at == page);
	memcpy(page, code, sizeof(code));
	must(!mprotect(page, PAGE, PROT_READ | PROT_EXEC));
}

static NOINLINE void run_code(void (*code)(void))
{
	code();
	NO_TAIL_CALL();
}

#ifdef STATIC
static void (*in_library(const char *program UNUSED))(long)
{
	exit(1);
}
#else
static void (*in_library(const char *program))(long)
{
	char path[4096];
	void *library;

	snprintf(path, sizeof(path), "%s", program);
	strcpy(strrchr(path, '/') + 1, "libmoved.so");
	library = dlopen(path, RTLD_NOW);
	if (!library)
		exit(1);
	return (void (*)(long))(uintptr_t)dlsym(library, "moved_outer");
}
#endif

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *how = argc > 2 ? argv[2] : "";
	void (*work)(long) = strcmp(what, "library") ? moved_outer : in_library(argv[0]);
	struct span span = {.inside = (uintptr_t)work};
	int late = !strcmp(how, "late");

	must(dl_iterate_phdr(find_segment, &span));
	if (!strcmp(what, "part"))
		span = (struct span){.start = (uintptr_t)moved_leaf,
				     .end = (uintptr_t)moved_leaf + PAGE};
	if (!strcmp(what, "hole"))
		generate(unused_page);
	else if (!late)
		move(&span, !strcmp(how, "memfd"));
	target_ready();
	while (!target_stop) {
		if (!strcmp(what, "hole"))
			run_code((void (*)(void))(uintptr_t)unused_page);
		work(20000);
		if (late && target_clock(CLOCK_PROCESS_CPUTIME_ID) > 1) {
			move(&span, 0);
			late = 0;
		}
	}
	return 0;
}
#endif
