/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks that the kernel could not finish: see pending.h. */
#include "collect/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/maps.h"
#include "target/pid_space.h"
#include "unwind/walk.h"

struct pending {
	struct pending_env env;
	pid_t tgid; /* whose record is being walked */
	map_vec maps; /* and what it has mapped executable */
	bool reuse; /* maps are good for its next record, too */
	struct rows view; /* of the module asked for last */
	struct stack_walk walk;
};

int pending_new(const struct pending_env *env, struct pending **out)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->env = *env;
	*out = p;
	return 0;
}

void pending_free(struct pending *p)
{
	if (!p)
		return;
	maps_release(&p->maps);
	free(p);
}

/* The kernel stopped at the first file it did not know; the callers' may be as new. */
static u32 file_module(struct pending *p, const struct map_entry *e)
{
	u32 number = module_set_find(p->env.modules, e);
	int loaded;

	if (number != MODULE_NONE)
		return number;
	loaded = p->env.load(p->env.arg, p->tgid, e);
	return loaded < 0 ? MODULE_NONE : (u32)loaded;
}

static bool find_module(void *arg, u64 pc, u32 *module, u64 *off)
{
	struct pending *p = arg;

	vec_for_each(&p->maps, e) {
		if (pc < e->start || pc >= e->end || !e->executable)
			continue;
		*off = pc - e->start + e->offset;
		if (!strcmp(e->path, "[vdso]")) {
			*module = MODULE_VDSO;
			return true;
		}
		if (!e->inode) {
			*module = MODULE_ANON;
			*off = pc;
			return true;
		}
		*module = file_module(p, e);
		return *module != MODULE_NONE;
	}
	return false;
}

static const struct rows *find_rows(void *arg, u32 module)
{
	struct pending *p = arg;

	return tables_view(p->env.tables, module, &p->view) ? &p->view : NULL;
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
	st->pc = r->pc;
	st->sp = r->sp;
	st->bp = r->bp;
	st->bx = r->bx;
	memcpy(st->regs, r->regs, sizeof(st->regs));
	st->regs_known = r->regs_known;
	st->bx_known = r->bx_known;
	st->exact = r->exact;
}

static bool is_sound(const struct pending_record *r, size_t size)
{
	size_t head = offsetof(struct pending_record, data);

	return size >= head && r->nframes < STACK_MAX_FRAMES &&
	       size - head >= r->nframes * sizeof(u64) + (u64)r->copied;
}

void pending_reuse_maps(struct pending *p, bool on)
{
	p->reuse = on;
	if (!on)
		p->tgid = 0;
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

/* Read anew each time: a process that is still starting maps more from one record to the next. */
static int read_maps(struct pending *p, struct proc_pid of)
{
	pid_t tgid;
	int err = pid_from_proc(of, &tgid);

	if (err)
		return err;
	if (p->reuse && p->tgid == tgid && p->maps.len)
		return 0;
	maps_release(&p->maps);
	p->tgid = tgid;
	err = maps_read(tgid, &p->maps);
	drop_data(&p->maps);
	return err ? err : p->maps.len ? 0 : -ESRCH;
}

int pending_finish(struct pending *p, const struct pending_record *r, size_t size,
		   enum stack_end *end)
{
	const struct walk_env env = {.find_module = find_module,
				     .rows = find_rows,
				     .arg = p,
				     .rules = tables_rule_array(p->env.tables),
				     .nrules = UNWIND_MAX_RULES};
	struct stack_owner owner = {.tgid = r->tgid, .tid = r->tid};
	struct walk_copy copy = {.sp = r->sp};
	struct sample_key key;

	if (!is_sound(r, size))
		return -EBADMSG;
	copy.copy = (struct bytes){r->data + r->nframes * sizeof(u64), r->copied};
	restore(&p->walk, r);
	if (!read_maps(p, r->tgid)) {
		walk_stack(&p->walk, &env, &copy);
	} else { /* the process is gone, and with it what was mapped where; or out of reach */
		p->walk.end = r->tgid.nr ? STACK_LOADING : STACK_OUTSIDE;
		walk_push(&p->walk, FRAME(MODULE_CUT, p->walk.end));
	}
	*end = (enum stack_end)p->walk.end;
	key = r->key;
	if (!r->ticket) {
		key.stack = p->walk.hash;
		if (p->walk.has_anon)
			key.tgid = r->key_tgid;
	}
	memcpy(owner.comm, r->comm, sizeof(owner.comm));
	memcpy(owner.leader_comm, r->leader_comm, sizeof(owner.leader_comm));
	owner.comm[COMM_LEN - 1] = owner.leader_comm[COMM_LEN - 1] = 0;
	stack_store_put(p->env.store, &key, &owner, p->walk.frames, p->walk.nframes);
	return stack_store_add(p->env.store, &key, TALLY_COUNT, &r->count);
}
