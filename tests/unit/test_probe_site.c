/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where probes go: rule by rule on hand-made code, then in real allocators, and then counted by the
 * kernel.
 */
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/probe/probe_site.h"
#include "elf/symbols.h"
#include "elf_fixture.h"
#include "unit.h"

#define RDI PROBE_ARG_0
#define CODE(...) ((struct bytes){(const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__})})

static const struct probe_request entry_of_rdi = {.args = RDI, .purpose = PROBE_ENTRY};
static const struct probe_request return_of_rdi = {.args = RDI, .purpose = PROBE_RETURN};

static struct probe_site choose(struct bytes code, const struct probe_request *request)
{
	struct probe_site site;

	CHECK_INT(probe_site_choose(code, 0x1000, code.len, request, &site), 0);
	return site;
}

static void check_site(struct bytes code, const struct probe_request *request, u32 offset,
		       enum probe_cost cost)
{
	struct probe_site site = choose(code, request);

	CHECK_INT(site.offset, offset);
	CHECK_INT(site.cost, cost);
	if (request->purpose == PROBE_RETURN)
		CHECK_INT(site.stack_bytes, 0);
}

static void check_refused(struct bytes code)
{
	struct probe_site site;

	CHECK_INT(probe_site_choose(code, 0x1000, code.len, &entry_of_rdi, &site), -ENOTSUP);
}

#define CHECK_EMULATED(...) check_site(CODE(__VA_ARGS__), &entry_of_rdi, 0, PROBE_COST_EMULATED)
#define CHECK_STEPPED(...) check_site(CODE(__VA_ARGS__), &entry_of_rdi, 0, PROBE_COST_STEPPED)

TEST(probe_site, knows_what_is_emulated)
{
	CHECK_EMULATED(0x50, 0xc3); /* push rax */
	CHECK_EMULATED(0x41, 0x54, 0xc3); /* push r12 */
	CHECK_EMULATED(0x90, 0xc3);
	CHECK_EMULATED(0xf3, 0x90, 0xc3); /* pause */
	CHECK_EMULATED(0x66, 0x90, 0xc3);
	CHECK_EMULATED(0xeb, 0x00, 0xc3);
	CHECK_EMULATED(0xe9, 0, 0, 0, 0, 0xc3);
	CHECK_EMULATED(0x74, 0x00, 0xc3);
	CHECK_EMULATED(0x0f, 0x8f, 0, 0, 0, 0, 0xc3);
}

TEST(probe_site, knows_what_is_stepped)
{
	CHECK_STEPPED(0xc3); /* ret */
	CHECK_STEPPED(0x48, 0x50, 0xc3); /* rex.w push rax: another length */
	CHECK_STEPPED(0x66, 0x50, 0xc3); /* push ax */
	CHECK_STEPPED(0xff, 0x37, 0xc3); /* push [rdi] */
	CHECK_STEPPED(0x48, 0x83, 0xec, 0x08, 0xc3); /* sub rsp, 8 */
	CHECK_STEPPED(0xff, 0xe0); /* jmp rax */
	CHECK_STEPPED(0xe3, 0x00, 0xc3); /* jrcxz */
	CHECK_STEPPED(0x0f, 0x1f, 0x40, 0x00, 0xc3); /* nop on older kernels */
}

TEST(probe_site, refuses_what_the_kernel_refuses)
{
	check_refused(CODE(0xcc, 0xc3));
	check_refused(CODE(0xcd, 0x80));
	check_refused(CODE(0xf4, 0xc3)); /* hlt */
	check_refused(CODE(0xe4, 0x01, 0xc3)); /* in */
	check_refused(CODE(0xef, 0xc3)); /* out */
	check_refused(CODE(0xfa, 0xc3)); /* cli */
	check_refused(CODE(0x0f, 0x05, 0xc3)); /* syscall */
	check_refused(CODE(0x0f, 0x0b)); /* ud2 */
	check_refused(CODE(0x66, 0xe9, 0, 0, 0, 0, 0xc3)); /* 16-bit jump */
	check_refused(CODE(0x3e, 0xff, 0xe0)); /* notrack jmp rax */
	check_refused(CODE(0x06)); /* no instruction */
}

/* If it were emulated, it would miss the shadow stack of a process that has one. */
TEST(probe_site, takes_calls_where_the_kernel_can)
{
	struct probe_request calls = {.args = RDI, .kernel = PROBE_KERNEL_CALLS};
	struct bytes code = CODE(0xe8, 0, 1, 0, 0, 0xc3);

	check_refused(code);
	check_site(code, &calls, 0, PROBE_COST_EMULATED);
	CHECK_INT(arch_probe_kernel(5, 15), PROBE_KERNEL_CALLS);
	CHECK_INT(arch_probe_kernel(6, 5), PROBE_KERNEL_CALLS);
	CHECK_INT(arch_probe_kernel(6, 6), PROBE_KERNEL_RETURNS_SHADOWED);
}

