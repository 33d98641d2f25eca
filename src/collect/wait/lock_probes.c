/* SPDX-License-Identifier: Apache-2.0 */
/* Places probes on lock functions: see lock_probes.h. */
#include "collect/wait/lock_probes.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/machine.h"
#include "base/bpf_shared.h"
#include "collect/probe/probe_site.h"
#include "elf/symbols.h"
#include "elf/dynamic_flags.h"
#include "elf/usdt.h"

#define NAME_LONGEST 64
#define FOUND_MAX 256 /* limits a hostile file; a static program has some 30 */

static const struct hold_function {
	const char *name;
	u8 function, kind; /* enum lock_function, enum hold_kind */
} functions[] = {
	{"pthread_mutex_lock", HOLD_LOCK, HOLD_MUTEX},
	{"pthread_mutex_timedlock", HOLD_LOCK, HOLD_MUTEX},
	{"pthread_mutex_clocklock", HOLD_LOCK, HOLD_MUTEX},
	{"pthread_mutex_trylock", HOLD_TRY, HOLD_MUTEX},
	{"pthread_mutex_unlock", HOLD_UNLOCK, HOLD_MUTEX},
	{"pthread_cond_wait", HOLD_WAIT, HOLD_MUTEX},
	{"pthread_cond_timedwait", HOLD_WAIT, HOLD_MUTEX},
	{"pthread_cond_clockwait", HOLD_WAIT, HOLD_MUTEX},
	{"pthread_rwlock_rdlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_wrlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_timedrdlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_timedwrlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_clockrdlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_clockwrlock", HOLD_LOCK, HOLD_RWLOCK},
	{"pthread_rwlock_tryrdlock", HOLD_TRY, HOLD_RWLOCK},
	{"pthread_rwlock_trywrlock", HOLD_TRY, HOLD_RWLOCK},
	{"pthread_rwlock_unlock", HOLD_UNLOCK, HOLD_RWLOCK},
	{"pthread_spin_lock", HOLD_LOCK, HOLD_SPIN},
	{"pthread_spin_trylock", HOLD_TRY, HOLD_SPIN},
	{"pthread_spin_unlock", HOLD_UNLOCK, HOLD_SPIN},
	{"sem_wait", HOLD_LOCK, HOLD_SEMAPHORE},
	{"sem_timedwait", HOLD_LOCK, HOLD_SEMAPHORE},
	{"sem_clockwait", HOLD_LOCK, HOLD_SEMAPHORE},
	{"sem_trywait", HOLD_TRY, HOLD_SEMAPHORE},
	{"sem_post", HOLD_UNLOCK, HOLD_SEMAPHORE},
};

struct hold_file {
	struct probed_file base;
	uprobe_places places; /* empty if the file is not a C library */
};

struct lock_probes {
	struct hold_programs p;
	struct probe_set *set;
};

/* ---- files ---- */

struct found {
	const struct hold_function *function;
	u64 vaddr, size;
};

struct reading {
	struct lock_probes *d;
	struct elf_file *elf;
	const char *path;
	bool musl; /* whose locks are laid out differently */
	struct hold_file *file;
	VEC(struct found) found;
};

static const struct hold_function *function_called(const char *name)
{
	size_t len = elf_name_length(name, NAME_LONGEST);

	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		if (strlen(functions[i].name) == len && !strncmp(functions[i].name, name, len))
			return &functions[i];
	}
	return NULL;
}

/* Versions and tables name the same address several times. */
static int symbol_visited(void *arg, const struct elf_symbol *symbol)
{
	struct reading *in = arg;
	const struct hold_function *function;

	if (symbol->type != STT_FUNC)
		return 0;
	function = function_called(symbol->name);
	if (!function)
		return 0;
	vec_for_each(&in->found, f) {
		if (f->vaddr == symbol->vaddr)
			return 0;
	}
	if (in->found.len == FOUND_MAX)
		return 0;
	return vec_push(&in->found, (struct found){function, symbol->vaddr, symbol->size});
}

