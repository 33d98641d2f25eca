/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the notes of static probes: see usdt.h, and arch/usdt_args.h for their arguments. */
#include "elf/usdt.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "arch/machine.h"

#define NOTE_TYPE_STAPSDT 3
#define NOTE_STEPS 100

struct usdt_base {
	bool known;
	u64 vaddr; /* the present address of .stapsdt.base */
};

/* Takes `len` bytes and the padding after them. Notes of type stapsdt are aligned to 4 bytes. */
static struct bytes take_padded(struct cursor *c, u32 len)
{
	struct bytes b = {cursor_take(c, len), len};
	size_t pad = -(size_t)len % 4;

	cursor_take(c, pad < cursor_left(c) ? pad : cursor_left(c));
	return b;
}

static bool probe_parse(struct elf_file *f, struct bytes desc, const struct usdt_base *base,
			struct usdt_probe *p)
{
	struct cursor c = cursor_over(desc);
	u64 pc = cursor_u64(&c), link_base = cursor_u64(&c), semaphore = cursor_u64(&c);
	u64 moved = base->known && link_base ? base->vaddr - link_base : 0;
	const char *args;

	*p = (struct usdt_probe){.vaddr = pc + moved};
	p->provider = cursor_string(&c);
	p->name = cursor_string(&c);
	args = cursor_string(&c);
	if (c.bad || !elf_file_is_code(f, p->vaddr) ||
	    !elf_file_vaddr_to_offset(f, p->vaddr, &p->offset))
		return false;
	if (semaphore) {
		p->semaphore = semaphore + moved;
		if (!elf_file_vaddr_to_offset(f, p->semaphore, &p->semaphore_offset))
			return false;
	}
	if (arch_is_machine(elf_file_machine(f)))
		p->argc = usdt_args_parse(args, p->args);
	return true;
}

static bool owner_is_stapsdt(struct bytes name)
{
	return name.data && name.len == sizeof("stapsdt") &&
	       !memcmp(name.data, "stapsdt", name.len);
}

static int notes_read(struct elf_file *f, struct bytes notes, const struct usdt_base *base,
		      struct usdt_list *out)
{
	struct cursor c = cursor_over(notes);

	while (cursor_left(&c) >= sizeof(Elf64_Nhdr)) {
		u32 namesz = cursor_u32(&c), descsz = cursor_u32(&c), type = cursor_u32(&c);
		struct bytes name = take_padded(&c, namesz), desc = take_padded(&c, descsz);
		struct usdt_probe probe;

		if (c.bad ||
		    !budget_take(elf_file_budget(f), BUDGET_SECTIONS, NOTE_STEPS + descsz)) {
			out->skipped++;
			break;
		}
		if (type != NOTE_TYPE_STAPSDT || !owner_is_stapsdt(name))
			continue;
		if (out->probes.len == USDT_PROBES_MAX || !probe_parse(f, desc, base, &probe))
			out->skipped++;
		else if (vec_push(&out->probes, probe))
			return -ENOMEM;
	}
	return 0;
}

int usdt_read(struct elf_file *f, struct usdt_list *out)
{
	struct elf_section notes, base_section;
	struct usdt_base base = {0};
	int err;

	*out = (struct usdt_list){0};
	err = elf_file_section(f, ".note.stapsdt", &notes);
	if (err)
		return err;
	if (!elf_file_section_header(f, ".stapsdt.base", &base_section)) {
		base.known = true;
		base.vaddr = base_section.vaddr;
	}
	err = notes_read(f, notes.data, &base, out);
	if (err)
		usdt_release(out);
	return err;
}

void usdt_release(struct usdt_list *list)
{
	vec_release(&list->probes);
}
