/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the header of a line number program, and runs it for a list of addresses. */
#include "symbol/line_table.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "base/vec.h"
#include "elf/symbols.h"

#define LENGTH_64_BIT 0xffffffffu
#define LENGTH_RESERVED 0xfffffff0u
#define ENTRY_STEPS 20
#define OPCODE_STEPS 3
#define PART_MAX 4096 /* the most bytes of a directory or file name that are used */
#define FORMATS_MAX 32

struct entry { /* holds a directory or a file */
	const char *name; /* NULL if its form is not supported */
	u64 directory;
	char *path; /* of a file, once it has been requested */
};

typedef VEC(struct entry) entry_vec;

struct line_table {
	const struct line_sections *sections;
	struct budget *budget;
	u16 version;
	u8 offset_size; /* 4 or 8 */
	u8 min_length, max_operations, line_range, opcode_base;
	s8 line_base;
	const u8 *lengths; /* numbers of operands of the standard opcodes, from 1 on */
	struct bytes program;
	entry_vec directories, files;
};

/* ---- the header ------------------------------------------------------------------------------ */

static u64 take_offset(const struct line_table *t, struct cursor *c)
{
	return t->offset_size == 8 ? cursor_u64(c) : cursor_u32(c);
}

static int add_entry(struct line_table *t, entry_vec *v, const struct entry *e)
{
	/* Up to half of the vector may be unused. */
	if (!budget_take(t->budget, BUDGET_LINES, ENTRY_STEPS) ||
	    !budget_reserve(t->budget, BUDGET_LINES, 2 * sizeof(*e)))
		return -E2BIG;
	return vec_push(v, *e);
}

/* In versions 2 to 4 strings follow each other, with an empty one at the end. */
static int read_old_directories(struct line_table *t, struct cursor *c)
{
	struct entry e = {0};
	int err = 0;

	while (!err && (e.name = cursor_string(c)) && *e.name)
		err = add_entry(t, &t->directories, &e);
	return err;
}

static int read_old_files(struct line_table *t, struct cursor *c)
{
	struct entry e = {0};
	int err = 0;

	while (!err && (e.name = cursor_string(c)) && *e.name) {
		e.directory = cursor_uleb(c);
		cursor_uleb(c); /* time */
		cursor_uleb(c); /* size */
		err = add_entry(t, &t->files, &e);
	}
	return err;
}

static void skip_block(struct cursor *c, u64 len)
{
	cursor_take(c, len);
}

/*
 * Reads a value of version 5's tables: a string into *text, a number into *number; others are
 * skipped.
 */
static void take_form(const struct line_table *t, struct cursor *c, u64 form, const char **text,
		      u64 *number)
{
	switch (form) {
	case DW_FORM_string:
		*text = cursor_string(c);
		break;
	case DW_FORM_line_strp:
		*text = elf_name_at(t->sections->line_str, take_offset(t, c));
		break;
	case DW_FORM_strp:
		*text = elf_name_at(t->sections->str, take_offset(t, c));
		break;
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
		*text = elf_name_at(t->sections->alt_str, take_offset(t, c));
		break;
	case DW_FORM_udata:
		*number = cursor_uleb(c);
		break;
	case DW_FORM_data1:
		*number = cursor_u8(c);
		break;
	case DW_FORM_data2:
		*number = cursor_u16(c);
		break;
	case DW_FORM_data4:
		*number = cursor_u32(c);
		break;
	case DW_FORM_data8:
		*number = cursor_u64(c);
		break;
	case DW_FORM_data16: /* MD5 */
		skip_block(c, 16);
		break;
	case DW_FORM_block:
		skip_block(c, cursor_uleb(c));
		break;
	default:
		c->bad = true;
	}
}

/* In version 5 the table gives the format of an entry, then their number, then the entries. */
static int read_entries(struct line_table *t, struct cursor *c, entry_vec *v)
{
	struct {
		u64 type, form;
	} formats[FORMATS_MAX];
	u8 nformats = cursor_u8(c);
	u64 count;
	int err = 0;

	if (nformats > FORMATS_MAX)
		return -EBADMSG;
	for (u8 i = 0; i < nformats; i++) {
		formats[i].type = cursor_uleb(c);
		formats[i].form = cursor_uleb(c);
	}
	count = nformats ? cursor_uleb(c) : (cursor_uleb(c), 0);
	for (u64 n = 0; n < count && !err && !c->bad; n++) {
		struct entry e = {0};

		for (u8 i = 0; i < nformats; i++) {
			const char *text = NULL;
			u64 number = 0;

			take_form(t, c, formats[i].form, &text, &number);
			if (formats[i].type == DW_LNCT_path)
				e.name = text;
			else if (formats[i].type == DW_LNCT_directory_index)
				e.directory = number;
		}
		if (!c->bad)
			err = add_entry(t, v, &e);
	}
	return err;
}