TEST(probe_site, goes_on_to_the_next_place)
{
	/* lock inc [rdi]; push rbx */
	check_site(CODE(0xf0, 0xff, 0x07, 0x53, 0x5b, 0xc3), &entry_of_rdi, 3, PROBE_COST_EMULATED);
	/* xchg r8, rax, taken for a nop by older kernels; ret */
	check_site(CODE(0x41, 0x90, 0xc3), &entry_of_rdi, 2, PROBE_COST_STEPPED);
	/* rep stosb would hit once for each byte */
	check_refused(CODE(0xf3, 0xaa, 0xc3));
	/* vxorps; ret: no arguments are requested */
	check_site(CODE(0xc5, 0xf8, 0x57, 0xc0, 0xc3), &entry_of_rdi, 4, PROBE_COST_STEPPED);
	/* the first place was refused by the caller: push rbx; push rbp */
	check_site(CODE(0x53, 0x55, 0xc3), &(struct probe_request){.args = RDI, .min_offset = 1}, 1,
		   PROBE_COST_EMULATED);
}

TEST(probe_site, skips_endbr64_and_stepped_ones)
{
	check_site(CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3), &return_of_rdi, 4,
		   PROBE_COST_EMULATED);
	/* test rdi, rdi; je: glibc's free */
	check_site(CODE(0x48, 0x85, 0xff, 0x74, 0x00, 0xc3), &entry_of_rdi, 3, PROBE_COST_EMULATED);
}

TEST(probe_site, keeps_the_arguments)
{
	static const struct probe_request moved = {.args = RDI, .moved_args = true};
	static const struct probe_request rsi = {.args = PROBE_ARG_1};
	/* mov rsi, rdi; xor edi, edi; push rbx */
	struct bytes code = CODE(0x48, 0x89, 0xfe, 0x31, 0xff, 0x53, 0xc3);
	struct probe_site site;

	check_site(code, &entry_of_rdi, 0, PROBE_COST_STEPPED);
	check_site(code, &rsi, 0, PROBE_COST_STEPPED);
	check_site(code, &(struct probe_request){0}, 5, PROBE_COST_EMULATED);
	site = choose(code, &moved);
	CHECK_INT(site.offset, 5);
	CHECK_INT(site.arg_reg[0], 4);
	/* mov esi, edi keeps only half of it */
	check_site(CODE(0x89, 0xfe, 0x31, 0xff, 0x53, 0xc3), &moved, 0, PROBE_COST_STEPPED);
	/* mov rbx, rdi; push rbx: rdi is still there */
	site = choose(CODE(0x48, 0x89, 0xfb, 0x53, 0xc3), &moved);
	CHECK_INT(site.arg_reg[0], 5);
	CHECK_INT(site.arg_reg[1], 4);
	CHECK_INT(site.arg_reg[2], 1);
	CHECK_INT(site.arg_reg[3], 2);
	/* mov dil, 1 writes a part; cmove rdi, rax perhaps; xchg rdi, rax moves it */
	check_site(CODE(0x40, 0xb7, 0x01, 0x53, 0xc3), &entry_of_rdi, 0, PROBE_COST_STEPPED);
	check_site(CODE(0x48, 0x0f, 0x44, 0xf8, 0x53, 0xc3), &entry_of_rdi, 0, PROBE_COST_STEPPED);
	check_site(CODE(0x48, 0x97, 0x53, 0xc3), &entry_of_rdi, 0, PROBE_COST_STEPPED);
	/* mul rsi writes rdx, unseen in its operands */
	check_site(CODE(0x48, 0xf7, 0xe6, 0x53, 0xc3), &(struct probe_request){.args = PROBE_ARG_2},
		   0, PROBE_COST_STEPPED);
}

TEST(probe_site, stays_on_the_path_of_every_call)
{
	/* test rdi, rdi; ret; push */
	check_site(CODE(0x48, 0x85, 0xff, 0xc3, 0x53, 0xc3), &entry_of_rdi, 0, PROBE_COST_STEPPED);
	/* an indirect call before the push */
	check_refused(CODE(0xff, 0xd0, 0x53, 0xc3));
	/* syscall before the push: the kernel must not run in between */
	check_site(CODE(0x31, 0xc0, 0x0f, 0x05, 0x53, 0xc3), &entry_of_rdi, 0, PROBE_COST_STEPPED);
}

