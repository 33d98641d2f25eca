/* SPDX-License-Identifier: Apache-2.0 */
/* Places probes on the functions of allocators: see alloc_probes.h. */
#include "collect/heap/alloc_probes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/probe/probe_site.h"
#include "collect/probe/return_links.h"

#define TEXT_SIZE 900

struct alloc_probes {
	struct heap_programs p;
	struct function_reader reader;
	struct probe_set *set;
	alloc_codes released; /* the set's lock guards it, and what follows */
	u32 nreleased;
	u32 alloc_ns, free_ns; /* the highest costs in files that were released */
	char text[TEXT_SIZE]; /* about what was found */
	char searched[TEXT_SIZE]; /* about where nothing was found */
};

static void say(char text[TEXT_SIZE], const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(char text[TEXT_SIZE], const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list args;

	if (used + 3 >= TEXT_SIZE)
		return;
	if (used)
		used += (size_t)snprintf(text + used, TEXT_SIZE - used, "; ");
	va_start(args, fmt);
	vsnprintf(text + used, TEXT_SIZE - used, fmt, args);
	va_end(args);
}

/* ---- files ---- */

static struct probe_file *file_of(const struct probe_candidate *c)
{
	return (struct probe_file *)c->file;
}

static int read_file(void *arg, struct elf_file *elf, const char *path, struct probed_file **out)
{
	struct alloc_probes *d = arg;
	struct probe_file *f;
	int err = probe_file_new(&d->reader, elf, path, &f);

	if (err)
		return err;
	if (f->searched)
		say(d->searched, "%s", f->searched);
	*out = &f->base;
	return 0;
}

/* ---- what remains of files that are released ---- */

void alloc_codes_release(alloc_codes *codes)
{
	vec_for_each(codes, code)
		vec_release(&code->ranges);
	vec_release(codes);
}

static u32 module_of(const struct alloc_probes *d, const struct probed_file *f)
{
	u32 module =
		module_set_find(d->p.modules, &(struct map_entry){.inode = f->key.inode,
								  .dev_major = f->key.dev_major,
								  .dev_minor = f->key.dev_minor});

	return module == MODULE_NONE ? f->module : module;
}

static int add_code(const struct alloc_probes *d, const struct probe_file *f, alloc_codes *out)
{
	struct alloc_code code = {
		.module = module_of(d, &f->base), .key = f->base.key, .sampler = f->base.exclusive};
	int err;

	/* Without a number it is in no frame yet. */
	if (code.module == MODULE_NONE || (!code.sampler && !f->ranges.len))
		return 0;
	err = vec_reserve(&code.ranges, f->ranges.len);
	vec_for_each(&f->ranges, range) {
		if (!err)
			err = vec_push(&code.ranges, *range);
	}
	if (!err)
		err = vec_push(out, code);
	if (err)
		vec_release(&code.ranges);
	return err;
}

struct code_reading {
	const struct alloc_probes *d;
	alloc_codes *out;
	int err;
};

static void visit_code(void *arg, const struct probed_file *f)
{
	struct code_reading *in = arg;

	if (!in->err)
		in->err = add_code(in->d, (const struct probe_file *)f, in->out);
}

int alloc_probes_take_code(struct alloc_probes *d, alloc_codes *out)
{
	struct code_reading in = {.d = d, .out = out};

	probe_set_lock(d->set);
	in.err = vec_reserve(out, out->len + d->released.len);
	if (!in.err) {
		vec_for_each(&d->released, code)
			out->data[out->len++] = *code;
		vec_release(&d->released);
		__atomic_store_n(&d->nreleased, 0, __ATOMIC_RELAXED);
		probe_set_visit(d->set, visit_code, &in);
	}
	probe_set_unlock(d->set);
	return in.err;
}

u32 alloc_probes_released(const struct alloc_probes *d)
{
	return __atomic_load_n(&d->nreleased, __ATOMIC_RELAXED);
}

struct cost {
	u32 alloc_ns, free_ns;
	bool shared; /* with other processes */
};

/* Sessions of several processes meet as those of several recordings do. */
static u32 alloc_cost(const struct cost *c, const struct probe_file *f)
{
	bool shared = c->shared && f->allocs.len;

	if (f->apart && f->apart->alloc_ns)
		return f->apart->alloc_ns;
	return f->alloc_ns + (shared ? probe_return_ns() : 0);
}

static void add_cost(void *arg, const struct probed_file *base)
{
	const struct probe_file *f = (const struct probe_file *)base;
	struct cost *c = arg;
	u32 ns = alloc_cost(c, f);

	c->alloc_ns = ns > c->alloc_ns ? ns : c->alloc_ns;
	c->free_ns = f->free_ns > c->free_ns ? f->free_ns : c->free_ns;
}

static void release_file(void *arg, struct probed_file *base)
{
	struct probe_file *f = (struct probe_file *)base;
	struct alloc_probes *d = arg;
	struct cost cost = {.alloc_ns = d->alloc_ns, .free_ns = d->free_ns};

	if (add_code(d, f, &d->released))
		log_info(d->p.log, "calls within the functions of a program that has ended are "
				   "shown, since memory ran out");
	__atomic_store_n(&d->nreleased, (u32)d->released.len, __ATOMIC_RELAXED);
	add_cost(&cost, base);
	d->alloc_ns = cost.alloc_ns;
	d->free_ns = cost.free_ns;
	probe_file_free(&d->reader, f);
}

/* ---- what was found ---- */

static void say_found(struct alloc_probes *d, struct probe_file *f, u32 probes)
{
	if (!probes || !f->title)
		return;
	say(d->text, "%s, %u probes", f->title, probes);
	free(f->title); /* once is enough, however many processes have it */
	f->title = NULL;
}

/* ---- processes ---- */

static bool is_wanted(void *arg, const struct map_entry *e)
{
	return alloc_attach_wanted(&((struct alloc_probes *)arg)->p, e);
}

static int is_allowed(void *arg, pid_t tgid, const map_vec *maps, struct error *err)
{
	return alloc_attach_allowed(&((struct alloc_probes *)arg)->p, tgid, maps, err);
}

static int attach_file(void *arg, const struct probed_file *f, struct attach_target *t)
{
	return alloc_attach(&((struct alloc_probes *)arg)->p, (const struct probe_file *)f, t);
}

/* ---- return probes that others have at the same places ---- */

struct apart_reading {
	struct alloc_probes *d;
	struct probe_file *f;
	const char *path;
};

static int read_apart(void *arg, struct elf_file *elf)
{
	struct apart_reading *in = arg;
	int err;

	probe_set_lock(in->d->set);
	err = probe_file_set_apart(&in->d->reader, elf, in->path, in->f);
	probe_set_unlock(in->d->set);
	return err;
}

static int set_apart(struct alloc_probes *d, const struct probe_candidate *c)
{
	return probe_candidate_read(c, read_apart,
				    &(struct apart_reading){d, file_of(c), c->entry->path});
}

/* Returns whether another recording was here first, so ours go elsewhere. Later ones see ours, and
 * two that come at once see which is older. */
static bool meets_older(const struct alloc_probes *d, const struct probe_candidate *c)
{
	const struct probe_file *f = file_of(c);
	int err;

	if (d->p.list_returns < 0 || !c->tgid || f->apart || !f->allocs.len)
		return false;
	err = return_links_older(d->p.list_returns, d->p.session, c->tgid, c->links->data,
				 c->links->len);
	if (err > 0)
		log_info(d->p.log,
			 "another recording has return probes at the same places as PID "
			 "%d, whose probes go to others",
			 (int)c->tgid);
	return err > 0;
}

static void sweep(const struct alloc_probes *d, const struct probe_candidate *c)
{
	if (c->maps)
		alloc_attach_sweep(&d->p, c->tgid, c->entry, &file_of(c)->allocs);
}

static int keep_apart(struct alloc_probes *d, struct probe_candidate *c)
{
	int err;

	if (!meets_older(d, c) || set_apart(d, c) ||
	    !probe_candidate_is_unchanged(c, &file_of(c)->apart->base.probed))
		return 0;
	probe_candidate_detach(c);
	err = probe_candidate_attach(c);
	if (!err)
		sweep(d, c);
	return err;
}

static void avoid_others(struct alloc_probes *d, const struct probe_candidate *c)
{
	const uprobe_places *places = &file_of(c)->allocs;

	if (c->maps && d->p.list_returns >= 0 && places->len && !file_of(c)->apart &&
	    return_links_at(d->p.list_returns, d->p.session, c->tgid, c->entry, places->data,
			    places->len) > 0 &&
	    set_apart(d, c))
		log_info(d->p.log, "%s: each call has a return probe", c->entry->path);
}

static int place_file(void *arg, struct probe_candidate *c)
{
	const struct probe_file *apart;
	struct alloc_probes *d = arg;
	int err;

	avoid_others(d, c);
	apart = file_of(c)->apart;
	/* Probes on only a part of an allocator would give wrong results. */
	if (apart && !probe_candidate_is_unchanged(c, &apart->base.probed))
		return 0;
	err = probe_candidate_place(c);
	if (err || !c->attached)
		return err;
	if (c->tgid && !file_of(c)->base.exclusive)
		d->p.placed(d->p.placed_arg, c->tgid);
	if (apart)
		sweep(d, c);
	else
		err = keep_apart(d, c);
	if (!err)
		say_found(d, file_of(c), c->attached);
	return err;
}

/* ---- queries ---- */

const char *alloc_probes_text(const struct alloc_probes *d)
{
	return d->text[0] ? d->text : d->searched;
}

int alloc_probes_say_none(const struct alloc_probes *d, const char *title, struct error *err)
{
	const char *searched = alloc_probes_text(d);

	if (!*searched)
		return error_set(err, -ENOENT, "no allocator of %s can be probed", title);
	return error_set(err, -ENOENT,
			 "no allocator found in %s (looked for %s): name its functions with "
			 "--alloc malloc=NAME,free=NAME",
			 title, searched);
}

void alloc_probes_cost(const struct alloc_probes *d, u32 *alloc_ns, u32 *free_ns)
{
	struct probe_set_stats stats;
	struct cost cost = {0};

	probe_set_stats(d->set, &stats);
	cost.shared = d->p.session >= 0 && stats.processes > 1;
	probe_set_lock(d->set);
	cost.alloc_ns = d->alloc_ns;
	cost.free_ns = d->free_ns;
	probe_set_visit(d->set, add_cost, &cost);
	probe_set_unlock(d->set);
	*alloc_ns = cost.alloc_ns;
	*free_ns = cost.free_ns;
}

/* ---- creation and end ---- */

static int make_set(struct alloc_probes *d)
{
	static const struct probe_set_ops ops = {.wanted = is_wanted,
						 .allowed = is_allowed,
						 .read = read_file,
						 .release = release_file,
						 .attach = attach_file,
						 .place = place_file};
	const struct probe_set_options opt = {.ops = &ops,
					      .arg = d,
					      .pins = d->p.pins,
					      .readers = d->p.readers,
					      .modules = d->p.modules,
					      .log = d->p.log};

	return probe_set_new(&opt, &d->set);
}

int alloc_probes_new(const struct heap_programs *programs, struct alloc_probes **out)
{
	struct alloc_probes *d = calloc(1, sizeof(*d));
	int err;

	*out = d;
	if (!d)
		return -ENOMEM;
	d->p = *programs;
	d->reader = (struct function_reader){
		.sites = {.fd = programs->sites_fd, .size = programs->sites},
		.live = programs->live,
		.alone = programs->library,
		.returns = programs->session < 0,
		.kernel = programs->kernel,
		.names = programs->names,
		.log = programs->log};
	err = make_set(d);
	if (err) {
		free(d);
		*out = NULL;
	}
	return err;
}

void alloc_probes_free(struct alloc_probes *d)
{
	if (!d)
		return;
	probe_set_free(d->set);
	alloc_codes_release(&d->released);
	free(d);
}

struct probe_set *alloc_probes_set(struct alloc_probes *d)
{
	return d->set;
}
