/* SPDX-License-Identifier: Apache-2.0 */
/* Finishes stacks that the kernel could not finish: see pending.h. */
#include "collect/session/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "target/pid_space.h"
#include "unwind/walk.h"

/* Holds what a process had mapped executable when its record came. Its records share it as long as
 * it is the same. */
struct mappings {
	u32 users;
	pid_t tgid;
	char program[COMM_LEN]; /* the process's name when they were read; exec changes it */
	bool old; /* it could not be read for a later record, because the process had ended */
	map_vec maps;
};

struct waiting {
	struct waiting *next;
	struct mappings *in;
	const struct map_entry *wanted; /* the one of them whose file is being loaded, or NULL */
	bool moved; /* it has no file of its own, and what it is will be found out */
	u64 code; /* otherwise the frame whose code is being followed */
	size_t size;
	struct pending_record record; /* `size` bytes of it */
};

struct pending {
	struct pending_env env;
	struct mappings *in; /* of the record that is being walked; NULL if its process is gone */
	struct mappings *latest; /* of the previous record; may be NULL */
	const struct map_entry *wanted; /* where the walk found a file that is being loaded */
	bool loading, moved, giving_up; /* `moved`: `wanted` has no file of its own */
	bool unread; /* the walk came to what the process mapped when it could not be read again */
	u64 at; /* the frame that was looked up last */
	u64 code; /* the frame where the walk found code that is being followed; 0 if none */
	u32 own_stack; /* enum own_stack, of the record that is being walked */
	bool reuse; /* `latest` may also be used for the next record of the same process */
	bool fresh; /* it was read after all records of this batch were sent */
	u64 batch;
	struct rows view; /* of the module that was looked up last */
	struct waiting *first, **last;
	size_t waiting, bytes;
	u64 ends[STACK_END_COUNT];
	struct stack_walk walk;
};

int pending_new(const struct pending_env *env, struct pending **out)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->env = *env;
	p->last = &p->first;
	*out = p;
	return 0;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static void mappings_release(struct mappings *m)
{
	if (!m || --m->users)
		return;
	maps_release(&m->maps);
	free(m);
}

static void drop_data(map_vec *maps)
{
	size_t kept = 0;

	vec_for_each(maps, e) {
		if (e->executable)
			maps->data[kept++] = *e;
		else
			free(e->path);
	}
	maps->len = kept;
}

static bool are_same(const struct mappings *a, const struct mappings *b)
{
	if (a->tgid != b->tgid || a->maps.len != b->maps.len ||
	    memcmp(a->program, b->program, COMM_LEN) != 0)
		return false;
	for (size_t i = 0; i < a->maps.len; i++) {
		const struct map_entry *x = &a->maps.data[i], *y = &b->maps.data[i];

		if (x->start != y->start || x->end != y->end || x->offset != y->offset ||
		    x->inode != y->inode || x->dev_major != y->dev_major ||
		    x->dev_minor != y->dev_minor)
			return false;
	}
	return true;
}

static struct mappings *read_mappings(pid_t tgid)
{
	struct mappings *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->users = 1;
	m->tgid = tgid;
	if (maps_read(tgid, &m->maps))
		m->maps.len = 0;
	drop_data(&m->maps);
	if (m->maps.len)
		return m;
	mappings_release(m);
	return NULL;
}

static bool is_program_of(const struct mappings *m, pid_t tgid, const struct thread_id *thread)
{
	return m && m->tgid == tgid && !memcmp(m->program, thread->leader_comm, COMM_LEN);
}

/*
 * It is read again for each batch, because a process that is still starting maps more from one
 * record to the next. If the process has ended meanwhile, what it had mapped at its last record is
 * used.
 */
static struct mappings *mappings_of(struct pending *p, const struct thread_id *thread)
{
	struct mappings *fresh;
	pid_t tgid;

	if (pid_from_proc(thread->tgid, &tgid))
		return NULL;
	if (p->reuse && p->latest && p->latest->tgid == tgid)
		return p->latest;
	if (p->fresh && is_program_of(p->latest, tgid, thread))
		return p->latest;
	p->fresh = true;
	fresh = read_mappings(tgid);
	if (!fresh && is_program_of(p->latest, tgid, thread)) {
		p->latest->old = true;
		return p->latest;
	}
	if (fresh)
		memcpy(fresh->program, thread->leader_comm, COMM_LEN);
	if (fresh && p->latest && are_same(fresh, p->latest)) {
		mappings_release(fresh);
		return p->latest;
	}
	mappings_release(p->latest);
	p->latest = fresh;
	return fresh;
}

void pending_batch(struct pending *p, u64 batch)
{
	p->fresh &= p->batch == batch;
	p->batch = batch;
}

void pending_reuse_maps(struct pending *p, bool on)
{
	p->reuse = on;
	mappings_release(p->latest);
	p->latest = NULL;
}

