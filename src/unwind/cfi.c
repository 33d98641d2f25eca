/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the sections that hold call frame information, with their entries, CIEs and FDEs (DWARF 5,
 * section 6.4.1; LSB 5.0 core, section 10.6.1). cfi_program.c interprets their instructions.
 *
 * A CIE is parsed, and its instructions are run, once, when the first FDE refers to it. A broken
 * one is remembered as broken, so that a hostile file cannot make us parse it for every FDE.
 */
#include "unwind/cfi.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "unwind/cfi_program.h"

#define LENGTH_64_BIT 0xffffffffu
#define LENGTH_RESERVED 0xfffffff0u
#define ADDRESS_SIZE 8
#define CIE_VERSION_WITH_SIZES 4
#define ENTRY_STEPS 30
#define BYTE_STEPS 3 /* of instructions; the shortest one has one byte */

struct cie {
	u64 offset; /* in the section; this is the key */
	bool usable;
	bool has_augmentation_data; /* 'z': the FDE gives a length to skip by */
	struct cfi_program_env env;
	struct cfi_state initial;
	UT_hash_handle hh;
};

struct cfi_reader {
	struct cfi_section section;
	struct cfi_stats stats;
	u64 next; /* offset of the next entry that cfi_reader_next() reads */
	struct cie *cies; /* hash table by offset */
	struct cie *last; /* the CIE of the last FDE, because neighbours share their CIE */
	struct budget own_budget, *budget;
};

/* Holds the length and id fields that CIEs and FDEs share. */
struct entry {
	u64 next; /* offset of the following entry */
	u64 id_at; /* offset of the id field */
	u64 id;
	bool is64;
	struct cursor body; /* what follows the id field */
};

enum entry_status {
	ENTRY_OK,
	ENTRY_SKIP, /* step over it */
	ENTRY_END, /* nothing can follow */
};

static enum entry_status entry_end(struct cfi_reader *r, bool broken)
{
	r->stats.broken_entries += broken;
	return ENTRY_END;
}

static enum entry_status entry_read(struct cfi_reader *r, u64 offset, struct entry *e)
{
	const struct bytes *data = &r->section.data;
	struct cursor c = {.pos = data->data + offset, .end = data->data + data->len};
	u64 len;

	if (cursor_left(&c) < sizeof(u32))
		return ENTRY_END;
	len = cursor_u32(&c);
	e->is64 = len == LENGTH_64_BIT;
	if (e->is64)
		len = cursor_u64(&c);
	else if (len >= LENGTH_RESERVED)
		return entry_end(r, true);
	if (c.bad || len > cursor_left(&c))
		return entry_end(r, true);
	e->id_at = (u64)(c.pos - data->data);
	e->next = e->id_at + len;
	if (!len) /* Such an entry ends .eh_frame, and is padding in .debug_frame. */
		return r->section.kind == CFI_EH_FRAME ? ENTRY_END : ENTRY_SKIP;
	c.end = c.pos + len;
	e->id = e->is64 ? cursor_u64(&c) : cursor_u32(&c);
	e->body = c;
	if (c.bad) {
		r->stats.broken_entries++;
		return ENTRY_SKIP;
	}
	return ENTRY_OK;
}

static bool entry_is_cie(const struct cfi_reader *r, const struct entry *e)
{
	if (r->section.kind == CFI_EH_FRAME)
		return e->id == 0;
	return e->id == (e->is64 ? UINT64_MAX : UINT32_MAX);
}

/* ---- CIE ------------------------------------------------------------------------------------- */

static void skip_personality(struct cfi_reader *r, struct cursor *c)
{
	struct cfi_pointer_env env = {.section = &r->section, .encoding = cursor_u8(c)};
	u64 ignored;

	/* An indirect pointer does not matter here, because it is only stepped over. */
	env.encoding &= (u8)~DW_EH_PE_indirect;
	if (!cfi_pointer_skip(&env, c, &ignored))
		c->bad = true;
}

static void parse_augmentation(struct cfi_reader *r, struct cie *cie, const char *letters,
			       struct cursor *c)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->env.pointer.encoding = cursor_u8(c);
			break;
		case 'P':
			skip_personality(r, c);
			break;
		case 'L':
			cursor_u8(c);
			break;
		case 'S':
			cie->env.signal_frame = true;
			break;
		case 'B':
			break;
		default: /* The length lets us step over unknown letters. */
			return;
		}
	}
}

