/* SPDX-License-Identifier: Apache-2.0 */
/* Places probes behind system calls: see fd_probes.h. */
#include "collect/state/fd_probes.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/syscall_site.h"
#include "base/bpf_shared.h"
#include "elf/dynamic_flags.h"

#define SITES_MAX 256 /* limits a hostile file; glibc has some 40 */
#define CODE_MAX (64u << 20) /* bytes of code that are searched */

struct fd_file {
	struct probed_file base;
	uprobe_places places; /* empty if the file is not a C library */
};

struct fd_probes {
	struct fd_programs p;
	struct probe_set *set;
};

/* ---- files ---- */

struct reading {
	struct fd_probes *d;
	struct fd_file *file;
	u64 offset; /* of the segment's code in the file */
};

static int take_site(void *arg, const struct syscall_site *site)
{
	const struct reading *in = arg;
	u64 offset = in->offset + site->offset;

	if (!arch_syscall_opens(site->number) || in->file->places.len == SITES_MAX)
		return 0;
	if (code_spans_add_place(&in->file->base.probed, offset))
		return -ENOMEM;
	return vec_push(
		&in->file->places,
		(struct uprobe_place){
			.offset = offset,
			.cookie = site->number |
				  (site->cost == PROBE_COST_STEPPED ? FD_COOKIE_STEPPED : 0),
		});
}

static int search(struct reading *in, struct elf_file *elf)
{
	const struct elf_segment *segments;
	size_t n = elf_file_segments(elf, &segments);
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		const struct elf_segment *s = &segments[i];

		if (!(s->flags & PF_X) || s->filesz > CODE_MAX)
			continue;
		in->offset = s->offset;
		err = arch_syscall_sites(elf_file_loaded(elf, s->vaddr, s->filesz), s->vaddr,
					 in->d->p.kernel, take_site, in);
	}
	return err;
}

/* No other file is opened, as that may take a second. A static program contains its library. */
static bool is_wanted(void *arg, const struct map_entry *e)
{
	const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;

	return !strstr(name, ".so") || !strncmp(name, "libc.", 5) || !strncmp(name, "libc-", 5) ||
	       !strncmp(name, "ld-musl", 7) || !strncmp(name, "libpthread", 10);
}

/* glibc's library can be run as well. */
static bool is_dynamic_program(struct elf_file *elf, const char *path)
{
	struct elf_section section;

	return !strstr(path, ".so") && elf_file_section_header(elf, ".interp", &section) != -ENOENT;
}

static void release_file(void *arg, struct probed_file *base)
{
	struct fd_file *f = (struct fd_file *)base;

	vec_release(&f->base.probed);
	vec_release(&f->places);
	free(f);
}

static int read_file(void *arg, struct elf_file *elf, const char *path, struct probed_file **out)
{
	struct fd_file *file = calloc(1, sizeof(*file));
	struct reading in = {.d = arg, .file = file};
	int err = file ? 0 : -ENOMEM;

	/* The kernel would execute probed instructions as they are before the relocation. */
	if (!err && !is_dynamic_program(elf, path) && !elf_has_text_relocations(elf))
		err = search(&in, elf);
	if (!err)
		*out = &file->base;
	else if (file)
		release_file(arg, &file->base);
	return err;
}

static int attach_file(void *arg, const struct probed_file *f, struct attach_target *t)
{
	const struct fd_probes *d = arg;

	return attach_places(t, d->p.syscall, UPROBE_ENTRY, d->p.links,
			     &((const struct fd_file *)f)->places);
}

/* ---- creation and end ---- */

int fd_probes_new(const struct fd_programs *programs, struct fd_probes **out)
{
	static const struct probe_set_ops ops = {.wanted = is_wanted,
						 .read = read_file,
						 .release = release_file,
						 .attach = attach_file};
	struct probe_set_options opt = {.ops = &ops,
					.pins = programs->pins,
					.readers = programs->readers,
					.modules = programs->modules,
					.log = programs->log};
	int err;

	*out = opt.arg = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->p = *programs;
	err = probe_set_new(&opt, &(*out)->set);
	if (!err)
		return 0;
	free(*out);
	*out = NULL;
	return err;
}

void fd_probes_free(struct fd_probes *d)
{
	if (!d)
		return;
	probe_set_free(d->set);
	free(d);
}

struct probe_set *fd_probes_set(struct fd_probes *d)
{
	return d->set;
}
