/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that open and compile mapped files: see module_loader.h. */
#include "collect/session/module_loader.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/hash.h"
#include "base/readers.h"
#include "collect/session/loader_job.h"

/* This reserves addresses. The limit of the stack's size (RLIMIT_STACK) may be smaller, or as large
 * as all memory. */
#define STACK_BYTES (1u << 20)
#define JOIN_SECONDS 4 /* longer than a reader may take to answer */

struct file_key {
	u64 inode;
	u32 dev_major, dev_minor;
};

struct known_file { /* that was already delivered */
	struct file_key key;
	UT_hash_handle hh;
};

struct worker {
	struct module_loader *loader;
	pthread_t thread;
	bool started, remote;
	struct queue queue;
	/* The mappings of the last job's process, used only by this thread. */
	pid_t tgid;
	map_vec maps;
};

struct module_loader {
	struct readers *readers;
	module_loader_notify_fn notify; /* may be NULL */
	void *notify_arg;
	int event;
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t asked;
	bool stopping;
	struct worker local, remote;
	struct answer *first, **last;
	struct known_file *files;
	u32 ready; /* number of answers; read without the lock */
};

/* ---- one request ----------------------------------------------------------------------------- */

static const struct map_entry *find_entry(const struct worker *w, const struct module_request *q)
{
	vec_for_each(&w->maps, e) {
		if (e->start == q->entry.start && e->end == q->entry.end)
			return e;
	}
	return NULL;
}

static void forget_maps(struct worker *w)
{
	maps_release(&w->maps);
	w->tgid = 0;
}

/* Several files of one process mostly come one after the other, so its mappings are read once for
 * them. */
static int resolve(struct worker *w, struct module_request *q)
{
	const struct map_entry *found = w->tgid == q->tgid ? find_entry(w, q) : NULL;
	int err;

	if (!found) {
		forget_maps(w);
		err = maps_read(q->tgid, &w->maps);
		if (err)
			return err;
		w->tgid = q->tgid;
		found = find_entry(w, q);
	}
	if (!found)
		return -ESTALE;
	q->entry = *found;
	q->entry.path = strdup(found->path);
	return q->entry.path ? 0 : -ENOMEM;
}

/* What is mapped around it changes with what the process maps, so it is always read again. */
static int resolve_moved(struct worker *w, struct job *job)
{
	const struct map_entry *around[MOVED_TEXT_AROUND], *e;
	int err;

	forget_maps(w);
	err = resolve(w, &job->q);
	e = err ? NULL : find_entry(w, &job->q);
	if (!e)
		return err ? err : -ESTALE;
	for (u32 i = 0, n = moved_text_around(&w->maps, e, around); i < n; i++) {
		job->around[i] = *around[i];
		job->around[i].path = strdup(around[i]->path);
		if (!job->around[i].path)
			return -ENOMEM;
		job->naround++;
	}
	return job->naround ? 0 : -ENOEXEC;
}

static struct file_key key_of(const struct map_entry *e)
{
	struct file_key key;

	memset(&key, 0, sizeof(key));
	key.inode = e->inode;
	key.dev_major = e->dev_major;
	key.dev_minor = e->dev_minor;
	return key;
}

static bool is_known(struct module_loader *l, const struct map_entry *e)
{
	const struct file_key key = key_of(e);
	struct known_file *f;

	pthread_mutex_lock(&l->lock);
	HASH_FIND(hh, l->files, &key, sizeof(key), f);
	pthread_mutex_unlock(&l->lock);
	return f != NULL;
}

/* Without memory it may be compiled again. */
static void note_known(struct module_loader *l, const struct map_entry *e)
{
	struct known_file *f = calloc(1, sizeof(*f));

	if (!f)
		return;
	f->key = key_of(e);
	pthread_mutex_lock(&l->lock);
	HASH_ADD(hh, l->files, key, sizeof(f->key), f);
	if (!HASH_ADDED(f))
		free(f);
	pthread_mutex_unlock(&l->lock);
}

/*
 * The process may be gone already, or have replaced its program. Then the file is looked up by its
 * name below our own root, where device and inode must match as well. No mapping is ever at 0-0, so
 * our own map_files cannot answer.
 */
static int open_module(struct module_loader *l, const struct module_request *q, struct module **out)
{
	struct map_entry here = q->entry;
	int err = module_open_entry(l->readers, q->tgid, &q->entry, out);

	if (!err || err == -ENOMEM)
		return err;
	here.start = here.end = 0;
	if (module_open_entry(l->readers, getpid(), &here, out))
		return err;
	(*out)->start = q->entry.start;
	(*out)->end = q->entry.end;
	return 0;
}

static bool is_stopping(void *arg)
{
	struct module_loader *l = arg;

	return __atomic_load_n(&l->stopping, __ATOMIC_RELAXED);
}

/* A large file takes a second, and whoever frees the loader does not wait for it. */
static void compile(struct module_loader *l, struct module_result *r)
{
	const struct budget_watch watch = {.stop = is_stopping, .arg = l};
	struct budget *budget = r->module->elf ? elf_file_budget(r->module->elf) : NULL;

	if (budget)
		budget_watch(budget, &watch);
	r->rows_err = module_rows_compile(r->module, &r->rows);
	if (budget)
		budget_watch(budget, NULL);
}