static u8 register_word(const struct probe_site *at, u32 argument)
{
	int offset = arch_pt_regs_offset(at->arg_reg[argument]);

	return offset < 0 ? 0xff : (u8)(offset / 8);
}

static int place_probe(struct reading *in, const struct found *f)
{
	bool waits = f->function->function == HOLD_WAIT;
	const struct probe_request request = {
		.args = waits ? PROBE_ARG_0 | PROBE_ARG_1 : PROBE_ARG_0,
		.moved_args = true,
		.purpose = PROBE_ENTRY,
		.kernel = in->d->p.kernel,
	};
	struct probe_site at;

	if (probe_site_in_file(in->elf, f->vaddr, f->size, &request, &at)) {
		log_warn(in->d->p.log, "no probe fits on %s of %s: its calls are not seen",
			 f->function->name, in->path);
		return 0;
	}
	log_info(in->d->p.log, "%s+%u: %s (%s)", f->function->name, at.offset, at.text,
		 probe_cost_name(at.cost));
	if (f->function->function == HOLD_TRY && f->function->kind == HOLD_SPIN && at.offset)
		return 0; /* it is too late to see whether the lock was free */
	if (code_spans_add_place(&in->file->base.probed, at.file_offset))
		return -ENOMEM;
	return vec_push(&in->file->places,
			(struct uprobe_place){
				.offset = at.file_offset,
				.cookie = HOLD_COOKIE(f->function->function, f->function->kind,
						      register_word(&at, waits ? 1 : 0),
						      register_word(&at, 0)) |
					  (in->musl ? HOLD_OPAQUE : 0) |
					  (at.offset ? HOLD_BEGUN : 0) |
					  (at.cost == PROBE_COST_STEPPED ? HOLD_STEPPED : 0),
			});
}

static bool is_unreadable(int err)
{
	return err == -ENOENT || err == -EBADMSG || err == -E2BIG;
}

static int find_functions(struct reading *in)
{
	int err = elf_symbols_visit(in->elf, ".dynsym", symbol_visited, in);

	if (!err || is_unreadable(err))
		err = elf_symbols_visit(in->elf, ".symtab", symbol_visited, in);
	if (is_unreadable(err))
		err = 0;
	/* The kernel would execute probed instructions as they are before the relocation. */
	if (in->found.len && elf_has_text_relocations(in->elf)) {
		log_warn(in->d->p.log,
			 "no probes in %s: the dynamic linker changes its code (text relocations)",
			 in->path);
		in->found.len = 0;
	}
	vec_for_each(&in->found, f) {
		if (!err)
			err = place_probe(in, f);
	}
	return err;
}

static void release_file(void *arg, struct probed_file *base)
{
	struct hold_file *f = (struct hold_file *)base;

	vec_release(&f->base.probed);
	vec_release(&f->places);
	free(f);
}

static int read_file(void *arg, struct elf_file *elf, const char *path, struct probed_file **out)
{
	struct hold_file *file = calloc(1, sizeof(*file));
	struct reading in = {
		.d = arg, .elf = elf, .path = path, .musl = strstr(path, "musl"), .file = file};
	int err = file ? find_functions(&in) : -ENOMEM;

	vec_release(&in.found);
	if (!err)
		*out = &file->base;
	else if (file)
		release_file(arg, &file->base);
	return err;
}

static int attach_file(void *arg, const struct probed_file *f, struct attach_target *t)
{
	const struct lock_probes *d = arg;

	return attach_places(t, d->p.entry, UPROBE_ENTRY, d->p.links,
			     &((const struct hold_file *)f)->places);
}

/* ---- creation and end ---- */

int lock_probes_new(const struct hold_programs *programs, struct lock_probes **out)
{
	static const struct probe_set_ops ops = {
		.read = read_file, .release = release_file, .attach = attach_file};
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

void lock_probes_free(struct lock_probes *d)
{
	if (!d)
		return;
	probe_set_free(d->set);
	free(d);
}

struct probe_set *lock_probes_set(struct lock_probes *d)
{
	return d->set;
}