/* ---- callbacks of the walk ------------------------------------------------------------------- */

static void wait_for(struct pending *p, const struct map_entry *e, bool moved)
{
	p->wanted = e;
	p->moved = moved;
	p->loading = true;
}

/* The kernel stopped at the first file that it did not know; those of the callers may be just as
 * new. */
static bool find_file(struct pending *p, const struct map_entry *e, u32 *module)
{
	int number = p->env.number(p->env.arg, p->in->tgid, e);

	if (number == -EAGAIN) {
		wait_for(p, e, false);
		return false;
	}
	*module = number < 0 ? MODULE_UNKNOWN : (u32)number;
	return true;
}

/* It is generated code unless it is found to be text of a file. */
static bool find_moved(struct pending *p, const struct map_entry *e, u64 pc, u32 *module, u64 *off)
{
	struct moved_range range;
	int err = p->env.moved ? p->env.moved(p->env.arg, p->in->tgid, e, &range) : -ENOENT;

	*module = MODULE_ANON;
	*off = pc;
	if (err == -EAGAIN && !p->giving_up) {
		wait_for(p, e, true);
		return false;
	}
	if (err || range.module == MODULE_ANON || pc < range.start || pc >= range.end)
		return true;
	*module = range.module;
	*off = pc + range.shift;
	return true;
}

static bool find_mapping(struct pending *p, u64 pc, u32 *module, u64 *off)
{
	vec_for_each(&p->in->maps, e) {
		if (pc < e->start || pc >= e->end || !e->executable)
			continue;
		*off = pc - e->start + e->offset;
		if (!strcmp(e->path, "[vdso]")) {
			*module = MODULE_VDSO;
			return true;
		}
		if (!e->inode)
			return find_moved(p, e, pc, module, off);
		if (!find_file(p, e, module))
			return false;
		return *module != MODULE_ANON || find_moved(p, e, pc, module, off);
	}
	/* What it mapped before it ended was not read, which is not a fault of the stack. */
	p->unread = p->loading = p->in->old;
	return false;
}

static bool find_module(void *arg, u64 pc, u32 *module, u64 *off)
{
	struct pending *p = arg;

	if (!find_mapping(p, pc, module, off))
		return false;
	p->at = FRAME(*module, *off);
	return true;
}

static const struct rows *find_rows(void *arg, u32 module)
{
	struct pending *p = arg;

	return module_set_rows(p->env.modules, module, &p->view) ? &p->view : NULL;
}

/* Code stays the same after the stack was taken. */
static bool read_code(void *arg, void *dst, u32 size, u64 addr)
{
	struct iovec local = {dst, size}, remote = {(void *)(uintptr_t)addr, size};
	const struct pending *p = arg;

	vec_for_each(&p->in->maps, e)
		if (e->executable && addr >= e->start && addr < e->end)
			return process_vm_readv(p->in->tgid, &local, 1, &remote, 1, 0) ==
			       (ssize_t)size;
	return false;
}

/* What was copied is in one stack. */
static bool own_stack(void *arg, u64 sp)
{
	const struct pending *p = arg;

	return p->own_stack == OWN_STACK_UNKNOWN ? maps_in_main_stack(p->in->tgid, sp)
						 : p->own_stack == OWN_STACK_YES;
}

static void restore(struct stack_walk *st, const struct pending_record *r)
{
	walk_reset(st);
	for (u32 i = 0; i < r->nframes; i++) {
		u64 frame;

		memcpy(&frame, r->data + i * sizeof(frame), sizeof(frame));
		walk_push(st, frame);
		st->has_anon |= FRAME_MODULE(frame) == MODULE_ANON;
	}
	st->regs = r->regs;
}

static bool is_sound(const struct pending_record *r, size_t size)
{
	size_t head = offsetof(struct pending_record, data);

	return size >= head && r->nframes < STACK_MAX_FRAMES &&
	       size - head >= r->nframes * sizeof(u64) + (u64)r->copied;
}

static size_t used_bytes(const struct pending_record *r)
{
	return offsetof(struct pending_record, data) + r->nframes * sizeof(u64) + r->copied;
}

/* ---- one stack ------------------------------------------------------------------------------- */