static void set_file(struct module_result *r, const struct map_entry *e)
{
	r->inode = e->inode;
	r->dev_major = e->dev_major;
	r->dev_minor = e->dev_minor;
}

static void compile_opened(struct module_loader *l, const struct map_entry *e,
			   struct module_result *r)
{
	if (r->module->unread) /* it may answer later */
		return;
	compile(l, r);
	/* Names are needed much later, or never. */
	if (r->module->elf)
		elf_file_trim(r->module->elf);
	note_known(l, e);
}

static void open_and_compile(struct module_loader *l, const struct module_request *q,
			     struct module_result *r)
{
	set_file(r, &q->entry);
	if (is_known(l, &q->entry))
		return;
	r->err = open_module(l, q, &r->module);
	if (!r->err)
		compile_opened(l, &q->entry, r);
}

/* The file is opened in any case, because its program headers and its code are compared. */
static void open_around(struct module_loader *l, const struct job *job, struct module_result *r)
{
	const struct module_request *q = &job->q;

	r->err = -ENOEXEC;
	for (u32 i = 0; i < job->naround && r->err == -ENOEXEC; i++) {
		const struct map_entry *e = &job->around[i];
		struct module *m;

		if (module_open_entry(l->readers, q->tgid, e, &m))
			continue;
		if (m->elf && moved_text_is_of(q->tgid, &q->entry, e, m->elf, &r->text)) {
			r->err = 0;
			set_file(r, e);
		}
		if (r->err || is_known(l, e)) {
			module_free(m);
			continue;
		}
		r->module = m;
		compile_opened(l, e, r);
	}
}

static bool is_remote(struct module_loader *l, pid_t tgid, const struct map_entry *e)
{
	return l->readers && e->inode &&
	       !readers_device_is_local(l->readers, tgid, e->dev_major, e->dev_minor);
}

static bool needs_remote(struct module_loader *l, const struct job *job)
{
	bool remote = !job->q.moved && is_remote(l, job->q.tgid, &job->q.entry);

	for (u32 i = 0; i < job->naround; i++)
		remote |= is_remote(l, job->q.tgid, &job->around[i]);
	return remote;
}

static void deliver(struct module_loader *l, struct answer *a)
{
	u64 one = 1;

	pthread_mutex_lock(&l->lock);
	*l->last = a;
	l->last = &a->next;
	__atomic_fetch_add(&l->ready, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&l->lock);
	/* If the counter is full, the descriptor is readable anyway. */
	if (write(l->event, &one, sizeof(one)) < 0)
		one = 0;
	if (l->notify)
		l->notify(l->notify_arg);
}

static void pass_on(struct module_loader *l, struct job *job)
{
	pthread_mutex_lock(&l->lock);
	put_job(&l->remote.queue, job);
	pthread_cond_broadcast(&l->asked);
	pthread_mutex_unlock(&l->lock);
}

/* ---- code ------------------------------------------------------------------------------------ */

static void follow_code(struct module_loader *l, const struct module *m, struct code_result *r)
{
	const struct budget_watch watch = {.stop = is_stopping, .arg = l};
	struct budget *budget;

	if (!r->met && module_rows_code(m, &r->met)) {
		r->met = NULL;
		return;
	}
	budget = code_met_budget(r->met);
	budget_watch(budget, &watch);
	for (u32 i = 0; i < r->n; i++) {
		if (code_met_follow(r->met, r->offs[i], &r->parts[i]))
			vec_release(&r->parts[i].rows);
	}
	budget_watch(budget, NULL);
	code_met_trim(r->met);
}

/* ---- any request ----------------------------------------------------------------------------- */

static void finish(struct module_loader *l, struct job *job)
{
	struct answer *a = job->answer;

	job->answer = NULL;
	job_free(job);
	deliver(l, a);
}

/* `job` is taken over. */
static void work_off(struct worker *w, struct job *job)
{
	struct module_loader *l = w->loader;
	struct answer *a = job->answer;

	if (job->module) {
		follow_code(l, job->module, a->result.code);
		finish(l, job);
		return;
	}
	a->result = (struct module_result){.tgid = job->q.tgid,
					   .token = job->q.token,
					   .moved = job->q.moved,
					   .start = job->q.entry.start,
					   .end = job->q.entry.end};
	if (!job->q.entry.path)
		a->result.err = job->q.moved ? resolve_moved(w, job) : resolve(w, &job->q);
	if (!a->result.err && !w->remote && l->remote.started && needs_remote(l, job)) {
		pass_on(l, job);
		return;
	}
	if (!a->result.err && job->q.moved)
		open_around(l, job, &a->result);
	else if (!a->result.err)
		open_and_compile(l, &job->q, &a->result);
	finish(l, job);
}

/* ---- the threads ----------------------------------------------------------------------------- */

static struct job *next_job(struct worker *w)
{
	struct module_loader *l = w->loader;
	struct job *job = NULL;