TEST(probe_site, is_not_inside_a_loop)
{
	/* inc rax; push rbx; pop rbx; jne to the push */
	check_site(CODE(0x48, 0xff, 0xc0, 0x53, 0x5b, 0x75, 0xfc, 0xc3), &entry_of_rdi, 0,
		   PROBE_COST_STEPPED);
	/* the same, back to the instruction before the push */
	check_site(CODE(0x90, 0x48, 0xff, 0xc0, 0x53, 0x5b, 0x75, 0xf9, 0xc3),
		   &(struct probe_request){.args = RDI, .min_offset = 0}, 0, PROBE_COST_EMULATED);
	/* a jump to just after the push does no harm */
	check_site(CODE(0x48, 0xff, 0xc0, 0x53, 0x5b, 0x75, 0xfd, 0xc3), &entry_of_rdi, 3,
		   PROBE_COST_EMULATED);
	/* jrcxz and loop count as branches */
	check_site(CODE(0x48, 0xff, 0xc0, 0x53, 0x5b, 0xe2, 0xfc, 0xc3), &entry_of_rdi, 0,
		   PROBE_COST_STEPPED);
}

TEST(probe_site, never_puts_a_return_probe_past_a_push)
{
	static const struct probe_request nothing = {.purpose = PROBE_RETURN};
	/* sub rsp, 8; push rbx: the word at rsp is no longer the return address */
	struct bytes code = CODE(0x48, 0x83, 0xec, 0x08, 0x53, 0xc3);
	struct probe_site site = choose(code, &entry_of_rdi);

	CHECK_INT(site.offset, 4);
	CHECK_INT(site.stack_bytes, 8);
	check_site(code, &nothing, 0, PROBE_COST_STEPPED);
	/* push [rdi]; pop rax; push rbx: back where it was */
	code = CODE(0xff, 0x37, 0x58, 0x53, 0xc3);
	check_site(code, &nothing, 3, PROBE_COST_EMULATED);
	/* lea rsp, [rsp-16]; push */
	code = CODE(0x48, 0x8d, 0x64, 0x24, 0xf0, 0x53, 0xc3);
	CHECK_INT(choose(code, &entry_of_rdi).stack_bytes, 16);
	check_site(code, &nothing, 0, PROBE_COST_STEPPED);
	/* pop rax; push: above the entry's stack pointer */
	check_site(CODE(0x58, 0x53, 0xc3), &nothing, 0, PROBE_COST_STEPPED);
	/* and rsp, -16; push: unknown */
	check_site(CODE(0x48, 0x83, 0xe4, 0xf0, 0x53, 0xc3), &entry_of_rdi, 0, PROBE_COST_STEPPED);
	/* if every place that is left is refused, none after a push is offered */
	CHECK_INT(probe_site_choose(
			  CODE(0x53, 0x55, 0xc3), 0, 3,
			  &(struct probe_request){.purpose = PROBE_RETURN, .min_offset = 1}, &site),
		  -ENOTSUP);
}

TEST(probe_site, uses_nops_where_the_kernel_does)
{
	struct probe_request nops = {.args = RDI, .kernel = PROBE_KERNEL_NOPS};
	struct probe_request nop5 = {.args = RDI, .kernel = PROBE_KERNEL_NOP5};
	struct bytes code = CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x53, 0xc3);
	struct probe_request both = {.args = RDI};
	struct bytes late = CODE(0x48, 0xff, 0xc0, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x53, 0xc3);
	struct bytes alone = CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3);
	/* mov %rdi,-8(%rsp), and the nop */
	struct bytes red_zone =
		CODE(0x48, 0x89, 0x7c, 0x24, 0xf8, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3);
	struct probe_site site;

	CHECK_INT(arch_probe_kernel(6, 10), PROBE_KERNEL_RETURNS_SHADOWED);
	CHECK_INT(arch_probe_kernel(6, 11), PROBE_KERNEL_RETURNS_FILTERED);
	CHECK_INT(arch_probe_kernel(6, 13), PROBE_KERNEL_RETURNS_FILTERED);
	CHECK_INT(arch_probe_kernel(6, 14), 0);
	CHECK_INT(arch_probe_kernel(6, 17), 0);
	CHECK_INT(arch_probe_kernel(6, 18),
		  PROBE_KERNEL_NOPS | PROBE_KERNEL_NOP5 | PROBE_KERNEL_CALLS);
	CHECK_INT(arch_probe_kernel(7, 0), arch_probe_kernel(6, 18));
	check_site(code, &entry_of_rdi, 9, PROBE_COST_EMULATED);
	check_site(code, &nops, 4, PROBE_COST_EMULATED);
	check_site(code, &nop5, 9, PROBE_COST_EMULATED);
	check_site(alone, &nop5, 4, PROBE_COST_NOP5);
	/* The kernel turns the nop into a call, which writes into the red zone. */
	both.kernel = arch_probe_kernel(6, 18);
	check_site(late, &nop5, 8, PROBE_COST_EMULATED);
	check_site(late, &both, 8, PROBE_COST_EMULATED);
	check_site(red_zone, &both, 0, PROBE_COST_STEPPED);
	both.kernel = arch_probe_kernel(6, 17);
	check_site(late, &both, 8, PROBE_COST_EMULATED);
	/* across the end of a page it stays a nop */
	CHECK_INT(probe_site_choose(code, 0x1ff8, code.len, &nop5, &site), 0);
	CHECK_INT(site.offset, 9);
	/* a nop with a segment prefix is refused */
	check_site(CODE(0x2e, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x53, 0xc3), &nops, 6,
		   PROBE_COST_EMULATED);
}