static void walk_once(struct pending *p, const struct pending_record *r)
{
	const struct walk_env env = {.find_module = find_module,
				     .rows = find_rows,
				     .loading = &p->loading,
				     .read = read_code,
				     .own_stack = own_stack,
				     .arg = p,
				     .rules = module_set_rules(p->env.modules),
				     .nrules = UNWIND_MAX_RULES};
	const struct walk_copy copy = {.copy = {r->data + r->nframes * sizeof(u64), r->copied},
				       .sp = PENDING_FROM(r->regs.sp),
				       .unread = r->unread};

	restore(&p->walk, r);
	p->wanted = NULL;
	p->code = 0;
	p->loading = p->unread = false;
	p->own_stack = r->own_stack;
	if (p->in) {
		module_set_walk_begin(p->env.modules);
		walk_stack(&p->walk, &env, &copy);
		module_set_walk_end(p->env.modules);
		if (p->walk.end == STACK_LOADING && !p->wanted && !p->unread)
			p->code = p->at;
	} else { /* the process is gone with its mappings, or out of reach */
		p->walk.end = r->thread.tgid.nr ? STACK_LOADING : STACK_OUTSIDE;
		walk_push(&p->walk, FRAME(MODULE_CUT, p->walk.end));
	}
}

/* It is true if the stack has to wait. */
static bool walk(struct pending *p, const struct pending_record *r)
{
	do
		walk_once(p, r);
	while (p->code && !p->giving_up && !p->env.follow(p->env.arg, p->code));
	return (p->wanted || p->code) && !p->giving_up;
}

static void store(struct pending *p, const struct pending_record *r)
{
	if (p->walk.end < STACK_END_COUNT)
		p->ends[p->walk.end]++;
	stack_store_put(p->env.store, &r->key, &r->thread, p->walk.frames, p->walk.nframes);
}

static void enqueue(struct pending *p, struct waiting *w)
{
	w->next = NULL;
	*p->last = w;
	p->last = &w->next;
	p->waiting++;
	p->bytes += w->size;
}

/* It is false if there is no memory, and then the stack is stored as it is. */
static bool keep(struct pending *p, const struct pending_record *r, size_t size)
{
	struct waiting *w;

	if (size > PENDING_BYTES_MAX - p->bytes)
		return false;
	w = malloc(offsetof(struct waiting, record) + size);
	if (!w)
		return false;
	w->in = p->in;
	w->in->users++;
	w->wanted = p->wanted;
	w->moved = p->moved;
	w->code = p->code;
	w->size = size;
	memcpy(&w->record, r, size);
	enqueue(p, w);
	return true;
}

int pending_finish(struct pending *p, const struct pending_record *r, size_t size)
{
	if (!is_sound(r, size))
		return -EBADMSG;
	p->in = mappings_of(p, &r->thread);
	/* A deep one has the same size in the ring, however much of it is used. */
	if (walk(p, r) && keep(p, r, used_bytes(r)))
		return 0;
	store(p, r);
	return 0;
}

/* ---- waiting stacks -------------------------------------------------------------------------- */

static void discard(struct waiting *w)
{
	mappings_release(w->in);
	free(w);
}

/* `w` is not in the queue. It goes back there if it has to wait for another file. */
static void try_again(struct pending *p, struct waiting *w)
{
	p->in = w->in;
	if (walk(p, &w->record)) {
		w->wanted = p->wanted;
		w->moved = p->moved;
		w->code = p->code;
		enqueue(p, w);
		return;
	}
	store(p, &w->record);
	discard(w);
}

static bool still_waits(struct pending *p, const struct waiting *w)
{
	struct moved_range range;

	if (p->giving_up)
		return false;
	if (!w->wanted)
		return p->env.follow(p->env.arg, w->code) == -EAGAIN;
	if (w->moved)
		return p->env.moved(p->env.arg, w->in->tgid, w->wanted, &range) == -EAGAIN;
	return p->env.number(p->env.arg, w->in->tgid, w->wanted) == -EAGAIN;
}

void pending_retry(struct pending *p)
{
	struct waiting *w = p->first, *next;

	p->first = NULL;
	p->last = &p->first;
	p->waiting = p->bytes = 0;
	for (; w; w = next) {
		next = w->next;
		if (still_waits(p, w))
			enqueue(p, w);
		else
			try_again(p, w);
	}
}

void pending_give_up(struct pending *p)
{
	p->giving_up = true;
	pending_retry(p);
	p->giving_up = false;
}

void pending_mark(const struct pending *p, struct module_marks *m)
{
	for (const struct waiting *w = p->first; w; w = w->next) {
		for (u32 i = 0; i < w->record.nframes; i++) {
			u64 frame;

			memcpy(&frame, w->record.data + i * sizeof(frame), sizeof(frame));
			module_mark(m, FRAME_MODULE(frame));
		}
	}
}

size_t pending_waiting(const struct pending *p)
{
	return p->waiting;
}

void pending_ends(const struct pending *p, u64 ends[STACK_END_COUNT])
{
	for (u32 i = 0; i < STACK_END_COUNT; i++)
		ends[i] += p->ends[i];
}

void pending_free(struct pending *p)
{
	struct waiting *next;

	if (!p)
		return;
	for (struct waiting *w = p->first; w; w = next) {
		next = w->next;
		discard(w);
	}
	mappings_release(p->latest);
	free(p);
}
