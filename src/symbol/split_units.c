/* SPDX-License-Identifier: Apache-2.0 */
/* Collects split units in an image: see split_units.h. */
#include "symbol/split_units.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/vec.h"
#include "elf/elf_image.h"

#define UNIT_STEPS 500
#define HEADERS_MAX 65536u /* how many units of one .dwo file are looked at */
#define LENGTH_64_BIT 0xffffffffu

struct known_cu {
	Dwarf_CU *cu;
	u32 unit;
	UT_hash_handle hh;
};

struct split_units {
	const struct dwarf_file *file;
	const struct split_source *source;
	VEC(struct split_unit) units; /* by info_base, as they were added */
	VEC(u8) info, abbrev; /* until they are in the image */
	struct elf_image image;
	struct elf_file *elf;
	Dwarf *dwarf;
	struct known_cu *known; /* units of the image */
	u32 wanted, missing;
	int why; /* of the first one that is missing */
	char example[300];
};

int split_units_new(const struct dwarf_file *file, const struct split_source *source,
		    struct split_units **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->file = file;
	(*out)->source = source;
	return 0;
}

void split_units_free(struct split_units *s)
{
	struct known_cu *known, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->known, known, next) {
		HASH_DEL(s->known, known);
		free(known);
	}
	dwarf_end(s->dwarf);
	elf_file_free(s->elf);
	elf_image_release(&s->image);
	vec_release(&s->units);
	vec_release(&s->info);
	vec_release(&s->abbrev);
	free(s);
}

/* ---- skeletons ------------------------------------------------------------------------------- */

static const char *text_of(Dwarf_Die *die, unsigned int name, unsigned int gnu_name)
{
	Dwarf_Attribute attr;

	if (!dwarf_attr(die, name, &attr) && (!gnu_name || !dwarf_attr(die, gnu_name, &attr)))
		return NULL;
	return dwarf_formstring(&attr);
}

static u64 number_of(Dwarf_Die *die, unsigned int name, unsigned int gnu_name, u64 otherwise)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attr) && (!gnu_name || !dwarf_attr(die, gnu_name, &attr)))
		return otherwise;
	return dwarf_formudata(&attr, &value) ? otherwise : value;
}

static bool read_skeleton(Dwarf_Die *die, struct split_unit *u)
{
	Dwarf_Half version;
	Dwarf_Addr low_pc;
	uint64_t id;
	uint8_t type;

	*u = (struct split_unit){.skeleton = *die, .offset_size = sizeof(u32)};
	if (dwarf_cu_info(die->cu, &version, &type, NULL, NULL, &id, NULL, NULL) ||
	    type != DW_UT_skeleton)
		return false;
	u->id = id;
	u->version = version;
	u->low_pc = dwarf_lowpc(die, &low_pc) ? 0 : low_pc;
	/* Without the attribute, the part begins behind the header that version 5 has. */
	u->addr_base = number_of(die, DW_AT_addr_base, DW_AT_GNU_addr_base, version < 5 ? 0 : 8);
	u->ranges_base = number_of(die, DW_AT_GNU_ranges_base, 0, 0);
	return true;
}

static void note_missing(struct split_units *s, const struct split_request *r, int why)
{
	const char *name = r->name ? r->name : "";

	if (s->missing++)
		return;
	s->why = why;
	snprintf(s->example, sizeof(s->example), "%.140s%s%.140s",
		 name[0] != '/' && r->directory ? r->directory : "",
		 name[0] != '/' && r->directory ? "/" : "", name);
}

/* ---- collecting their trees ------------------------------------------------------------------ */

static int append(struct split_units *s, void *vec, struct bytes from, u64 *at)
{
	VEC(u8) *to = vec;

	*at = to->len;
	/* Half of the vector may be unused, and the image holds it once more. */
	if (!budget_reserve(s->file->budget, BUDGET_INFO, 3 * (u64)from.len))
		return -E2BIG;
	if (vec_reserve(to, to->len + from.len))
		return -ENOMEM;
	if (from.len)
		memcpy(to->data + to->len, from.data, from.len);
	to->len += from.len;
	return 0;
}

/* The offset of a unit's abbreviations is relative to its own part, so `by` is added to it. */
static void move_abbreviations(struct split_units *s, u64 from, u64 by)
{
	struct bytes info = {s->info.data + from, s->info.len - from};
	struct cursor c = cursor_over(info);

	for (u32 i = 0; i < HEADERS_MAX && cursor_left(&c); i++) {
		u64 length = cursor_u32(&c);
		bool wide = length == LENGTH_64_BIT;
		struct cursor header;
		size_t at;
		u32 offset;

		if (wide)
			length = cursor_u64(&c);
		header = c;
		if (!cursor_take(&c, length))
			return;
		/* In version 5, the type of the unit and the size of addresses come first. */
		if (cursor_u16(&header) >= 5)
			cursor_u16(&header);
		at = (size_t)(header.pos - info.data);
		offset = cursor_u32(&header);
		if (header.bad || offset > UINT32_MAX - by)
			return;
		offset += (u32)by;
		memcpy(s->info.data + from + at, &offset, sizeof(offset));
	}
}

/* A .dwo file may have several units (link-time optimization), whose skeletons share its tree. */
static bool is_there(const struct split_units *s, const struct split_unit *u, u64 *info_base)
{
	const struct split_unit *last = s->units.len ? &s->units.data[s->units.len - 1] : NULL;

	if (!last || !u->contents.file || last->contents.file != u->contents.file ||
	    last->id == u->id)
		return false;
	*info_base = last->info_base;
	return true;
}

