/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the names of a program with a chain of inlined functions: see chain_fixture.h. */
#include "chain_fixture.h"

#include "fixture.h"
#include "name_fixture.h"
#include "unit.h"

#define INLINE "static inline __attribute__((always_inline)) "

/* `mark` is an address inside inner, inlined into middle, outer and physical. */
static const char chain[] = INLINE
	"int inner(int x)\n" /* line 1 */
	"{\n"
	"	asm volatile(\".globl mark\\nmark: nop\");\n" /* 3 */
	"	return x + 1;\n"
	"}\n" INLINE "int middle(int x)\n" /* 6 */
	"{\n"
	"	return inner(x) * 3;\n" /* 8 */
	"}\n" INLINE "int outer(int x)\n" /* 10 */
	"{\n"
	"	x += 7;\n"
	"	return middle(x) - 1;\n" /* 13 */
	"}\n"
	"__attribute__((noinline)) int physical(int x)\n" /* 15 */
	"{\n"
	"	x ^= 5;\n"
	"	return outer(x);\n" /* 18 */
	"}\n"
	"int main(int argc, char **argv) { return physical(argc) & 1; }\n";

void build_chain(const char *compiler, const char *flags)
{
	fixture_write("chain.c", chain, sizeof(chain) - 1);
	fixture_run("%s -O1 -g %s -o chain chain.c", compiler, flags);
}

void check_chain(const char *file, u64 mark)
{
	struct named named;

	name_addresses(&named, file, &mark, 1, false);
	CHECK_INT(named_depth(&named, 0), 4);
	CHECK_STR(named_frame(&named, 0, 0), "inner chain.c:3");
	CHECK_STR(named_frame(&named, 0, 1), "middle chain.c:8");
	CHECK_STR(named_frame(&named, 0, 2), "outer chain.c:13");
	CHECK_STR(named_frame(&named, 0, 3), "physical chain.c:18");
	CHECK(named.profile->mappings.data[0].has_functions);
	CHECK(named.profile->mappings.data[0].has_inline_frames);
	CHECK(named.profile->mappings.data[0].has_line_numbers);
	CHECK(named.profile->mappings.data[0].has_filenames);
	CHECK_INT(named.stats.addresses, 1);
	CHECK_INT(named.stats.named, 1);
	CHECK_INT(named.stats.with_lines, 1);
	named_release(&named);
}
