/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wraps dlopen, because plug-ins that are opened with RTLD_DEEPBIND call the C library's allocator
 * in place of this library. Their calls are directed to this library when they have been opened.
 * What they allocate before that, in their constructors, is not seen. Their blocks are the C
 * library's in both cases, so either may free what the other has allocated.
 *
 * dlopen() searches relative to its caller, and finds the caller by its return address. So a call
 * is passed on by a jump. Only one with RTLD_DEEPBIND that has the same result for any caller is
 * made from here, so that the new libraries can be changed after it.
 */
#include "heap.h"
#include "program.h"
#include "question.h"
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/preload.h"

#define OBJECTS_MAX 64 /* new libraries of one call; the others are not followed */

/* A function that this library wraps. */
struct wrapped {
	const char *name;
	void *wrapper;
	void *real; /* NULL if what was opened uses another one */
};

/* The parts of an object that are needed here. */
struct object {
	uintptr_t base, start, end; /* where it is mapped */
	uintptr_t relro, relro_end; /* whole pages, which are read-only once it is relocated */
	const ElfW(Dyn) * dynamic;
	const ElfW(Sym) * symbols;
	const char *strings;
	const ElfW(Rela) * relocations[2];
	size_t count[2];
};

/* What an object says about itself. */
struct needing {
	const ElfW(Dyn) * dynamic;
	const char *strings;
};

struct binding {
	struct wrapped *functions;
	size_t n;
	const struct link_map *opened;
	struct needing objects[OBJECTS_MAX]; /* what was opened, and then what it needs */
	size_t nobjects;
	bool failed;
};

/* ---- objects ---- */

/* glibc relocates these addresses when it loads an object, and musl does not. */
static uintptr_t address(const struct object *o, ElfW(Addr) p)
{
	return p < o->base ? o->base + p : p;
}

static void read_dynamic(struct object *o)
{
	const ElfW(Rela) *jumps = NULL, *others = NULL;

	for (const ElfW(Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++) {
		switch (d->d_tag) {
		case DT_SYMTAB:
			o->symbols = (const ElfW(Sym) *)address(o, d->d_un.d_ptr);
			break;
		case DT_STRTAB:
			o->strings = (const char *)address(o, d->d_un.d_ptr);
			break;
		case DT_JMPREL:
			jumps = (const ElfW(Rela) *)address(o, d->d_un.d_ptr);
			break;
		case DT_RELA:
			others = (const ElfW(Rela) *)address(o, d->d_un.d_ptr);
			break;
		case DT_PLTRELSZ:
			o->count[0] = d->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_RELASZ:
			o->count[1] = d->d_un.d_val / sizeof(ElfW(Rela));
			break;
		}
	}
	o->relocations[0] = jumps;
	o->relocations[1] = others;
}

static void add_segment(struct object *o, const ElfW(Phdr) * ph)
{
	const uintptr_t start = o->base + ph->p_vaddr, end = start + ph->p_memsz;

	switch (ph->p_type) {
	case PT_LOAD:
		o->start = !o->end || start < o->start ? start : o->start;
		o->end = end > o->end ? end : o->end;
		break;
	case PT_DYNAMIC:
		o->dynamic = (const ElfW(Dyn) *)start;
		break;
	case PT_GNU_RELRO:
		o->relro = start & ~(uintptr_t)(REAL_PAGE - 1);
		o->relro_end = end & ~(uintptr_t)(REAL_PAGE - 1);
		break;
	}
}

static struct object object_of(const struct dl_phdr_info *info)
{
	struct object o = {.base = info->dlpi_addr};

	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		add_segment(&o, &info->dlpi_phdr[i]);
	read_dynamic(&o);
	return o;
}

static const char *soname(const struct object *o, const char *path)
{
	const char *slash = strrchr(path, '/');

	for (const ElfW(Dyn) *d = o->dynamic; d && o->strings && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SONAME)
			return o->strings + d->d_un.d_val;
	}
	return slash ? slash + 1 : path;
}