TEST(probe_site, trusts_the_entry_only_where_code_is_missing)
{
	struct bytes code = CODE(0x48, 0x85, 0xff, 0x74, 0x00, 0xc3);
	struct bytes broken = CODE(0x48, 0x85, 0xff, 0x74, 0x00, 0x06);
	struct probe_site site;

	CHECK_INT(probe_site_choose(code, 0, 100, &entry_of_rdi, &site), 0);
	CHECK_INT(site.offset, 0);
	CHECK_INT(probe_site_choose(code, 0, 0, &entry_of_rdi, &site), 0);
	CHECK_INT(site.offset, 0);
	CHECK_INT(probe_site_choose(broken, 0, broken.len, &entry_of_rdi, &site), 0);
	CHECK_INT(site.offset, 0);
	/* bytes after the function do not belong to it */
	CHECK_INT(probe_site_choose(code, 0, 3, &entry_of_rdi, &site), 0);
	CHECK_INT(site.offset, 0);
	CHECK_INT(probe_site_choose((struct bytes){0}, 0, 8, &entry_of_rdi, &site), -EINVAL);
}

TEST(probe_site, survives_random_bytes)
{
	u8 code[64];
	struct probe_site site;

	srandom(1);
	for (int i = 0; i < 20000; i++) {
		for (size_t n = 0; n < sizeof(code); n++)
			code[n] = (u8)random();
		if (probe_site_choose((struct bytes){code, sizeof(code)}, (u64)random() << 32,
				      sizeof(code), &return_of_rdi, &site))
			continue;
		CHECK(site.offset < sizeof(code));
		CHECK_INT(site.stack_bytes, 0);
	}
}

TEST(probe_site, says_what_it_chose)
{
	CHECK_STR(choose(CODE(0x41, 0x54, 0xc3), &entry_of_rdi).text, "push r12");
	CHECK_STR(choose(CODE(0x74, 0x00, 0xc3), &entry_of_rdi).text, "jz 0x1002");
	CHECK_STR(probe_cost_name(PROBE_COST_EMULATED), "emulated");
	CHECK(probe_cost_ns(PROBE_COST_STEPPED, PROBE_ENTRY) >
	      10 * probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY));
	CHECK(probe_cost_ns(PROBE_COST_EMULATED, PROBE_RETURN) >
	      probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY));
}

/* ---- real allocators */

struct wanted {
	const char *name;
	u64 vaddr, size;
};

static int find_symbol(void *arg, const struct elf_symbol *symbol)
{
	struct wanted *w = arg;
	size_t len = strcspn(symbol->name, "@");

	if (strlen(w->name) != len || memcmp(w->name, symbol->name, len) != 0)
		return 0;
	w->vaddr = symbol->vaddr;
	w->size = symbol->size;
	return 1;
}

static struct probe_site site_of(const char *path, const char *function,
				 const struct probe_request *request)
{
	struct elf_file *f = elf_fixture_open(path);
	struct wanted w = {.name = function};
	struct probe_site site;

	CHECK_INT(elf_symbols_visit(f, ".dynsym", find_symbol, &w), 1);
	CHECK_INT(probe_site_in_file(f, w.vaddr, w.size, request, &site), 0);
	elf_file_free(f);
	return site;
}

static const char *glibc_path(void)
{
	Dl_info info;

	if (!dladdr((void *)gnu_get_libc_version, &info))
		unit_skip("no shared glibc");
	return info.dli_fname;
}