static int read_tables(struct line_table *t, struct cursor *c)
{
	int err;

	if (t->version < 5) {
		err = read_old_directories(t, c);
		return err ? err : read_old_files(t, c);
	}
	err = read_entries(t, c, &t->directories);
	return err ? err : read_entries(t, c, &t->files);
}

/* Leaves `c` after the length field, and ending where the unit ends. */
static int read_length(struct line_table *t, struct cursor *c)
{
	u64 len = cursor_u32(c);

	t->offset_size = len == LENGTH_64_BIT ? 8 : 4;
	if (len == LENGTH_64_BIT)
		len = cursor_u64(c);
	else if (len >= LENGTH_RESERVED)
		return -EBADMSG;
	if (c->bad || len > cursor_left(c))
		return -EBADMSG;
	c->end = c->pos + len;
	return 0;
}

static int read_header(struct line_table *t, struct cursor *c)
{
	struct cursor header;
	u64 len;

	t->version = cursor_u16(c);
	if (t->version < 2 || t->version > 5)
		return -EBADMSG;
	if (t->version == 5)
		cursor_u16(c); /* the sizes of addresses and of segment selectors */
	len = take_offset(t, c);
	header = *c;
	if (!cursor_take(c, len))
		return -EBADMSG;
	header.end = c->pos;
	t->program = (struct bytes){c->pos, cursor_left(c)};
	t->min_length = cursor_u8(&header);
	t->max_operations = t->version >= 4 ? cursor_u8(&header) : 1;
	cursor_u8(&header); /* default for whether rows begin statements */
	t->line_base = cursor_s8(&header);
	t->line_range = cursor_u8(&header);
	t->opcode_base = cursor_u8(&header);
	t->lengths = t->opcode_base ? cursor_take(&header, t->opcode_base - 1u) : NULL;
	if (!t->lengths || !t->max_operations || !t->line_range)
		return -EBADMSG;
	return read_tables(t, &header);
}

int line_table_new(const struct line_sections *s, u64 offset, struct budget *budget,
		   struct line_table **out)
{
	struct cursor c = cursor_over(s->line);
	struct line_table *t;
	int err;