	pthread_mutex_lock(&l->lock);
	while (!l->stopping && !(job = take_job(&w->queue))) {
		/* The process may have mapped something else by the time of the next request. */
		pthread_mutex_unlock(&l->lock);
		forget_maps(w);
		pthread_mutex_lock(&l->lock);
		if (!l->stopping && !w->queue.first)
			pthread_cond_wait(&l->asked, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return job;
}

static void *run(void *arg)
{
	struct worker *w = arg;
	struct job *job;

	while ((job = next_job(w)))
		work_off(w, job);
	return NULL;
}

static void start(struct worker *w, struct module_loader *l, bool remote)
{
	pthread_attr_t attr;
	sigset_t all, before;

	w->loader = l;
	w->remote = remote;
	w->queue.last = &w->queue.first;
	if (pthread_attr_init(&attr))
		return;
	/* Signals are for the thread that takes samples, which they wake up. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	w->started = !pthread_attr_setstacksize(&attr, STACK_BYTES) &&
		     !pthread_create(&w->thread, &attr, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

/* It is false if the thread hangs in the kernel. */
static bool join(struct worker *w)
{
	struct timespec until;

	if (!w->started)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_SECONDS;
	if (!pthread_timedjoin_np(w->thread, NULL, &until))
		return true;
	pthread_detach(w->thread);
	return false;
}

/* ---- called by the requesting thread --------------------------------------------------------- */

int module_loader_new(struct readers *readers, module_loader_notify_fn notify, void *arg,
		      struct module_loader **out)
{
	struct module_loader *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->event < 0) {
		free(l);
		return -errno;
	}
	l->readers = readers ? readers_share(readers) : NULL;
	l->notify = notify;
	l->notify_arg = arg;
	l->last = &l->first;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->asked, NULL);
	start(&l->remote, l, true);
	start(&l->local, l, false);
	*out = l;
	return 0;
}

static void drop_files(struct module_loader *l)
{
	struct known_file *f, *next;

	HASH_ITER(hh, l->files, f, next) {
		HASH_DEL(l->files, f);
		free(f);
	}
}

void module_loader_free(struct module_loader *l)
{
	struct module_result r;
	bool idle;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	__atomic_store_n(&l->stopping, true, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&l->asked);
	pthread_mutex_unlock(&l->lock);
	idle = join(&l->local);
	idle &= join(&l->remote);
	if (!idle)
		return;
	while (module_loader_take(l, &r))
		release_result(&r);
	drop_queue(&l->local.queue);
	drop_queue(&l->remote.queue);
	drop_files(l);
	forget_maps(&l->local);
	forget_maps(&l->remote);
	readers_free(l->readers);
	pthread_cond_destroy(&l->asked);
	pthread_mutex_destroy(&l->lock);
	close(l->event);
	free(l);
}

/* `job` is taken over. */
static void hand_over(struct module_loader *l, struct job *job)
{
	if (!l->local.started) {
		work_off(&l->local, job);
		return;
	}
	pthread_mutex_lock(&l->lock);
	put_job(&l->local.queue, job);
	pthread_cond_broadcast(&l->asked);
	pthread_mutex_unlock(&l->lock);
}

int module_loader_ask(struct module_loader *l, const struct module_request *q)
{
	struct job *job = job_new(q);

	if (!job)
		return -ENOMEM;
	hand_over(l, job);
	return 0;
}

int module_loader_follow(struct module_loader *l, const struct code_request *q)
{
	struct job *job = code_job_new(q);

	if (!job)
		return -ENOMEM;
	hand_over(l, job);
	return 0;
}

void module_loader_forget(struct module_loader *l, u64 inode, u32 dev_major, u32 dev_minor)
{
	const struct map_entry e = {.inode = inode, .dev_major = dev_major, .dev_minor = dev_minor};
	const struct file_key key = key_of(&e);
	struct known_file *f;

	pthread_mutex_lock(&l->lock);
	HASH_FIND(hh, l->files, &key, sizeof(key), f);
	if (f)
		HASH_DEL(l->files, f);
	pthread_mutex_unlock(&l->lock);
	free(f);
}

int module_loader_fd(const struct module_loader *l)
{
	return l->event;
}

bool module_loader_ready(const struct module_loader *l)
{
	return __atomic_load_n(&l->ready, __ATOMIC_ACQUIRE) > 0;
}

bool module_loader_take(struct module_loader *l, struct module_result *out)
{
	struct answer *a;
	u64 count;

	pthread_mutex_lock(&l->lock);
	a = l->first;
	if (a) {
		__atomic_fetch_sub(&l->ready, 1, __ATOMIC_RELEASE);
		l->first = a->next;
		if (!l->first)
			l->last = &l->first;
	} else if (read(l->event, &count, sizeof(count)) < 0) {
		count = 0; /* it was not readable, which does not matter */
	}
	pthread_mutex_unlock(&l->lock);
	if (!a)
		return false;
	*out = a->result;
	free(a);
	return true;
}

bool module_loader_wait(struct module_loader *l, u32 timeout_ms)
{
	struct pollfd p = {.fd = l->event, .events = POLLIN};

	return poll(&p, 1, (int)timeout_ms) > 0;
}
