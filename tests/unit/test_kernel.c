/* SPDX-License-Identifier: Apache-2.0 */
/* kallsyms: modules, aliases, hidden addresses, broken lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/kernel.h"
#include "unit.h"

static int parse(const char *text, struct kernel_symbols **out)
{
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	return kernel_symbols_parse(copy, len, out);
}

static const char text[] = "ffffffff81000000 T _stext\n"
			   "ffffffff81000000 T startup_64\n"
			   "ffffffff81000100 t schedule\n"
			   "ffffffff81000180 D jiffies\n"
			   "ffffffffc0001000 t nft_do_chain\t[nf_tables]\n"
			   "ffffffffc0001100 t broken";

TEST(kernel, finds_functions_and_their_module)
{
	struct kernel_symbols *k;
	const char *module;

	CHECK_INT(parse(text, &k), 0);
	CHECK_STR(kernel_symbols_find(k, 0xffffffff81000010, &module), "_stext");
	CHECK_STR(module, "");
	CHECK_STR(kernel_symbols_find(k, 0xffffffff81000190, &module), "schedule");
	CHECK_STR(kernel_symbols_find(k, 0xffffffffc0001200, &module), "nft_do_chain");
	CHECK_STR(module, "[nf_tables]");
	CHECK(!kernel_symbols_find(k, 0xffffffff80ffffff, &module));
	CHECK(!kernel_symbols_find(k, 0xffffffffffffffff, &module));
	kernel_symbols_free(k);
}

TEST(kernel, hidden_addresses_are_told_from_none)
{
	struct kernel_symbols *k;

	CHECK_INT(parse("0000000000000000 T _stext\n0000000000000000 t a\n", &k), -EPERM);
	CHECK_INT(parse("", &k), -ENOENT);
	CHECK_INT(parse("\n\n \n\t\nzz T x\nffff\nffff T\nffff T \n", &k), -ENOENT);
}

TEST(kernel, reads_the_running_one)
{
	struct kernel_symbols *k;
	int err = kernel_symbols_read(&k);

	if (err)
		unit_skip("no kallsyms: %d", err);
	kernel_symbols_free(k);
}