static int collect(struct split_units *s, struct split_unit *u)
{
	u64 abbrev_base;
	int err;

	if (is_there(s, u, &u->info_base))
		return 0;
	err = append(s, &s->info, u->contents.info, &u->info_base);
	if (!err)
		err = append(s, &s->abbrev, u->contents.abbrev, &abbrev_base);
	if (!err)
		move_abbreviations(s, u->info_base, abbrev_base);
	return err;
}

int split_units_add(struct split_units *s, Dwarf_Die *skeleton, u32 *number)
{
	struct split_request r = {0};
	struct split_unit u;
	int err;

	*number = NO_SPLIT;
	if (!read_skeleton(skeleton, &u))
		return 0;
	s->wanted++;
	r.id = u.id;
	r.name = text_of(skeleton, DW_AT_dwo_name, DW_AT_GNU_dwo_name);
	r.directory = text_of(skeleton, DW_AT_comp_dir, 0);
	err = s->source ? s->source->find(s->source->arg, &r, &u.contents) : -ENOENT;
	if (!err && s->units.len >= NO_SPLIT - 1)
		err = -E2BIG;
	if (!err)
		err = collect(s, &u);
	if (err == -E2BIG || err == -ENOMEM)
		return err;
	if (err) {
		note_missing(s, &r, err);
		return 0;
	}
	*number = (u32)s->units.len;
	return vec_push(&s->units, u);
}

/* ---- the image ------------------------------------------------------------------------------- */

static int begin(struct split_units *s, struct elf_file *like)
{
	int err =
		elf_image_add(&s->image, ".debug_info", (struct bytes){s->info.data, s->info.len});

	if (!err)
		err = elf_image_add(&s->image, ".debug_abbrev",
				    (struct bytes){s->abbrev.data, s->abbrev.len});
	vec_release(&s->info);
	vec_release(&s->abbrev);
	if (!err)
		err = elf_image_finish(&s->image, like, &s->elf);
	if (err)
		return err;
	s->dwarf = dwarf_begin_elf(elf_file_handle(s->elf), DWARF_C_READ, NULL);
	return s->dwarf ? 0 : -EBADMSG;
}

/* Adds what libdw calls `cu`, which belongs to one of the units [first, end) of its file. */
static int add_cu(struct split_units *s, Dwarf_CU *cu, Dwarf_Die *die, u32 first, u32 end)
{
	struct known_cu *known = calloc(1, sizeof(*known));
	uint8_t offset_size;
	uint64_t id;

	if (!known)
		return -ENOMEM;
	known->cu = cu;
	known->unit = first;
	if (!dwarf_cu_info(cu, NULL, NULL, NULL, NULL, &id, NULL, &offset_size)) {
		for (u32 i = first; i < end; i++) {
			struct split_unit *u = &s->units.data[i];

			if (u->open || u->id != id)
				continue;
			known->unit = i;
			u->die = *die;
			u->open = true;
			u->offset_size = offset_size;
			break;
		}
	}
	HASH_ADD_PTR(s->known, cu, known);
	if (HASH_ADDED(known))
		return 0;
	free(known);
	return -ENOMEM;
}

static u32 end_of_file(const struct split_units *s, u32 first)
{
	u32 end = first;

	while (end < s->units.len && s->units.data[end].info_base == s->units.data[first].info_base)
		end++;
	return end;
}

static int find_units(struct split_units *s)
{
	u32 first = 0, end = end_of_file(s, 0);
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;
	int err = 0;

	while (!err && !dwarf_get_units(s->dwarf, cu, &cu, NULL, &type, &die, NULL)) {
		if (!budget_look(s->file->budget, BUDGET_INFO, UNIT_STEPS))
			return -E2BIG;
		while (end < s->units.len &&
		       s->units.data[end].info_base <= dwarf_dieoffset(&die)) {
			first = end;
			end = end_of_file(s, first);
		}
		if (type == DW_UT_split_compile)
			err = add_cu(s, cu, &die, first, end);
	}
	return err;
}

int split_units_open(struct split_units *s)
{
	int err;

	if (!s->units.len)
		return 0;
	err = begin(s, s->file->elf);
	if (!err)
		err = find_units(s);
	vec_for_each(&s->units, u) {
		struct split_request r = {
			.name = text_of(&u->skeleton, DW_AT_dwo_name, DW_AT_GNU_dwo_name)};

		if (!u->open)
			note_missing(s, &r, err ? err : -ESTALE);
	}
	return err == -EBADMSG ? 0 : err;
}

/* ---- queries --------------------------------------------------------------------------------- */

const struct split_unit *split_units_at(const struct split_units *s, u32 number)
{
	return s && number < s->units.len && s->units.data[number].open ? &s->units.data[number]
									: NULL;
}

const struct split_unit *split_unit_of(const struct split_units *s, Dwarf_CU *cu)
{
	struct known_cu *known;

	if (!s || !s->known)
		return NULL;
	HASH_FIND_PTR(s->known, &cu, known);
	return known ? &s->units.data[known->unit] : NULL;
}

const struct dwarf_file *split_units_file(const struct split_units *s)
{
	return s->file;
}

Dwarf *split_units_dwarf(const struct split_units *s)
{
	return s->dwarf;
}

struct bytes split_units_image(const struct split_units *s)
{
	return s->elf ? elf_file_memory(s->elf) : (struct bytes){0};
}

static const char *reason(int why)
{
	switch (why) {
	case -ENOENT:
		return "missing";
	case -ESTALE:
		return "of another build";
	case -EBADMSG:
		return "damaged";
	case -EINVAL:
		return "not a plain file";
	default:
		return error_reason(why);
	}
}

void split_units_missing(const struct split_units *s, char *out, size_t size)
{
	out[0] = '\0';
	if (s->missing)
		snprintf(out, size, "%u of %u files with its split part: %s (%s)", s->missing,
			 s->wanted, s->example, reason(s->why));
}
