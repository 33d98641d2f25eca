/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the files of split DWARF: see split_files.h. */
#include "symbol/split_files.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/path.h"
#include "elf/dwp_index.h"
#include "elf/symbols.h"

#define LENGTH_64_BIT 0xffffffffu
#define UNIT_SPLIT_COMPILE 5 /* DW_UT_split_compile */
#define OPEN_STEPS 20000 /* nanoseconds to find that there is no file */

struct package {
	struct elf_file *elf; /* NULL if there is none */
	struct dwp_index index;
	struct split_contents sections;
};

struct object { /* a .dwo file */
	char *path;
	struct elf_file *elf;
	struct split_contents contents;
	int err;
	UT_hash_handle hh;
};

struct split_files {
	struct split_source source;
	struct elf_file *payer;
	const char *path;
	const struct target_root *root;
	struct package package;
	bool searched_package;
	int package_err; /* why a package that is there was not opened; else -ENOENT */
	struct object *objects;
};

static struct bytes section_of(struct elf_file *f, const char *name)
{
	struct elf_section s;

	return elf_file_section(f, name, &s) ? (struct bytes){0} : s.data;
}

/* The header of the first unit says whether it is a type. Before version 5 those are elsewhere. */
static bool has_code_units(struct bytes info)
{
	struct cursor c = cursor_over(info);
	u16 version;

	if (cursor_u32(&c) == LENGTH_64_BIT)
		cursor_u64(&c);
	version = cursor_u16(&c);
	return version < 5 || cursor_u8(&c) == UNIT_SPLIT_COMPILE;
}

/* gcc puts each type unit into a section of its own, with the name that the other units have. */
static struct bytes info_of(struct elf_file *f)
{
	struct elf_section s;

	if (!elf_file_section_where(f, ".debug_info.dwo", has_code_units, &s))
		return s.data;
	return section_of(f, ".debug_info.dwo");
}

static void take_sections(struct elf_file *f, struct split_contents *c)
{
	*c = (struct split_contents){
		.info = info_of(f),
		.abbrev = section_of(f, ".debug_abbrev.dwo"),
		.str_offsets = section_of(f, ".debug_str_offsets.dwo"),
		.rnglists = section_of(f, ".debug_rnglists.dwo"),
		.str = elf_terminated(section_of(f, ".debug_str.dwo")),
	};
}

static int open_at(struct split_files *s, const char *path, struct elf_file **out)
{
	struct input_file in;
	int err;

	if (!budget_look(elf_file_budget(s->payer), BUDGET_INFO, OPEN_STEPS))
		return -E2BIG;
	err = target_root_input(s->root, path, TARGET_PATH_LINKS, &in);
	if (!err)
		err = elf_file_open_input(&in, out);
	if (!err)
		elf_file_share_budget(*out, s->payer);
	return err == -ENOEXEC || err == -ENOTSUP ? -EBADMSG : err;
}

/* ---- package files --------------------------------------------------------------------------- */

static bool open_package(struct split_files *s, const char *path)
{
	struct package *p = &s->package;
	int err = open_at(s, path, &p->elf);

	if (err && s->package_err == -ENOENT)
		s->package_err = err;
	if (err)
		return false;
	if (!dwp_index_init(&p->index, section_of(p->elf, ".debug_cu_index"))) {
		take_sections(p->elf, &p->sections);
		return true;
	}
	elf_file_free(p->elf);
	p->elf = NULL;
	s->package_err = -EBADMSG;
	return false;
}

/* A stripped program's package bears the name of its debug file, or that of the program. */
static void search_package(struct split_files *s)
{
	struct bytes link = section_of(s->payer, ".gnu_debuglink");
	char path[PATH_MAX];

	s->searched_package = true;
	if (!s->path || snprintf(path, sizeof(path), "%s.dwp", s->path) >= (int)sizeof(path) ||
	    open_package(s, path))
		return;
	if (!link.len || !memchr(link.data, 0, link.len) || strchr((const char *)link.data, '/'))
		return;
	if (snprintf(path, sizeof(path), "%.*s%s.dwp", (int)(path_name(s->path) - s->path), s->path,
		     (const char *)link.data) < (int)sizeof(path))
		open_package(s, path);
}

static bool find_in_package(struct split_files *s, u64 id, struct split_contents *out)
{
	const struct package *p = &s->package;
	struct dwp_unit unit;

	if (!s->searched_package)
		search_package(s);
	if (!p->elf || !dwp_index_find(&p->index, id, &unit))
		return false;
	*out = (struct split_contents){
		.info = dwp_unit_part(&unit, DWP_INFO, p->sections.info),
		.abbrev = dwp_unit_part(&unit, DWP_ABBREV, p->sections.abbrev),
		.str_offsets = dwp_unit_part(&unit, DWP_STR_OFFSETS, p->sections.str_offsets),
		.rnglists = dwp_unit_part(&unit, DWP_RNGLISTS, p->sections.rnglists),
		.str = p->sections.str,
	};
	return out->info.len && out->abbrev.len;
}

