/* SPDX-License-Identifier: Apache-2.0 */
/* Reads attributes of split units, whose values are in several files: see dwarf_forms.h. */
#include "symbol/dwarf_forms.h"

#include <dwarf.h>
#include <errno.h>

#define REFERENCES_MAX 8 /* limits an origin of an origin ...; real chains have two */
#define RANGE_STEPS 30
#define ENTRY_STEPS 4
#define RANGES_HEADER 8 /* of .debug_rnglists, without its length */

/* Returns the bytes of an attribute's value, which lie in the image of the split units. */
static struct cursor value_of(const struct split_units *s, const Dwarf_Attribute *attr)
{
	struct bytes image = split_units_image(s);
	struct cursor c = cursor_over(image);

	if (!image.data || attr->valp < image.data || attr->valp > image.data + image.len)
		c.end = c.pos;
	else
		c.pos = attr->valp;
	return c;
}

static u32 take_u24(struct cursor *c)
{
	u32 low = cursor_u16(c);

	return low | (u32)cursor_u8(c) << 16;
}

static u64 take_offset(const struct split_unit *u, struct cursor *c)
{
	return u->offset_size == sizeof(u64) ? cursor_u64(c) : cursor_u32(c);
}

/* Returns the size of the length field at the beginning of a section's part. */
static u64 length_size(const struct split_unit *u)
{
	return u->offset_size == sizeof(u64) ? sizeof(u32) + sizeof(u64) : sizeof(u32);
}

/* Reads the number of an entry, in any of the forms that strings or addresses have. */
static bool take_index(const struct split_units *s, const Dwarf_Attribute *attr, u64 *index)
{
	struct cursor c = value_of(s, attr);

	switch (attr->form) {
	case DW_FORM_strx:
	case DW_FORM_GNU_str_index:
	case DW_FORM_addrx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_rnglistx:
		*index = cursor_uleb(&c);
		break;
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		*index = cursor_u8(&c);
		break;
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		*index = cursor_u16(&c);
		break;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		*index = take_u24(&c);
		break;
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
		*index = cursor_u32(&c);
		break;
	default:
		return false;
	}
	return !c.bad;
}

/* ---- references ------------------------------------------------------------------------------ */

/* Follows a reference. In a split unit, one to another unit counts from where its file begins. */
static bool refer(const struct split_units *s, Dwarf_Attribute *attr, Dwarf_Die *to)
{
	const struct split_unit *u = split_unit_of(s, attr->cu);
	struct cursor c;
	u64 offset;

	if (!u || attr->form != DW_FORM_ref_addr)
		return dwarf_formref_die(attr, to) != NULL;
	c = value_of(s, attr);
	offset = take_offset(u, &c);
	return !c.bad && dwarf_offdie(split_units_dwarf(s), u->info_base + offset, to);
}

bool dwarf_forms_follow(const struct split_units *splits, Dwarf_Die *die, Dwarf_Die *to)
{
	Dwarf_Attribute attr;

	return (dwarf_attr(die, DW_AT_abstract_origin, &attr) ||
		dwarf_attr(die, DW_AT_specification, &attr)) &&
	       refer(splits, &attr, to);
}

bool dwarf_forms_attr(const struct split_units *splits, const Dwarf_Die *die, unsigned int name,
		      Dwarf_Attribute *attr)
{
	Dwarf_Die at = *die, next;

	for (int i = 0; i < REFERENCES_MAX; i++) {
		if (dwarf_attr(&at, name, attr))
			return true;
		if (!dwarf_forms_follow(splits, &at, &next))
			return false;
		at = next;
	}
	return false;
}

/* ---- strings --------------------------------------------------------------------------------- */

/* From version 5 on, the offsets of strings have a header: length, version, padding. */
static u64 offsets_begin(const struct split_unit *u)
{
	return u->version < 5 ? 0 : length_size(u) + sizeof(u32);
}