#define RDI_RSI (PROBE_ARG_0 | PROBE_ARG_1)

static void check_emulated(const char *path, const char *function, u32 args,
			   enum probe_purpose purpose)
{
	struct probe_request request = {.args = args, .purpose = purpose, .moved_args = true};
	struct probe_site site = site_of(path, function, &request);

	if (site.cost != PROBE_COST_EMULATED)
		unit_fail(__FILE__, __LINE__, "%s of %s: %s at +%u is stepped", function, path,
			  site.text, site.offset);
	if (purpose == PROBE_RETURN)
		CHECK_INT(site.stack_bytes, 0);
}

static void check_main_functions(const char *path)
{
	check_emulated(path, "malloc", PROBE_ARG_0, PROBE_RETURN);
	check_emulated(path, "calloc", RDI_RSI, PROBE_RETURN);
	check_emulated(path, "realloc", RDI_RSI, PROBE_RETURN);
	check_emulated(path, "free", PROBE_ARG_0, PROBE_ENTRY);
	check_emulated(path, "posix_memalign", RDI_RSI | PROBE_ARG_2, PROBE_RETURN);
	check_emulated(path, "aligned_alloc", RDI_RSI, PROBE_RETURN);
}

TEST(probe_site, finds_cheap_places_in_glibc)
{
	check_main_functions(glibc_path());
}

TEST(probe_site, finds_cheap_places_in_jemalloc)
{
	check_main_functions("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
}

TEST(probe_site, finds_cheap_places_in_tcmalloc)
{
	check_main_functions("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4");
}

TEST(probe_site, finds_cheap_places_in_mimalloc)
{
	check_main_functions("/usr/lib/x86_64-linux-gnu/libmimalloc.so.2");
}

TEST(probe_site, finds_cheap_places_in_musl)
{
	check_main_functions("/lib/ld-musl-x86_64.so.1");
}

/* ---- the kernel counts the hits */

static int uprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type = -1;

	if (!file || fscanf(file, "%d", &type) != 1)
		type = -1;
	if (file)
		fclose(file);
	return type;
}

static int attach(int type, const char *path, u64 offset, bool returning)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .type = (u32)type, .config = returning};
	long fd;

	attr.config1 = (u64)(unsigned long)path;
	attr.config2 = offset;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		unit_skip("no uprobes for us: %s", strerror(errno));
	return (int)fd;
}

static u64 hits(int fd)
{
	u64 count = 0;

	CHECK_INT(read(fd, &count, sizeof(count)), sizeof(count));
	close(fd);
	return count;
}

/* Functions that a sanitizer has put before them do not count. */
static void *glibc_function(const char *path, const char *name)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD), *function;

	CHECK(library);
	function = dlsym(library, name);
	CHECK(function);
	return function;
}

TEST(probe_site, is_passed_once_by_every_call)
{
	const char *path = glibc_path();
	u64 at_malloc = site_of(path, "malloc", &return_of_rdi).file_offset;
	u64 at_free = site_of(path, "free", &entry_of_rdi).file_offset;
	void *(*take)(size_t) = glibc_function(path, "malloc");
	void (*give)(void *) = glibc_function(path, "free");
	int type = uprobe_type(), mallocs, frees;

	if (type < 0)
		unit_skip("this kernel has no uprobe events");
	mallocs = attach(type, path, at_malloc, false);
	frees = attach(type, path, at_free, false);
	for (size_t i = 0; i < 1000; i++) {
		give(take(i * 100));
		give(NULL);
	}
	CHECK_INT(hits(mallocs), 1000);
	CHECK_INT(hits(frees), 2000);
}

TEST(probe_site, is_where_a_return_probe_works)
{
	static const struct probe_request request = {.args = RDI_RSI | PROBE_ARG_2,
						     .purpose = PROBE_RETURN};
	const char *path = glibc_path();
	struct probe_site site = site_of(path, "posix_memalign", &request);
	int (*take)(void **, size_t, size_t) = glibc_function(path, "posix_memalign");
	void (*give)(void *) = glibc_function(path, "free");
	int type = uprobe_type(), returns;

	if (type < 0)
		unit_skip("this kernel has no uprobe events");
	if (!site.offset)
		unit_skip("this glibc's posix_memalign begins with the best place");
	returns = attach(type, path, site.file_offset, true);
	for (size_t i = 0; i < 1000; i++) {
		void *block;

		CHECK_INT(take(&block, 64, i), 0);
		CHECK((u64)block % 64 == 0);
		give(block);
	}
	CHECK_INT(hits(returns), 1000);
}