/* ---- .dwo files ------------------------------------------------------------------------------ */

/*
 * Returns whether a .dwo file may have the unit. From version 5 on, the header of a unit has its
 * ID; before, only its tree has. A file of another build may lie at the path.
 */
static bool may_have(struct bytes info, u64 id)
{
	struct cursor c = cursor_over(info);

	while (cursor_left(&c)) {
		u32 length = cursor_u32(&c);
		const u8 *unit = cursor_take(&c, length);
		struct cursor header = cursor_over((struct bytes){unit, unit ? length : 0});
		u16 version = cursor_u16(&header);
		u8 type = cursor_u8(&header);

		if (!unit || version < 5) /* such as one of the 64-bit format */
			return true;
		cursor_take(&header, 5);
		if (type == UNIT_SPLIT_COMPILE && cursor_u64(&header) == id)
			return true;
	}
	return false;
}

static int read_object(struct split_files *s, struct object *o)
{
	int err = open_at(s, o->path, &o->elf);

	if (err)
		return err;
	take_sections(o->elf, &o->contents);
	o->contents.file = o;
	/* There may be more of them than descriptors. */
	elf_file_close_input(o->elf);
	return o->contents.info.len && o->contents.abbrev.len ? 0 : -EBADMSG;
}

/* Returns the object at a path, whether or not there is a file. */
static struct object *object_at(struct split_files *s, const char *path)
{
	struct object *o;

	HASH_FIND_STR(s->objects, path, o);
	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->path = strdup(path);
	if (o->path)
		HASH_ADD_KEYPTR(hh, s->objects, o->path, strlen(o->path), o);
	if (!o->path || !HASH_ADDED(o)) {
		free(o->path);
		free(o);
		return NULL;
	}
	o->err = read_object(s, o);
	return o;
}

struct attempt {
	struct split_files *files;
	const struct split_request *request;
	struct split_contents *out;
	int err; /* the most telling one so far */
};

/* Returns 0 if the object is there. */
static int try_object(struct attempt *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int try_object(struct attempt *a, const char *fmt, ...)
{
	const struct object *o;
	char path[PATH_MAX];
	va_list ap;
	int len, err;

	va_start(ap, fmt);
	len = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENOENT;
	o = object_at(a->files, path);
	err = o ? o->err : -ENOMEM;
	if (!err && !may_have(o->contents.info, a->request->id))
		err = -ESTALE;
	if (!err)
		*a->out = o->contents;
	else if (a->err == -ENOENT)
		a->err = err;
	return err;
}

static int find_object(struct split_files *s, const struct split_request *r,
		       struct split_contents *out)
{
	struct attempt a = {.files = s, .request = r, .out = out, .err = -ENOENT};
	int dir = s->path ? (int)(path_name(s->path) - s->path) : 0;
	bool absolute;

	if (!r->name || !r->name[0])
		return -ENOENT;
	absolute = r->name[0] == '/';
	if (absolute && !try_object(&a, "%s", r->name))
		return 0;
	if (!absolute && r->directory && !try_object(&a, "%s/%s", r->directory, r->name))
		return 0;
	if (dir && !absolute && !try_object(&a, "%.*s%s", dir, s->path, r->name))
		return 0;
	if (dir && !try_object(&a, "%.*s%s", dir, s->path, path_name(r->name)))
		return 0;
	return a.err;
}

static int find(void *arg, const struct split_request *r, struct split_contents *out)
{
	const struct split_files *s = arg;
	int err = find_in_package(arg, r->id, out) ? 0 : find_object(arg, r, out);

	return err == -ENOENT ? s->package_err : err;
}

int split_files_new(struct elf_file *payer, const char *path, const struct target_root *root,
		    struct split_files **out)
{
	struct split_files *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->source = (struct split_source){find, s};
	s->package_err = -ENOENT;
	s->payer = payer;
	s->path = path;
	s->root = root;
	*out = s;
	return 0;
}

void split_files_free(struct split_files *s)
{
	struct object *o, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->objects, o, next) {
		HASH_DEL(s->objects, o);
		elf_file_free(o->elf);
		free(o->path);
		free(o);
	}
	elf_file_free(s->package.elf);
	free(s);
}

const struct split_source *split_files_source(struct split_files *s)
{
	return &s->source;
}