static const char *string_at(struct bytes strings, u64 offset)
{
	return offset < strings.len ? (const char *)strings.data + offset : NULL;
}

static const char *split_text(const struct split_units *s, const struct split_unit *u,
			      Dwarf_Attribute *attr)
{
	struct bytes offsets = u->contents.str_offsets;
	struct cursor c;
	u64 index;

	if (attr->form == DW_FORM_string)
		return dwarf_formstring(attr);
	if (attr->form == DW_FORM_strp) {
		c = value_of(s, attr);
		index = take_offset(u, &c);
		return c.bad ? NULL : string_at(u->contents.str, index);
	}
	if (!take_index(s, attr, &index) || index > offsets.len / sizeof(u32))
		return NULL;
	c = cursor_over(offsets);
	cursor_take(&c, offsets_begin(u) + index * u->offset_size);
	index = take_offset(u, &c);
	return c.bad ? NULL : string_at(u->contents.str, index);
}

const char *dwarf_forms_text(const struct split_units *splits, const Dwarf_Die *die,
			     unsigned int name)
{
	const struct split_unit *u;
	Dwarf_Attribute attr;

	if (!dwarf_forms_attr(splits, die, name, &attr))
		return NULL;
	u = split_unit_of(splits, attr.cu);
	return u ? split_text(splits, u, &attr) : dwarf_formstring(&attr);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool address_at(const struct dwarf_file *file, const struct split_unit *u, u64 index,
		       u64 *address)
{
	struct cursor c = cursor_over(file->addr);

	if (index > file->addr.len / sizeof(u64))
		return false;
	cursor_take(&c, u->addr_base);
	cursor_take(&c, index * sizeof(u64));
	*address = cursor_u64(&c);
	return !c.bad;
}

static bool split_address(const struct split_units *s, const struct split_unit *u,
			  Dwarf_Attribute *attr, u64 *address)
{
	u64 index;

	if (attr->form == DW_FORM_addr)
		return !dwarf_formaddr(attr, address);
	return take_index(s, attr, &index) && address_at(split_units_file(s), u, index, address);
}

bool dwarf_forms_low_pc(const struct split_units *splits, Dwarf_Die *die, u64 *address)
{
	const struct split_unit *u = split_unit_of(splits, die->cu);
	Dwarf_Attribute attr;

	if (!u)
		return !dwarf_lowpc(die, address);
	return dwarf_attr(die, DW_AT_low_pc, &attr) && split_address(splits, u, &attr, address);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static bool split_low_high(const struct split_units *s, const struct split_unit *u, Dwarf_Die *die,
			   u64 *low, u64 *high)
{
	Dwarf_Attribute attr;
	Dwarf_Word length;

	if (!dwarf_attr(die, DW_AT_low_pc, &attr) || !split_address(s, u, &attr, low) ||
	    !dwarf_attr(die, DW_AT_high_pc, &attr))
		return false;
	if (!dwarf_formudata(&attr, &length)) {
		*high = *low + length;
		return true;
	}
	return split_address(s, u, &attr, high);
}

/* Gives where a list begins in .debug_rnglists.dwo; a number is that of an entry behind the
 * header. */
static bool list_offset(const struct split_units *s, const struct split_unit *u,
			Dwarf_Attribute *attr, u64 *offset)
{
	const u64 header = length_size(u) + RANGES_HEADER;
	struct cursor c = value_of(s, attr);
	u64 index;

	/* libdw would look for the section in the image. */
	if (attr->form == DW_FORM_sec_offset || attr->form == DW_FORM_data4) {
		*offset = take_offset(u, &c);
		return !c.bad;
	}
	c = cursor_over(u->contents.rnglists);
	if (!take_index(s, attr, &index) || index > u->contents.rnglists.len / sizeof(u32))
		return false;
	cursor_take(&c, header + index * u->offset_size);
	*offset = header + take_offset(u, &c);
	return !c.bad;
}

static void find_list(struct die_ranges *r, const struct split_units *s)
{
	struct bytes section = r->split->version < 5 ? r->file->ranges
						     : r->split->contents.rnglists;
	Dwarf_Attribute attr;
	u64 offset;

	if (!dwarf_attr(r->die, DW_AT_ranges, &attr) || !list_offset(s, r->split, &attr, &offset))
		return;
	if (r->split->version < 5)
		offset += r->split->ranges_base;
	r->list = cursor_over(section);
	if (!cursor_take(&r->list, offset))
		r->list = cursor_over((struct bytes){0});
}

void die_ranges_begin(struct die_ranges *r, const struct split_units *splits, struct budget *budget,
		      Dwarf_Die *die)
{
	*r = (struct die_ranges){
		.budget = budget, .die = die, .split = split_unit_of(splits, die->cu)};
	if (!r->split)
		return;
	r->file = split_units_file(splits);
	r->base = r->split->low_pc;
	r->single = split_low_high(splits, r->split, die, &r->single_start, &r->single_end);
	if (!r->single)
		find_list(r, splits);
}

/* Reads an entry of .debug_ranges. Returns 1 for a range, 2 for a base, or 0 at the end. */
static int take_old_entry(struct die_ranges *r, u64 *start, u64 *end)
{
	*start = cursor_u64(&r->list);
	*end = cursor_u64(&r->list);
	if (r->list.bad || (!*start && !*end))
		return 0;
	if (*start == UINT64_MAX) {
		r->base = *end;
		return 2;
	}
	*start += r->base;
	*end += r->base;
	return 1;
}

/* Does the same for .debug_rnglists (DWARF 5, section 7.25). */
static int take_entry(struct die_ranges *r, u64 *start, u64 *end)
{
	struct cursor *c = &r->list;
	bool good = true;
	u8 kind = cursor_u8(c);

	switch (kind) {
	case DW_RLE_base_addressx:
		good = address_at(r->file, r->split, cursor_uleb(c), &r->base);
		break;
	case DW_RLE_base_address:
		r->base = cursor_u64(c);
		break;
	case DW_RLE_startx_endx:
		good = address_at(r->file, r->split, cursor_uleb(c), start) &&
		       address_at(r->file, r->split, cursor_uleb(c), end);
		break;
	case DW_RLE_startx_length:
		good = address_at(r->file, r->split, cursor_uleb(c), start);
		*end = *start + cursor_uleb(c);
		break;
	case DW_RLE_offset_pair:
		*start = r->base + cursor_uleb(c);
		*end = r->base + cursor_uleb(c);
		break;
	case DW_RLE_start_end:
		*start = cursor_u64(c);
		*end = cursor_u64(c);
		break;
	case DW_RLE_start_length:
		*start = cursor_u64(c);
		*end = *start + cursor_uleb(c);
		break;
	default: /* DW_RLE_end_of_list */
		return 0;
	}
	if (c->bad || !good)
		return 0;
	return kind == DW_RLE_base_addressx || kind == DW_RLE_base_address ? 2 : 1;
}

static int next_of_split(struct die_ranges *r, u64 *start, u64 *end)
{
	int kind = 2;

	if (r->single) {
		r->single = false;
		*start = r->single_start;
		*end = r->single_end;
		return 1;
	}
	*start = *end = 0;
	while (kind == 2 && cursor_left(&r->list)) {
		if (!budget_take(r->budget, BUDGET_INFO, ENTRY_STEPS))
			return -E2BIG;
		kind = r->split->version < 5 ? take_old_entry(r, start, end)
					     : take_entry(r, start, end);
	}
	return kind == 1;
}

int die_ranges_next(struct die_ranges *r, u64 *start, u64 *end)
{
	Dwarf_Addr base;

	if (!budget_look(r->budget, BUDGET_INFO, RANGE_STEPS))
		return -E2BIG;
	if (r->split)
		return next_of_split(r, start, end);
	r->at = dwarf_ranges(r->die, r->at, &base, start, end);
	return r->at > 0;
}