	if (!cursor_take(&c, offset))
		return -EBADMSG;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->sections = s;
	t->budget = budget;
	err = read_length(t, &c);
	if (!err)
		err = read_header(t, &c);
	if (err) {
		line_table_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void line_table_free(struct line_table *t)
{
	if (!t)
		return;
	vec_for_each(&t->files, f)
		free(f->path);
	vec_release(&t->directories);
	vec_release(&t->files);
	free(t);
}

/* ---- files ----------------------------------------------------------------------------------- */

/*
 * Directories and files are numbered from 1 before version 5, where 0 is the unit's own directory.
 */
static struct entry *entry_at(const struct line_table *t, const entry_vec *v, u64 number)
{
	u64 index = t->version < 5 ? number - 1 : number;

	return index < v->len && v->data[index].name ? &v->data[index] : NULL;
}

const char *line_table_file(struct line_table *t, u64 number)
{
	struct entry *file = entry_at(t, &t->files, number), *directory;

	if (!file || file->path)
		return file ? file->path : NULL;
	directory = file->name[0] == '/' ? NULL : entry_at(t, &t->directories, file->directory);
	if (!budget_reserve(t->budget, BUDGET_NAMES, 2 * PART_MAX))
		return NULL;
	if (asprintf(&file->path, "%.*s%s%.*s", PART_MAX, directory ? directory->name : "",
		     directory ? "/" : "", PART_MAX, file->name) < 0)
		file->path = NULL;
	return file->path;
}

/* ---- the program ----------------------------------------------------------------------------- */

struct machine {
	const struct line_table *t;
	struct cursor code;
	u64 address, operation;
	u64 file, line;

	/* The previous row, which extends to the next one. */
	bool open;
	u64 start;
	u64 row_file, row_line;

	/* The addresses that the program runs for. */
	const u64 *vaddrs;
	size_t n;
	struct line_row *rows;
	size_t next; /* the first address that is not below `upto` */
	u64 upto;
};

static void close_row(struct machine *m)
{
	if (!m->open || m->address <= m->start)
		return;
	if (m->upto != m->start)
		m->next = sorted_from(m->vaddrs, m->n, m->start);
	m->upto = m->address;
	for (; m->next < m->n && m->vaddrs[m->next] < m->address; m->next++) {
		struct line_row *row = &m->rows[m->next];

		if (!budget_take(m->t->budget, BUDGET_LINES, OPCODE_STEPS))
			return;
		if (row->found && row->start > m->start)
			continue;
		*row = (struct line_row){
			.start = m->start,
			.file = m->row_file > UINT32_MAX ? UINT32_MAX : (u32)m->row_file,
			.line = m->row_line > INT32_MAX ? 0 : (u32)m->row_line,
			.found = true,
		};
	}
}

static void put_row(struct machine *m)
{
	close_row(m);
	m->open = true;
	m->start = m->address;
	m->row_file = m->file;
	m->row_line = m->line;
}

static void begin_sequence(struct machine *m)
{
	m->open = false;
	m->address = m->operation = 0;
	m->file = m->line = 1;
}

static void advance(struct machine *m, u64 operations)
{
	u64 sum = m->operation + operations;

	m->address += m->t->min_length * (sum / m->t->max_operations);
	m->operation = sum % m->t->max_operations;
}

static void run_special(struct machine *m, u8 opcode)
{
	u8 adjusted = opcode - m->t->opcode_base;

	m->line += (u64)(s64)(m->t->line_base + adjusted % m->t->line_range);
	advance(m, adjusted / m->t->line_range);
	put_row(m);
}

static void run_extended(struct machine *m)
{
	u64 len = cursor_uleb(&m->code);
	const u8 *data = cursor_take(&m->code, len);
	struct cursor c;

	if (!data || !len)
		return;
	c = cursor_over((struct bytes){data + 1, len - 1});
	switch (*data) {
	case DW_LNE_end_sequence:
		close_row(m);
		begin_sequence(m);
		break;
	case DW_LNE_set_address:
		m->address = len - 1 == sizeof(u64) ? cursor_u64(&c) : cursor_u32(&c);
		m->operation = 0;
		m->code.bad |= c.bad;
		break;
	default: /* No compiler of this century writes DW_LNE_define_file. */
		break;
	}
}

static void skip_operands(struct machine *m, u8 opcode)
{
	for (u8 i = m->t->lengths[opcode - 1]; i; i--)
		cursor_uleb(&m->code);
}

static void run_standard(struct machine *m, u8 opcode)
{
	switch (opcode) {
	case DW_LNS_copy:
		put_row(m);
		break;
	case DW_LNS_advance_pc:
		advance(m, cursor_uleb(&m->code));
		break;
	case DW_LNS_advance_line:
		m->line += (u64)cursor_sleb(&m->code);
		break;
	case DW_LNS_set_file:
		m->file = cursor_uleb(&m->code);
		break;
	case DW_LNS_const_add_pc:
		advance(m, (255u - m->t->opcode_base) / m->t->line_range);
		break;
	case DW_LNS_fixed_advance_pc:
		m->address += cursor_u16(&m->code);
		m->operation = 0;
		break;
	default:
		skip_operands(m, opcode);
	}
}

void line_table_find(const struct line_table *t, const u64 *vaddrs, size_t n, struct line_row *rows)
{
	struct machine m = {.t = t,
			    .code = cursor_over(t->program),
			    .vaddrs = vaddrs,
			    .n = n,
			    .rows = rows,
			    .upto = UINT64_MAX};

	memset(rows, 0, n * sizeof(*rows));
	begin_sequence(&m);
	while (cursor_left(&m.code) && !m.code.bad &&
	       budget_take(t->budget, BUDGET_LINES, OPCODE_STEPS)) {
		u8 opcode = cursor_u8(&m.code);

		if (opcode >= t->opcode_base)
			run_special(&m, opcode);
		else if (opcode)
			run_standard(&m, opcode);
		else
			run_extended(&m);
	}
}
