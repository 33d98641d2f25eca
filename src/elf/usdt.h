/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The static probes (USDT) of an ELF file, which are notes of type 3 with the owner "stapsdt" in
 * .note.stapsdt, as written by SystemTap's <sys/sdt.h>. A note is three addresses (probe, link-time
 * address of .stapsdt.base, semaphore) and three strings (provider, name, arguments in assembler
 * syntax). Addresses are adjusted by the distance that prelink has moved .stapsdt.base.
 *
 * Arguments of another machine than this one are left out. Notes of a hostile file are cut at
 * USDT_PROBES_MAX. Notes with unterminated strings or a pc outside the executable segments are left
 * out and counted.
 */
#ifndef CPROF_ELF_USDT_H
#define CPROF_ELF_USDT_H

#include "arch/usdt_args.h"
#include "base/vec.h"
#include "elf/elf_file.h"

#define USDT_PROBES_MAX 4096

struct usdt_probe {
	const char *provider, *name; /* borrowed from the elf_file */
	u64 vaddr, offset; /* of the probe's instruction; a uprobe is placed at the offset */
	u64 semaphore; /* virtual address; 0 if the probe has none and is always on */
	/* file offset for the uprobe's ref_ctr_offset; 0 if there is no semaphore */
	u64 semaphore_offset;
	u8 argc;
	struct usdt_arg args[USDT_ARGS_MAX];
};

struct usdt_list {
	VEC(struct usdt_probe) probes; /* in the file's order; several may have the same name */
	u32 skipped; /* notes that were broken, or were beyond USDT_PROBES_MAX */
};

/*
 * Reads all probes of `f`, which must outlive the list. Returns -ENOENT if there is no
 * .note.stapsdt, -EBADMSG if it cannot be read, or -ENOMEM. A readable section with nothing but
 * broken notes gives an empty list.
 */
int usdt_read(struct elf_file *f, struct usdt_list *out) MUST_CHECK;
void usdt_release(struct usdt_list *list);

#endif