static bool needs(const struct needing *o, const char *name)
{
	for (const ElfW(Dyn) *d = o->dynamic; d && o->strings && d->d_tag != DT_NULL; d++) {
		const char *needed = o->strings + d->d_un.d_val, *slash;

		if (d->d_tag != DT_NEEDED)
			continue;
		slash = strrchr(needed, '/');
		if (!strcmp(slash ? slash + 1 : needed, name))
			return true;
	}
	return false;
}

/* ---- what they call ---- */

static struct wrapped *find_function(struct binding *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++) {
		if (!strcmp(b->functions[i].name, name))
			return b->functions[i].real ? &b->functions[i] : NULL;
	}
	return NULL;
}

/* Returns the function at which the slot of a relocation should no longer point; NULL if it is
 * another one's. A slot that is bound at its first call points into the object until then. */
static const struct wrapped *bound_to_real(struct binding *b, const struct object *o,
					   const ElfW(Rela) * r)
{
	const ElfW(Sym) *symbol = &o->symbols[ELF64_R_SYM(r->r_info)];
	const uintptr_t value = *(const uintptr_t *)(o->base + r->r_offset);
	const uint32_t type = ELF64_R_TYPE(r->r_info);
	const struct wrapped *f;

	if (!arch_reloc_is_address(type) || r->r_offset % sizeof(uintptr_t) ||
	    symbol->st_shndx != SHN_UNDEF)
		return NULL;
	f = find_function(b, o->strings + symbol->st_name);
	if (!f)
		return NULL;
	if (value == (uintptr_t)f->real)
		return f;
	return arch_reloc_is_lazy(type) && value >= o->start && value < o->end ? f : NULL;
}

static bool is_relro(const struct object *o, uintptr_t slot)
{
	return slot >= o->relro && slot < o->relro_end;
}

/* Threads may call through the slot at the same time. */
static void redirect(const struct object *o, const ElfW(Rela) * r, const struct wrapped *f)
{
	_Atomic uintptr_t *slot = (_Atomic uintptr_t *)(o->base + r->r_offset);

	atomic_store_explicit(slot, (uintptr_t)f->wrapper, memory_order_release);
}

static void redirect_all(struct binding *b, const struct object *o, bool relro, bool *found)
{
	for (int list = 0; list < 2; list++) {
		const ElfW(Rela) *r = o->relocations[list];

		for (size_t i = 0; r && i < o->count[list]; i++) {
			const struct wrapped *f;

			if (is_relro(o, o->base + r[i].r_offset) != relro)
				continue;
			f = bound_to_real(b, o, &r[i]);
			if (f && found)
				*found = true;
			else if (f)
				redirect(o, &r[i], f);
		}
	}
}

/* The pages are writable only meanwhile, and only if there is something to write. */
static void bind_object(struct binding *b, const struct object *o)
{
	const size_t size = o->relro_end - o->relro;
	bool found = false;

	if (!o->symbols || !o->strings)
		return;
	redirect_all(b, o, false, NULL);
	redirect_all(b, o, true, &found);
	if (!found)
		return;
	if (mprotect((void *)o->relro, size, PROT_READ | PROT_WRITE)) {
		b->failed = true;
		return;
	}
	redirect_all(b, o, true, NULL);
	mprotect((void *)o->relro, size, PROT_READ);
}

/*
 * Objects come in the order in which they were loaded. Behind the opened one, and what it needs,
 * may be others that another thread is loading just now, which must not be touched. The dynamic
 * linker neither adds nor removes objects while this runs, so no two threads change the same page.
 */
static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct object o = object_of(info);
	struct binding *b = arg;
	bool wanted = !b->nobjects && o.dynamic == b->opened->l_ld;

	(void)size;
	for (size_t i = 0; i < b->nobjects && !wanted; i++)
		wanted = needs(&b->objects[i], soname(&o, info->dlpi_name));
	if (!wanted)
		return 0;
	if (b->nobjects == OBJECTS_MAX) {
		b->failed = true;
		return 1;
	}
	b->objects[b->nobjects++] = (struct needing){o.dynamic, o.strings};
	bind_object(b, &o);
	return 0;
}

/* ---- dlopen ---- */

