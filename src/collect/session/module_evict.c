/* SPDX-License-Identifier: Apache-2.0 */
/* Evicts files that are no longer seen, and reuses their numbers and pages: see module_store.h. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "collect/session/module_store_impl.h"

#define TEND_MS 200u
/* how often the files that are seen are determined anew, while there are many */
#define EPOCH_MS 1000u
#define GENERATIONS (MODULE_MAX / MODULE_SLOTS)

/* ---- numbers --------------------------------------------------------------------------------- */

/* Returns a number of another generation for a slot whose table is free, because samples may need
 * those before. */
static u32 number_in(struct module_store *s, u32 slot)
{
	u8 *next = &s->generation[slot];

	for (u32 i = 0; i < GENERATIONS; i++) {
		u32 number = slot + MODULE_SLOTS * (*next % GENERATIONS);
		bool again = *next >= GENERATIONS;

		*next = *next + 1 < 2 * GENERATIONS ? *next + 1 : GENERATIONS;
		if (s->by_number[number])
			continue;
		if (again && s->maps.state &&
		    getrandom(&s->maps.state->memo_salt, sizeof(u64), 0) < 0)
			s->maps.state->memo_salt++;
		return number;
	}
	return MODULE_NONE;
}

u32 store_take_number(struct module_store *s)
{
	for (u32 tried = 0; tried < MODULE_SLOTS - MODULE_FIRST_FILE; tried++) {
		u32 slot = s->next_slot, number;

		s->next_slot = slot + 1 < MODULE_SLOTS ? slot + 1 : MODULE_FIRST_FILE;
		if (s->slot_taken[slot])
			continue;
		number = number_in(s, slot);
		if (number == MODULE_NONE)
			continue;
		s->slot_taken[slot] = true;
		return number;
	}
	return MODULE_NONE;
}

/* ---- one file ---- */

static void unload(struct module_store *s, struct store_file *f)
{
	if (f->unloaded || f->number == MODULE_NONE)
		return;
	tables_unload(s->tables, f->number);
	s->slot_taken[f->number % MODULE_SLOTS] = false;
	f->unloaded = true;
}

void store_file_free(struct module_store *s, struct store_file *f)
{
	unload(s, f);
	if (f->number != MODULE_NONE && s->by_number[f->number] == f)
		s->by_number[f->number] = NULL;
	code_met_free(f->met);
	vec_release(&f->met_offs);
	module_free(f->module);
	vec_release(&f->tokens);
	pthread_mutex_destroy(&f->elf);
	free(f);
}

/* The kernel forgets the file here, but programs that are running now may still use it. */
static void evict(struct module_store *s, struct store_file *f, u64 now)
{
	vec_for_each(&f->tokens, token)
		bpf_map_delete_elem(s->maps.modules_fd, token);
	vec_release(&f->tokens);
	if (f->moved)
		store_moved_forget(s, f->number);
	HASH_DEL(s->files, f);
	module_loader_forget(s->loader, f->module->inode, f->module->dev_major,
			     f->module->dev_minor);
	store_set_state(s, f, STORE_EVICTED);
	f->evicted_ms = now;
	s->evicted.data[s->evicted.len++] = f; /* its capacity was reserved */
	s->nevicted++;
}

/* ---- which files ---- */

static bool is_crowded(const struct module_store *s, u32 of, u32 parts)
{
	return s->nloaded > s->o.max_files / of * parts ||
	       tables_size(s->tables).pages > s->o.max_pages / of * parts;
}

static void next_epoch(struct module_store *s)
{
	if (s->maps.state)
		__atomic_fetch_add(&s->maps.state->epoch, 1, __ATOMIC_SEQ_CST);
}

/* Records which files were seen in this epoch. Walks in user space have recorded theirs
 * themselves. */
static void note_seen(struct module_store *s, u64 now)
{
	u32 epoch = s->maps.state ? (u32)s->maps.state->epoch : 0;
	struct store_file *f, *next;

	if (!s->maps.state)
		return;
	HASH_ITER(hh, s->files, f, next) {
		if (f->state == STORE_LOADED && tables_seen(s->tables, f->number) == epoch)
			f->seen_ms = now;
	}
}

static u64 pinning_users(const struct module_store *s)
{
	u64 users = 0;

	for (u32 i = 0; i < STORE_USERS_MAX; i++)
		users |= (u64)(s->users[i].used && s->users[i].pins) << i;
	return users;
}

static int by_age(const void *a, const void *b)
{
	const struct store_file *const *x = a, *const *y = b;

	return (*x)->seen_ms < (*y)->seen_ms ? -1 : (*x)->seen_ms > (*y)->seen_ms;
}

