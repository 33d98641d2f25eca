/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the functions of one file: see probe_file.h. */
#include "collect/probe/probe_file.h"

#include <errno.h>
#include <stdlib.h>

#include "arch/machine.h"
#include "collect/probe/probe_file_impl.h"

int reading_put_site(struct file_reading *in, struct heap_site *site, u64 offset,
		     uprobe_places *places)
{
	int err = site_table_put(&in->r->sites, site);

	if (err)
		return err;
	err = vec_push(places, (struct uprobe_place){.offset = offset, .cookie = site->number});
	if (err)
		site_table_give_back(&in->r->sites, site->number);
	return err ? err : code_spans_add_place(&in->f->base.probed, offset);
}

u8 heap_register(u8 dwarf)
{
	int offset = arch_pt_regs_offset(dwarf);

	return offset < 0 ? ARCH_WORD_NONE : (u8)(offset / 8);
}

static int read_file(struct file_reading *in, struct probe_file **out)
{
	struct usdt_list list = {0};
	int err;

	in->f = calloc(1, sizeof(*in->f));
	if (!in->f)
		return -ENOMEM;
	if (!in->first && !usdt_read(in->elf, &list) && usdt_has_sampler(&list))
		err = reading_find_sampler(in, &list);
	else
		err = reading_find_allocator(in);
	usdt_release(&list);
	code_file_free(in->code);
	vec_release(&in->entries);
	vec_release(&in->results);
	if (err)
		probe_file_free(in->r, in->f);
	else
		*out = in->f;
	return err;
}

int probe_file_new(struct function_reader *r, struct elf_file *elf, const char *path,
		   struct probe_file **out)
{
	struct file_reading in = {.r = r, .elf = elf, .path = path};

	return read_file(&in, out);
}

int probe_file_set_apart(struct function_reader *r, struct elf_file *elf, const char *path,
			 struct probe_file *f)
{
	struct file_reading in = {.r = r, .elf = elf, .path = path, .first = f};
	int err = read_file(&in, &f->apart);

	if (err)
		return err;
	free(f->apart->title); /* it was printed */
	f->apart->title = NULL;
	return 0;
}

void probe_file_free(struct function_reader *r, struct probe_file *f)
{
	uprobe_places *places[] = {&f->allocs,  &f->frees,   &f->weighed,
				   &f->notices, &f->entries, &f->results};

	if (f->apart)
		probe_file_free(r, f->apart);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		site_table_give_back_all(&r->sites, places[i]);
		vec_release(places[i]);
	}
	vec_release(&f->ranges);
	vec_release(&f->base.probed);
	free(f->title);
	free(f->searched);
	free(f);
}