#define WRAPPED(name)                       \
	{                                   \
#name, (void *)(name), NULL \
	}

static RARE void report_unreached(void)
{
	PROBE1("cprof_heap", "unreached", 1);
}

/*
 * Looks up what the new libraries call. Returns false if they have an allocator of their own. It
 * asks the dynamic linker, so it must not be called in visit(), which has one of its locks.
 */
static bool find_functions(struct wrapped *functions, size_t n, void *opened)
{
	bool reached = true;

	for (size_t i = 0; i < n; i++) {
		struct wrapped *f = &functions[i];
		void *called = dlsym(opened, f->name);

		if (called && called == dlsym(RTLD_NEXT, f->name))
			f->real = called;
		else if (called && called != f->wrapper)
			reached = false;
	}
	return reached;
}

static RARE void bind_opened(void *opened)
{
	struct wrapped functions[] = {WRAPPED(malloc),        WRAPPED(free),
				      WRAPPED(calloc),        WRAPPED(realloc),
				      WRAPPED(reallocarray),  WRAPPED(posix_memalign),
				      WRAPPED(aligned_alloc), WRAPPED(memalign),
				      WRAPPED(valloc),        WRAPPED(pvalloc)};
	struct binding b = {.functions = functions,
			    .n = sizeof(functions) / sizeof(functions[0]),
			    .opened = opened};
	uint64_t left = heap_enter();
	bool reached = find_functions(functions, b.n, opened);

	if (reached)
		dl_iterate_phdr(visit, &b);
	heap_thread.left = left;
	if (!reached || b.failed)
		report_unreached();
}

struct caller {
	uintptr_t address;
	bool searched; /* a name without a directory is opened */
	bool depends;
};

static int visit_caller(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct object o = object_of(info);
	struct caller *c = arg;

	(void)size;
	if (c->address < o.start || c->address >= o.end)
		return 0;
	c->depends = false;
	for (const ElfW(Dyn) *d = o.dynamic; d && d->d_tag != DT_NULL; d++)
		c->depends |= d->d_tag == DT_RPATH || (d->d_tag == DT_RUNPATH && c->searched);
	return 1;
}

/*
 * Returns whether the result depends on where dlopen() is called: through the paths that the
 * caller's library has for a search, or its directory ($ORIGIN).
 */
static bool depends_on_caller(const char *file, const void *caller)
{
	struct caller c = {
		.address = (uintptr_t)caller, .searched = !strchr(file, '/'), .depends = true};

	if (!strchr(file, '$'))
		dl_iterate_phdr(visit_caller, &c);
	return c.depends;
}

/* So that the stacks of its first blocks are whole, cprof loads its unwind table before it is
 * used. */
static void announce(const struct link_map *opened)
{
	struct program file;

	if (!question_is_heard())
		return;
	file = program_open(opened->l_name);
	if (file.fd >= 0)
		question_spawn(file.fd, true);
	program_close(&file);
}

static RARE void *open_bound(const char *file, int flags)
{
	void *opened = real.call.dlopen(file, flags);
	int saved = errno;

	if (opened) {
		bind_opened(opened);
		announce(opened);
	}
	errno = saved;
	return opened;
}

static RARE bool is_opened_here(const char *file, const void *caller)
{
	if (file && !depends_on_caller(file, caller))
		return true;
	if (file)
		report_unreached();
	return false;
}

EXPORTED void *dlopen(const char *file, int flags)
{
	if (UNLIKELY(!real.call.dlopen))
		real_find();
	if (UNLIKELY(flags & RTLD_DEEPBIND) && is_opened_here(file, __builtin_return_address(0)))
		return open_bound(file, flags);
	return real.call.dlopen(file, flags);
}

/* What it opens has another C library, with an allocator of its own. */
EXPORTED void *dlmopen(Lmid_t space, const char *file, int flags)
{
	if (UNLIKELY(!real.call.dlmopen))
		real_find();
	if (space != LM_ID_BASE || (flags & RTLD_DEEPBIND))
		report_unreached();
	return real.call.dlmopen(space, file, flags);
}