static bool parse_cie_header(struct cfi_reader *r, struct cie *cie, struct cursor *c)
{
	u8 version = cursor_u8(c), address_size, segment_size;
	const char *letters = cursor_string(c);
	u64 reg;

	if (c->bad || (version != 1 && version != 3 && version != CIE_VERSION_WITH_SIZES))
		return false;
	if (version == CIE_VERSION_WITH_SIZES) {
		address_size = cursor_u8(c);
		segment_size = cursor_u8(c);
		if (address_size != ADDRESS_SIZE || segment_size)
			return false;
	}
	/* gcc before 3.0 wrote a pointer to the exception table here. */
	if (!strcmp(letters, "eh")) {
		cursor_u64(c);
		letters += 2;
	}
	cie->env.code_align = cursor_uleb(c);
	cie->env.data_align = cursor_sleb(c);
	reg = version == 1 ? cursor_u8(c) : cursor_uleb(c);
	cie->env.ra_reg = reg > UINT32_MAX ? UINT32_MAX : (u32)reg;
	if (*letters == 'z') {
		u64 len = cursor_uleb(c);
		struct cursor data = *c;

		if (!cursor_take(c, len))
			return false;
		data.end = c->pos;
		cie->has_augmentation_data = true;
		parse_augmentation(r, cie, letters + 1, &data);
		c->bad |= data.bad;
	} else if (*letters) {
		return false;
	}
	return !c->bad;
}

static bool parse_cie(struct cfi_reader *r, struct cie *cie)
{
	struct entry e;

	if (cie->offset >= r->section.data.len || entry_read(r, cie->offset, &e) != ENTRY_OK ||
	    !entry_is_cie(r, &e))
		return false;
	/* The CIEs of a hostile file may overlap, each as long as the section. */
	if (!budget_take(r->budget, BUDGET_UNWIND, BYTE_STEPS * cursor_left(&e.body) + 1))
		return false;
	cie->env.pointer.section = &r->section;
	cie->env.pointer.encoding = DW_EH_PE_absptr;
	if (!parse_cie_header(r, cie, &e.body))
		return false;
	return cfi_program_initial(&cie->env, e.body, &cie->initial);
}

/* Returns NULL if it is broken, or if memory is short. */
static const struct cie *cie_find(struct cfi_reader *r, u64 offset)
{
	struct cie *cie = r->last;

	if (!cie || cie->offset != offset)
		HASH_FIND(hh, r->cies, &offset, sizeof(offset), cie);
	if (!cie) {
		cie = budget_reserve(r->budget, BUDGET_UNWIND, 2 * sizeof(*cie))
			      ? calloc(1, sizeof(*cie))
			      : NULL;
		if (!cie)
			return NULL;
		cie->offset = offset;
		cie->usable = parse_cie(r, cie);
		HASH_ADD(hh, r->cies, offset, sizeof(cie->offset), cie);
		if (!HASH_ADDED(cie)) {
			free(cie);
			return NULL;
		}
		r->stats.broken_entries += !cie->usable;
	}
	r->last = cie;
	return cie->usable ? cie : NULL;
}

/* ---- FDE ------------------------------------------------------------------------------------- */

static const struct cie *fde_cie(struct cfi_reader *r, const struct entry *e)
{
	if (r->section.kind == CFI_DEBUG_FRAME)
		return cie_find(r, e->id);
	return e->id <= e->id_at ? cie_find(r, e->id_at - e->id) : NULL;
}

/* Reads the range and leaves `c` at the instructions. */
static bool fde_range(const struct cie *cie, struct cursor *c, struct cfi_fde *fde)
{
	struct cfi_pointer_env length = cie->env.pointer;
	u64 size;

	length.encoding &= 0x0f;
	if (!cfi_pointer_read(&cie->env.pointer, c, &fde->start) ||
	    !cfi_pointer_read(&length, c, &size))
		return false;
	if (cie->has_augmentation_data)
		cursor_take(c, cursor_uleb(c));
	return !c->bad && !__builtin_add_overflow(fde->start, size, &fde->end);
}

