/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which system calls are found in code, and where their results can be seen. */
#include "arch/syscall_site.h"

#include "unit.h"

#define SITES 4

struct found {
	struct syscall_site site[SITES];
	u32 n;
};

static int take(void *arg, const struct syscall_site *site)
{
	struct found *f = arg;

	CHECK(f->n < SITES);
	f->site[f->n++] = *site;
	return 0;
}

static struct found sites_in(const u8 *code, size_t length)
{
	struct found f = {.n = 0};

	CHECK_INT(arch_syscall_sites((struct bytes){code, length}, 0x1000, 0, take, &f), 0);
	return f;
}

/* mov $0x29,%eax; syscall; cmp $-4095,%rax; jae +1; ret */
TEST(syscall_site, the_jump_behind_a_wrapper)
{
	static const u8 code[] = {0xb8, 0x29, 0,    0,    0,    0x0f, 0x05, 0x48, 0x3d,
				  0x01, 0xf0, 0xff, 0xff, 0x73, 0x01, 0xc3, 0x90};
	struct found f = sites_in(code, sizeof(code));

	CHECK_INT(f.n, 1);
	CHECK_INT(f.site[0].number, 0x29);
	CHECK_INT(f.site[0].offset, 13);
	CHECK_INT(f.site[0].cost, PROBE_COST_EMULATED);
}

/* mov $0x101,%eax; mov $-100,%edi; syscall; cmp $-4096,%rax; ja far */
TEST(syscall_site, arguments_between_the_number_and_the_call)
{
	static const u8 code[] = {0xb8, 0x01, 0x01, 0,    0,    0xbf, 0x9c, 0xff,
				  0xff, 0xff, 0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0,
				  0xff, 0xff, 0x0f, 0x87, 0x93, 0,    0,    0};
	struct found f = sites_in(code, sizeof(code));

	CHECK_INT(f.n, 1);
	CHECK_INT(f.site[0].number, 257);
	CHECK_INT(f.site[0].offset, 18);
}

/* mov $0x29,%eax; syscall; mov %rax,%rdi; ret: the result is whole, and the call has no jump. */
TEST(syscall_site, a_step_where_nothing_is_emulated)
{
	static const u8 code[] = {0xb8, 0x29, 0, 0, 0, 0x0f, 0x05, 0x48, 0x89, 0xc7, 0xc3};
	struct found f = sites_in(code, sizeof(code));

	CHECK_INT(f.n, 1);
	CHECK_INT(f.site[0].offset, 7);
	CHECK_INT(f.site[0].cost, PROBE_COST_STEPPED);
}

/* The number is lost on the way: xor %eax,%eax; and it may come from elsewhere: jmp. */
TEST(syscall_site, a_number_that_is_not_certain)
{
	static const u8 lost[] = {0xb8, 0x29, 0, 0, 0, 0x31, 0xc0, 0x0f, 0x05, 0x73, 0x01, 0xc3};
	static const u8 jumped[] = {0xb8, 0x29, 0, 0, 0, 0xeb, 0x00, 0x0f, 0x05, 0x73, 0x01, 0xc3};
	static const u8 none[] = {0x89, 0xf8, 0x0f, 0x05, 0x73, 0x01, 0xc3};

	CHECK_INT(sites_in(lost, sizeof(lost)).n, 0);
	CHECK_INT(sites_in(jumped, sizeof(jumped)).n, 0);
	CHECK_INT(sites_in(none, sizeof(none)).n, 0);
}

/* Code may end anywhere. */
TEST(syscall_site, code_that_ends)
{
	static const u8 code[] = {0xb8, 0x29, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0x01};

	for (size_t length = 0; length <= sizeof(code); length++)
		CHECK(sites_in(code, length).n <= 1);
}