/* Evicts files, longest unseen first, until there are few enough. Returns true if it evicted
 * some. */
static bool evict_idle(struct module_store *s, u64 now)
{
	const u64 pinned = pinning_users(s);
	struct store_file *f, *next;
	store_files idle = {0};
	bool some = false;

	HASH_ITER(hh, s->files, f, next) {
		if (f->state == STORE_LOADED && !f->holds && !(f->users & pinned) &&
		    now - f->seen_ms >= s->o.idle_ms && vec_push(&idle, f))
			break;
	}
	if (idle.len)
		qsort(idle.data, idle.len, sizeof(*idle.data), by_age);
	if (!vec_reserve(&s->evicted, s->evicted.len + idle.len)) {
		for (size_t i = 0; i < idle.len && is_crowded(s, 4, 3); i++) {
			evict(s, idle.data[i], now);
			some = true;
		}
	}
	vec_release(&idle);
	return some;
}

/* ---- after that ---- */

static bool somebody_reads(const struct module_store *s)
{
	for (u32 i = 0; i < STORE_USERS_MAX; i++) {
		if (s->users[i].used && s->users[i].reading)
			return true;
	}
	return false;
}

/* The file's frames are named only if it is still at its path (module_reopen). */
static void close_file(struct module *m)
{
	struct readers *readers = m->root.readers;

	elf_file_free(m->elf);
	m->elf = NULL;
	input_file_close(&m->plain);
	target_root_release(&m->root);
	m->root = TARGET_ROOT_NONE;
	m->root.readers = readers;
	m->closed = true;
}

/* Closes the oldest files first. */
static void close_beyond(struct module_store *s)
{
	size_t open = 0;

	vec_for_each(&s->evicted, f)
		open += !(*f)->module->closed;
	if (open <= s->o.max_kept || somebody_reads(s))
		return;
	vec_for_each(&s->evicted, f) {
		if (open <= s->o.max_kept)
			break;
		if ((*f)->module->closed || (*f)->holds)
			continue;
		close_file((*f)->module);
		open--;
	}
}

void store_sweep(struct module_store *s)
{
	size_t kept = 0;

	vec_for_each(&s->evicted, f) {
		if ((*f)->users || (*f)->holds || !(*f)->unloaded)
			s->evicted.data[kept++] = *f;
		else
			store_file_free(s, *f);
	}
	s->evicted.len = kept;
	close_beyond(s);
}

static void unload_all(struct module_store *s)
{
	vec_for_each(&s->evicted, f)
		unload(s, *f);
}

/*
 * Programs of the kernel may still use the tables of files that were evicted. A thread waits for
 * them, and the tables are free when a later step finds that it is done. If it could not wait, the
 * time until then is enough, because programs run for microseconds.
 */
static void begin_freeing(struct module_store *s)
{
	s->freeing = true;
	if (s->maps.state)
		program_barrier_begin(&s->maps.barrier);
}

/* Returns whether no program can be using them any more. */
static bool programs_are_over(struct module_store *s)
{
	if (s->maps.state && !program_barrier_is_over(&s->maps.barrier))
		return false;
	if (s->maps.state)
		(void)!program_barrier_end(&s->maps.barrier);
	return true;
}

/* Call it with `lock`, which it releases while it waits for walks in user space. These saw a file
 * before its eviction, and are short. */
static void end_freeing(struct module_store *s)
{
	pthread_mutex_unlock(&s->lock);
	pthread_rwlock_wrlock(&s->walks);
	pthread_rwlock_unlock(&s->walks);
	pthread_mutex_lock(&s->lock);
	unload_all(s);
	s->freeing = false;
}

/* Call it with `lock`, which it releases meanwhile. */
static void free_tables(struct module_store *s, u64 now)
{
	bool some;

	if (s->freeing && !programs_are_over(s))
		return;
	if (s->freeing)
		end_freeing(s);
	note_seen(s, now);
	some = is_crowded(s, 1, 1) && evict_idle(s, now);
	if (some || (is_crowded(s, 4, 3) && now - s->epoch_ms >= EPOCH_MS)) {
		s->epoch_ms = now;
		next_epoch(s);
	}
	if (some)
		begin_freeing(s);
}

void store_tend(struct module_store *s)
{
	u64 now = monotonic_ms();

	pthread_mutex_lock(&s->lock);
	if (!s->tending && now - s->tended_ms >= TEND_MS) {
		s->tending = true;
		s->tended_ms = now;
		store_ask_again(s, now);
		free_tables(s, now);
		store_sweep(s);
		s->tending = false;
	}
	pthread_mutex_unlock(&s->lock);
}
