/* SPDX-License-Identifier: Apache-2.0 */
/* Runs module_names_resolve() where it can be left behind: see names_thread.h. */
#include "symbol/names_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ull
#define LOOK_NS 20000000ull /* how often it is asked whether to stop */
/* What is busy with cprof's own code ends by itself, with what it has, within a part of this. */
#define GRACE_NS 300000000ull

struct job {
	pthread_mutex_t
		lock; /* of all below; while it is held nobody else touches the caller's data */
	pthread_cond_t changed;
	bool done, abandoned;
	int err;

	/* The thread's own: all that it uses must be there for as long as it runs. */
	struct module module;
	u64 *vaddrs;
	size_t n;
	struct budget_watch watch;
	struct module_names_info info;
	module_name_fn found;
	void *arg;
};

static u64 now_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

static void job_free(struct job *job)
{
	pthread_cond_destroy(&job->changed);
	pthread_mutex_destroy(&job->lock);
	free(job->module.path);
	free(job->vaddrs);
	free(job);
}

static int job_new(const struct module *m, const u64 *vaddrs, size_t n, struct job **out)
{
	struct job *job = calloc(1, sizeof(*job));
	pthread_condattr_t attr;

	if (!job)
		return -ENOMEM;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->changed, &attr);
	pthread_condattr_destroy(&attr);
	job->module = *m;
	job->module.path = strdup(m->path);
	job->n = n;
	job->vaddrs = malloc((n + 1) * sizeof(*vaddrs));
	if (!job->module.path || !job->vaddrs) {
		job_free(job);
		return -ENOMEM;
	}
	memcpy(job->vaddrs, vaddrs, n * sizeof(*vaddrs));
	*out = job;
	return 0;
}

/* ---- the thread ------------------------------------------------------------------------------- */

static int pass_on(void *arg, size_t which, enum name_source source,
		   const struct dwarf_frame *frames, u32 n)
{
	struct job *job = arg;
	int err = -ECANCELED;

	pthread_mutex_lock(&job->lock);
	if (!job->abandoned)
		err = job->found(job->arg, which, source, frames, n);
	pthread_mutex_unlock(&job->lock);
	return err;
}

static int resolve(struct job *job)
{
	struct budget *budget = elf_file_budget(job->module.elf);
	int err;

	budget_watch(budget, &job->watch);
	err = module_names_resolve(&job->module, job->vaddrs, job->n, pass_on, job, &job->info);
	budget_watch(budget, NULL);
	return err;
}

static void *run(void *arg)
{
	struct job *job = arg;
	int err = resolve(job);

	pthread_mutex_lock(&job->lock);
	job->err = err;
	job->done = true;
	pthread_cond_signal(&job->changed);
	pthread_mutex_unlock(&job->lock);
	return NULL;
}

/* ---- the caller ------------------------------------------------------------------------------- */

/* Signals are for the thread that started the others. */
static int start(struct job *job, pthread_t *thread)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(thread, NULL, run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void wait_until(struct job *job, u64 when)
{
	const struct timespec until = {.tv_sec = (time_t)(when / NSEC_PER_SEC),
				       .tv_nsec = (long)(when % NSEC_PER_SEC)};

	pthread_cond_timedwait(&job->changed, &job->lock, &until);
}

static bool used_up(const struct budget_watch *watch, clockid_t cpu)
{
	return watch->cpu_ns && now_ns(cpu) > watch->cpu_ns + GRACE_NS;
}

/* Until it is done, or has had its time; the lock is held. */
static void wait_for(struct job *job, pthread_t thread)
{
	const struct budget_watch *watch = &job->watch;
	u64 now = now_ns(CLOCK_MONOTONIC), end = UINT64_MAX;
	bool stopping = false;
	clockid_t cpu;

	pthread_getcpuclockid(thread, &cpu);
	if (watch->time_ns)
		end = now + watch->time_ns + GRACE_NS;
	for (; !job->done && now < end && !used_up(watch, cpu); now = now_ns(CLOCK_MONOTONIC)) {
		if (!stopping && watch->stop && watch->stop(watch->arg)) {
			stopping = true;
			end = now + GRACE_NS;
		}
		wait_until(job, now + LOOK_NS);
	}
	job->abandoned = !job->done;
}

/* What the thread goes on using is no longer the module's. */
static void give_up(struct module *m)
{
	if (m->root.readers)
		(void)readers_share(m->root.readers); /* for good: the thread may still use them */
	m->elf = NULL;
	m->root = TARGET_ROOT_NONE;
}

/* 0: it is done; -ETIMEDOUT: the job is the thread's now. */
static int run_in_thread(struct job *job, pthread_t thread)
{
	bool abandoned;

	pthread_mutex_lock(&job->lock);
	wait_for(job, thread);
	abandoned = job->abandoned;
	pthread_mutex_unlock(&job->lock);
	if (!abandoned) {
		pthread_join(thread, NULL);
		return 0;
	}
	pthread_detach(thread);
	return -ETIMEDOUT;
}

int names_thread_resolve(struct module *m, const u64 *vaddrs, size_t n,
			 const struct budget_watch *watch, module_name_fn found, void *arg,
			 struct module_names_info *info)
{
	pthread_t thread;
	struct job *job;
	int err = job_new(m, vaddrs, n, &job);

	*info = (struct module_names_info){0};
	if (err)
		return err;
	job->watch = *watch;
	job->found = found;
	job->arg = arg;
	if (start(job, &thread)) { /* as many threads as there may be: without one, then */
		job->err = resolve(job);
	} else if (run_in_thread(job, thread)) {
		give_up(m);
		return -ETIMEDOUT;
	}
	err = job->err;
	*info = job->info;
	job_free(job);
	return err;
}
