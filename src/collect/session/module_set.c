/* SPDX-License-Identifier: Apache-2.0 */
/* Holds one recording's share of the module store: see module_set.h. */
#include "collect/session/module_set.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/session/jit_modules.h"
#include "collect/session/module_store_impl.h"
#include "target/pid_space.h"

/* A file that takes longer than this to load is abandoned; a reader that hangs gives up sooner. */
#define STALLED_MS 10000u
#define BORROW_STEP_MS 100u
#define SWEEP_MS 1000u

struct module_set {
	struct module_store *store;
	const struct log *log;
	u32 user;
	int event;
	u64 seen; /* the store's `changes` when it was last read */
	u64 swept_ms;
	u64 opened, late; /* the store's counts when the recording joined and when it began */
	bool recording;
	struct jit_modules jit;
};

static u64 bit(const struct module_set *set)
{
	return 1ull << set->user;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* The recording's programs may use every file that is loaded. */
static int join(struct module_set *set)
{
	struct module_store *s = set->store;
	struct store_file *f, *next;
	u32 i = 0;

	pthread_mutex_lock(&s->lock);
	while (i < STORE_USERS_MAX && s->users[i].used)
		i++;
	if (i < STORE_USERS_MAX) {
		set->user = i;
		pthread_mutex_lock(&s->events);
		s->users[i] = (struct store_user){.used = true, .event = set->event};
		pthread_mutex_unlock(&s->events);
		HASH_ITER(hh, s->files, f, next) {
			if (f->state == STORE_LOADED)
				f->users |= bit(set);
		}
		set->opened = s->opened;
		set->seen = s->changes;
	}
	pthread_mutex_unlock(&s->lock);
	return i < STORE_USERS_MAX ? 0 : -EMFILE;
}

static void leave(struct module_set *set)
{
	struct module_store *s = set->store;
	struct asked_mapping *a, *next_asked;
	struct store_file *f, *next;

	pthread_mutex_lock(&s->lock);
	pthread_mutex_lock(&s->events);
	s->users[set->user].used = false;
	pthread_mutex_unlock(&s->events);
	HASH_ITER(hh, s->files, f, next)
		f->users &= ~bit(set);
	HASH_ITER(hh, s->asked, a, next_asked)
		a->users &= ~bit(set);
	vec_for_each(&s->evicted, it)
		(*it)->users &= ~bit(set);
	store_free_tokens(s);
	store_sweep(s);
	pthread_mutex_unlock(&s->lock);
}

int module_set_new(struct module_store *store, const struct log *log, struct module_set **out)
{
	const struct module_store_options usual = {.readers = NULL};
	struct module_set *set = calloc(1, sizeof(*set));
	int err = 0;

	if (!set)
		return -ENOMEM;
	set->log = log;
	set->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (set->event < 0)
		err = -errno;
	if (!err && store)
		set->store = module_store_share(store);
	else if (!err)
		err = module_store_new(&usual, &set->store);
	if (!err)
		err = join(set);
	if (err) {
		module_store_free(set->store);
		if (set->event >= 0)
			close(set->event);
		free(set);
		return err;
	}
	set->jit.readers = set->store->o.readers;
	*out = set;
	return 0;
}

void module_set_free(struct module_set *set)
{
	if (!set)
		return;
	jit_modules_release(&set->jit);
	leave(set);
	module_store_free(set->store);
	close(set->event);
	free(set);
}

struct readers *module_set_readers(struct module_set *set)
{
	return module_store_readers(set->store);
}

/* ---- requests -------------------------------------------------------------------------------- */

void module_set_record(struct module_set *set, const struct module_record *r)
{
	struct module_request q = {.entry = {.start = r->start, .end = r->end},
				   .token = r->inode ? r->inode : r->mm_id,
				   .moved = !r->inode};
	struct module_store *s = set->store;

	pthread_mutex_lock(&s->lock);
	if (pid_from_proc(r->tgid, &q.tgid))
		store_refuse_record(s, &q);
	else
		(void)!store_ask_record(s, set->user, &q);
	pthread_mutex_unlock(&s->lock);
}

static int number_of(const struct store_file *f)
{
	if (!f)
		return -ENOMEM;
	switch (f->state) {
	case STORE_LOADED:
		return (int)store_code_number(f);
	case STORE_LOADING:
		return -EAGAIN;
	default:
		return -ENOENT;
	}
}

int module_set_number(struct module_set *set, pid_t tgid, const struct map_entry *e)
{
	const struct store_key key = store_key_of(e->inode, e->dev_major, e->dev_minor);
	struct module_store *s = set->store;
	struct store_file *f;
	int number;

	pthread_mutex_lock(&s->lock);
	f = store_find(s, &key);
	if (!f && store_is_asked(s, tgid, e)) {
		number = -EAGAIN;
	} else {
		f = store_ask_file(s, set->user, tgid, e);
		number = number_of(f);
	}
	if (number >= 0) {
		f->users |= bit(set);
		f->seen_ms = monotonic_ms();
	}
	pthread_mutex_unlock(&s->lock);
	return number;
}

int module_set_moved(struct module_set *set, pid_t tgid, const struct map_entry *e,
		     struct moved_range *out)
{
	struct module_store *s = set->store;
	struct store_file *f = NULL;
	int err;

	pthread_mutex_lock(&s->lock);
	err = store_moved(s, set->user, tgid, e, out);
	if (!err && out->module >= MODULE_FIRST_FILE)
		f = s->by_number[out->module];
	if (f) {
		f->users |= bit(set);
		f->seen_ms = monotonic_ms();
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}

u32 module_set_place(struct module_set *set, pid_t tgid, const struct map_entry *e)
{
	struct module_store *s = set->store;
	u32 number = MODULE_NONE;
	struct store_file *f;

	pthread_mutex_lock(&s->lock);
	s->users[set->user].pins = true;
	f = store_ask_file(s, set->user, tgid, e);
	if (f && f->number == MODULE_NONE) {
		f->number = store_take_number(s);
		if (f->number != MODULE_NONE)
			s->by_number[f->number] = f;
	}
	if (f && f->number != MODULE_NONE) {
		f->users |= bit(set);
		number = f->number;
	}
	pthread_mutex_unlock(&s->lock);
	return number == MODULE_NONE ? MODULE_UNNUMBERED : number;
}

static struct store_file *file_at(const struct module_store *s, u32 number)
{
	return number >= MODULE_FIRST_FILE && number < MODULE_MAX ? s->by_number[number] : NULL;
}

bool module_set_is_loading(struct module_set *set, u32 number)
{
	struct module_store *s = set->store;
	const struct store_file *f;
	bool loading;

	pthread_mutex_lock(&s->lock);
	f = file_at(s, number);
	loading = f && f->state == STORE_LOADING;
	pthread_mutex_unlock(&s->lock);
	return loading;
}

int module_set_follow(struct module_set *set, u64 frame)
{
	struct module_store *s = set->store;
	int err;

	pthread_mutex_lock(&s->lock);
	err = store_follow(s, set->user, FRAME_MODULE(frame), FRAME_OFF(frame));
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* ---- results --------------------------------------------------------------------------------- */

int module_set_fd(const struct module_set *set)
{
	return set->event;
}

bool module_set_ready(const struct module_set *set)
{
	return module_loader_ready(set->store->loader) ||
	       __atomic_load_n(&set->store->changes, __ATOMIC_RELAXED) != set->seen;
}

/* Whatever one recording takes in, the others are notified of. */
static bool take_in(struct module_set *set)
{
	struct module_store *s = set->store;
	bool some;

	pthread_mutex_lock(&s->lock);
	some = store_take(s, set->log);
	pthread_mutex_unlock(&s->lock);
	if (some)
		store_notify(s);
	return some;
}

bool module_set_take(struct module_set *set)
{
	struct module_store *s = set->store;
	u64 changes, events;

	if (read(set->event, &events, sizeof(events)) < 0)
		events = 0;
	if (take_in(set) && read(set->event, &events, sizeof(events)) < 0)
		events = 0;
	store_tend(s);
	pthread_mutex_lock(&s->lock);
	changes = s->changes;
	pthread_mutex_unlock(&s->lock);
	if (changes == set->seen)
		return false;
	set->seen = changes;
	return true;
}

static bool awaits(struct module_set *set)
{
	bool some;

	pthread_mutex_lock(&set->store->lock);
	some = store_awaits(set->store, set->user);
	pthread_mutex_unlock(&set->store->lock);
	return some;
}

bool module_set_wait_for(struct module_set *set, u32 timeout_ms)
{
	bool some = false;

	while (awaits(set)) {
		struct pollfd p = {.fd = set->event, .events = POLLIN};

		if (!module_set_ready(set) && poll(&p, 1, (int)timeout_ms) <= 0)
			break;
		some |= module_set_take(set);
	}
	return some;
}

bool module_set_wait(struct module_set *set)
{
	return module_set_wait_for(set, STALLED_MS);
}

/* ---- modules ---- */

static struct module *get(struct module_set *set, u32 number, bool reopen)
{
	struct module_store *s = set->store;
	struct module *m = NULL;
	struct store_file *f;

	if (number < MODULE_FIRST_FILE)
		return s->special[number];
	pthread_mutex_lock(&s->lock);
	f = file_at(s, number);
	if (f && f->users & bit(set))
		m = f->module;
	if (m && reopen)
		module_reopen(m);
	pthread_mutex_unlock(&s->lock);
	return m;
}

struct module *module_set_get(struct module_set *set, u32 number)
{
	return get(set, number, false);
}

struct module *module_set_reopen(struct module_set *set, u32 number)
{
	return get(set, number, true);
}

u32 module_set_find(struct module_set *set, const struct map_entry *e)
{
	const struct store_key key = store_key_of(e->inode, e->dev_major, e->dev_minor);
	struct module_store *s = set->store;
	u32 number = MODULE_NONE;
	struct store_file *f;

	pthread_mutex_lock(&s->lock);
	f = store_find(s, &key);
	if (f && f->state == STORE_LOADED) {
		f->users |= bit(set);
		number = f->number;
	}
	pthread_mutex_unlock(&s->lock);
	return number;
}

/* Call it with the store's lock, which it releases while another thread has the file. */
static bool hold(struct module_store *s, struct store_file *f, struct borrowed_module *out)
{
	f->holds++;
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_lock(&f->elf);
	pthread_mutex_lock(&s->lock);
	*out = (struct borrowed_module){f->module, f};
	return true;
}

bool module_set_borrow_number(struct module_set *set, u32 number, struct borrowed_module *out)
{
	struct module_store *s = set->store;
	struct store_file *f;
	bool found = false;

	pthread_mutex_lock(&s->lock);
	f = file_at(s, number);
	if (f && f->module && f->users & bit(set))
		found = hold(s, f, out);
	pthread_mutex_unlock(&s->lock);
	return found;
}

bool module_set_borrow(struct module_set *set, pid_t tgid, const struct map_entry *e,
		       struct borrowed_module *out)
{
	u64 until = monotonic_ms() + STALLED_MS;
	int number = module_set_number(set, tgid, e);

	while (number == -EAGAIN && monotonic_ms() < until) {
		if (!take_in(set))
			(void)module_loader_wait(set->store->loader, BORROW_STEP_MS);
		number = module_set_number(set, tgid, e);
	}
	return number >= 0 && module_set_borrow_number(set, (u32)number, out);
}

void module_set_give_back(struct module_set *set, struct borrowed_module *m)
{
	struct module_store *s = set->store;

	pthread_mutex_unlock(&m->file->elf);
	pthread_mutex_lock(&s->lock);
	m->file->holds--;
	pthread_mutex_unlock(&s->lock);
}

int module_set_add(struct module_set *set, struct module *m)
{
	struct module_store *s = set->store;
	int number;

	pthread_mutex_lock(&s->lock);
	number = store_add(s, m);
	pthread_mutex_unlock(&s->lock);
	return number;
}

/* ---- JIT code ---- */

struct module *module_set_jit(struct module_set *set, struct proc_pid tgid)
{
	return jit_modules_get(&set->jit, tgid);
}

void module_set_note_jit(struct module_set *set, struct proc_pid tgid)
{
	jit_modules_note(&set->jit, tgid);
}

/* ---- tables ---- */

void module_set_walk_begin(struct module_set *set)
{
	pthread_rwlock_rdlock(&set->store->walks);
}

void module_set_walk_end(struct module_set *set)
{
	pthread_rwlock_unlock(&set->store->walks);
}

bool module_set_rows(struct module_set *set, u32 number, struct rows *view)
{
	struct module_store *s = set->store;
	bool some;

	pthread_mutex_lock(&s->lock);
	some = tables_view(s->tables, number, view);
	pthread_mutex_unlock(&s->lock);
	return some;
}

const struct unwind_rule *module_set_rules(const struct module_set *set)
{
	return tables_rule_array(set->store->tables);
}

/* ---- what is still needed ---- */

static bool is_marked(const struct module_marks *m, u32 number)
{
	return m->bits[number / 64] >> number % 64 & 1;
}

static bool has_to_sweep(struct module_set *set, u64 now)
{
	struct module_store *s = set->store;
	bool some = s->users[set->user].pins && s->nloaded + s->failed > s->o.max_files / 4 * 3;

	vec_for_each(&s->evicted, it) {
		const struct store_file *f = *it;

		some |= f->users & bit(set) && now - f->evicted_ms >= s->o.grace_ms;
	}
	return some;
}

static void release_unmarked(struct module_set *set, const struct module_marks *m, u64 now)
{
	struct module_store *s = set->store;
	struct store_file *f, *next;

	vec_for_each(&s->evicted, it) {
		if (now - (*it)->evicted_ms >= s->o.grace_ms && !is_marked(m, (*it)->number))
			(*it)->users &= ~bit(set);
	}
	if (s->users[set->user].pins) {
		HASH_ITER(hh, s->files, f, next) {
			if (f->state != STORE_LOADING && f->number != MODULE_NONE &&
			    !is_marked(m, f->number))
				f->users &= ~bit(set);
		}
	}
	store_sweep(s);
}

void module_set_sweep(struct module_set *set, void (*mark)(void *arg, struct module_marks *m),
		      void *arg)
{
	struct module_store *s = set->store;
	u64 now = monotonic_ms();
	struct module_marks *m;
	bool wanted;

	if (now - set->swept_ms < SWEEP_MS)
		return;
	set->swept_ms = now;
	pthread_mutex_lock(&s->lock);
	wanted = has_to_sweep(set, now);
	pthread_mutex_unlock(&s->lock);
	m = wanted ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return;
	mark(arg, m);
	pthread_mutex_lock(&s->lock);
	release_unmarked(set, m, now);
	pthread_mutex_unlock(&s->lock);
	free(m);
}

void module_set_reading(struct module_set *set, bool on)
{
	pthread_mutex_lock(&set->store->lock);
	set->store->users[set->user].reading = on;
	pthread_mutex_unlock(&set->store->lock);
}

void module_set_begin(struct module_set *set)
{
	set->recording = true;
	set->late = set->store->opened;
}

void module_set_stats(const struct module_set *set, struct module_set_stats *out)
{
	const struct module_store *s = set->store;

	*out = (struct module_set_stats){.modules = s->opened - set->opened,
					 .late = set->recording ? s->opened - set->late : 0,
					 .rows = tables_rows(s->tables),
					 .jit = jit_modules_count(&set->jit)};
}