bool cfi_reader_next(struct cfi_reader *r, struct cfi_fde *fde)
{
	enum entry_status status;
	const struct cie *cie;
	struct entry e;

	while (budget_take(r->budget, BUDGET_UNWIND, ENTRY_STEPS) &&
	       (status = entry_read(r, r->next, &e)) != ENTRY_END) {
		fde->offset = r->next;
		r->next = e.next;
		if (status == ENTRY_SKIP || entry_is_cie(r, &e))
			continue;
		cie = fde_cie(r, &e);
		if (!cie || !fde_range(cie, &e.body, fde)) {
			r->stats.broken_entries++;
			continue;
		}
		if (fde->start == fde->end)
			continue;
		r->stats.functions++;
		return true;
	}
	return false;
}

static const struct cie *fde_open(struct cfi_reader *r, const struct cfi_fde *fde,
				  struct cursor *code)
{
	const struct cie *cie;
	struct cfi_fde again;
	struct entry e;

	if (fde->offset >= r->section.data.len || entry_read(r, fde->offset, &e) != ENTRY_OK)
		return NULL;
	cie = fde_cie(r, &e);
	if (!cie || !fde_range(cie, &e.body, &again))
		return NULL;
	*code = e.body;
	return cie;
}

int cfi_reader_run(struct cfi_reader *r, const struct cfi_fde *fde, const struct cfi_visitor *v)
{
	struct cursor code;
	const struct cie *cie = fde_open(r, fde, &code);

	if (!cie)
		return 0;
	if (!budget_take(r->budget, BUDGET_UNWIND, BYTE_STEPS * cursor_left(&code) + 1))
		return -E2BIG;
	return cfi_program_run(&cie->env, &cie->initial, code, fde, v, &r->stats);
}

/* ---- the whole section ----------------------------------------------------------------------- */

int cfi_reader_new(const struct cfi_section *s, struct cfi_reader **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->section = *s;
	(*out)->budget = s->budget;
	if (!s->budget) {
		budget_init(&(*out)->own_budget, s->data.len);
		(*out)->budget = &(*out)->own_budget;
	}
	return 0;
}

void cfi_reader_free(struct cfi_reader *r)
{
	struct cie *cie, *next;

	if (!r)
		return;
	cie = r->cies;
	HASH_CLEAR(hh, r->cies); /* This frees the hash table, but not its elements. */
	for (; cie; cie = next) {
		next = cie->hh.next;
		free(cie);
	}
	free(r);
}

const struct cfi_stats *cfi_reader_stats(const struct cfi_reader *r)
{
	return &r->stats;
}

static bool fde_is_signal_frame(struct cfi_reader *r, const struct cfi_fde *fde)
{
	struct cursor code;
	const struct cie *cie = fde_open(r, fde, &code);

	return cie && cie->env.signal_frame;
}

int cfi_walk(const struct cfi_section *s, const struct cfi_visitor *v, struct cfi_stats *stats)
{
	struct cfi_reader *r;
	struct cfi_fde fde;
	int ret = cfi_reader_new(s, &r);

	if (ret)
		return ret;
	while (!ret && cfi_reader_next(r, &fde)) {
		ret = v->function(v->arg, fde.start, fde.end, fde_is_signal_frame(r, &fde));
		if (!ret)
			ret = cfi_reader_run(r, &fde, v);
	}
	if (!ret && budget_lost(r->budget, BUDGET_UNWIND))
		ret = -E2BIG;
	*stats = r->stats;
	cfi_reader_free(r);
	return ret;
}

static u64 section_vaddr(struct elf_file *f, const char *name)
{
	struct elf_section s;

	return elf_file_section_header(f, name, &s) ? 0 : s.vaddr;
}

int cfi_section_find(struct elf_file *f, enum cfi_kind kind, struct cfi_section *out)
{
	struct elf_section s;
	int err = elf_file_section(f, kind == CFI_EH_FRAME ? ".eh_frame" : ".debug_frame", &s);

	if (err || !s.data.len)
		return -ENOENT;
	*out = (struct cfi_section){
		.kind = kind, .data = s.data, .vaddr = s.vaddr, .budget = elf_file_budget(f)};
	if (kind == CFI_EH_FRAME) {
		out->text_vaddr = section_vaddr(f, ".text");
		out->data_vaddr = section_vaddr(f, ".got");
	}
	return 0;
}
