/* SPDX-License-Identifier: Apache-2.0 */
/* Uses any bytes as a file with static probes and an allocator, and as the code that probes go
 * into. */
#include <stdint.h>
#include <stdlib.h>

#include "collect/probe/probe_site.h"
#include "collect/probe/return_site.h"
#include "elf/usdt.h"
#include "target/allocator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct probe_request request = {
	.args = PROBE_ARG_0 | PROBE_ARG_1, .moved_args = true, .purpose = PROBE_RETURN};

static void place(struct bytes code)
{
	struct probe_site site;

	if (probe_site_choose(code, 0x1000, code.len, &request, &site))
		return;
	if (site.stack_bytes || site.offset >= code.len || site.arg_reg[0] > 15)
		abort();
}

static void read_probes(struct elf_file *f)
{
	struct usdt_list list;
	u64 vaddr;

	if (usdt_read(f, &list))
		return;
	vec_for_each(&list.probes, p) {
		if (!elf_file_offset_to_vaddr(f, p->offset, &vaddr) || p->argc > USDT_ARGS_MAX)
			abort();
	}
	usdt_release(&list);
}

static void find_returns(struct elf_file *f, const struct alloc_function *d)
{
	const struct return_request returns = {.vaddr = d->vaddr, .size = d->size};
	const struct code_request code = {.imports = true, .kernel = arch_probe_kernel(6, 18)};
	struct code_file *file;
	struct return_sites sites;
	u64 vaddr;

	if (code_file_new(f, &code, &file))
		return;
	if (!return_sites_find(file, &returns, &sites)) {
		vec_for_each(&sites.sites, s) {
			if (!elf_file_offset_to_vaddr(f, s->file_offset, &vaddr))
				abort();
		}
		if (sites.answer == RETURN_UNSEEN && !sites.why)
			abort();
	}
	return_sites_release(&sites);
	code_file_free(file);
}

static void read_allocator(struct elf_file *f)
{
	struct probe_site site;
	struct allocator a;

	if (!allocator_find(f, NULL, &a)) {
		vec_for_each(&a.functions, d) {
			if (!probe_site_in_file(f, d->vaddr, d->size, &request, &site) &&
			    site.file_offset < d->offset)
				abort();
			if (alloc_signature(d->kind)->allocates)
				find_returns(f, d);
		}
	}
	allocator_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct usdt_arg args[USDT_ARGS_MAX];
	struct elf_file *f;
	char *text;

	place((struct bytes){data, size});
	text = malloc(size + 1);
	if (text) {
		memcpy(text, data, size);
		text[size] = '\0';
		usdt_args_parse(text, args);
		free(text);
	}
	if (elf_file_open_memory((struct bytes){data, size}, &f))
		return 0;
	read_probes(f);
	read_allocator(f);
	elf_file_free(f);
	return 0;
}
