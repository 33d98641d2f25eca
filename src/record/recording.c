/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that every recording follows: see recording.h. */
#include "record/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/open_files.h"
#include "collect/session/module_store.h"
#include "collect/events.h"
#include "collect/libbpf_log.h"
#include "record/losses.h"
#include "record/recording_impl.h"
#include "target/proc_fs.h"

#define PROGRESS_NS 500000000ull
#define COMMAND_SETTLE_MS 20 /* how long a command that is about to end is waited for */

/* ---- the target ---- */

/* Without the preloaded sampler every allocation is probed: the same result at a higher cost. */
static int put_sampler_in_front(struct recording *r)
{
	u64 rate;
	int err;

	if (!r->kind->sampler_rate || !r->kind->sampler_rate(r->collect.own, &rate))
		return 0;
	err = preload_init(&r->preload, r->o.command[0], rate, r->collect.readers);
	if (!err)
		r->collect.sampler = r->preload.path;
	else if (err == -ENOENT)
		log_warn(r->collect.log, "libcprof-heap.so is neither beside cprof nor in "
					 "../lib/cprof: every call is probed instead, which costs "
					 "more (copy it beside cprof, or run make install)");
	else if (err == -EPERM)
		log_warn(r->collect.log, "libcprof-heap.so is not used, because another user could "
					 "have put it there: every call is probed instead");
	return err == -ENOENT || err == -EPERM || err == -ENOTSUP ? 0 : err;
}

static int select_command(struct recording *r, struct error *error)
{
	char **argv = r->o.command;
	struct process_info info;
	int err;

	err = put_sampler_in_front(r);
	if (!err)
		err = command_start(&r->command, argv, r->preload.env, r->o.command_stdout, error);
	if (err)
		return err;
	err = process_read(r->command.pid, &info);
	if (!err)
		err = vec_push(&r->target.processes, info);
	if (err)
		return error_set(error, err, "cannot start %s: %s", argv[0], error_reason(err));
	r->target.scope = TARGET_PROCESSES;
	r->target.follow_children = r->o.children;
	r->target.title = strdup(argv[0]);
	r->collect.command = argv[0];
	return r->target.title ? 0 : -ENOMEM;
}

static int select_target(struct recording *r, struct error *error)
{
	const struct recording_options *o = &r->o;
	int err = proc_fs_check(error);

	if (err)
		return err;
	switch (o->target) {
	case RECORDING_PIDS:
		return target_select_pids(&r->target, o->text, o->children, error);
	case RECORDING_NAME:
		return target_select_name(&r->target, o->text, o->all_matches, o->children, error);
	case RECORDING_ALL:
		return target_select_all(&r->target, error);
	case RECORDING_CGROUP:
		return target_select_cgroup(&r->target, o->text, error);
	case RECORDING_COMMAND:
		return select_command(r, error);
	}
	return error_set(error, -EINVAL, "nothing to profile was named");
}

/* If several processes are recorded together, it matters which one a sample came from. */
static bool several_processes(const struct recording *r)
{
	return r->target.scope != TARGET_PROCESSES || r->target.processes.len > 1;
}

/* ---- the collector ---- */

void recording_free_collector(struct recording *r)
{
	if (r->collector)
		r->collector->ops->free(r->collector);
	r->collector = NULL;
}

static int prepare_with(struct recording *r, collector_new_fn make, struct error *error)
{
	int err = make(&r->collect, &r->collector, error);

	if (!err)
		err = r->collector->ops->prepare(r->collector, error);
	if (err)
		recording_free_collector(r);
	return err;
}

static int choose_collector(struct recording *r, struct error *error)
{
	collector_new_fn fallback = r->kind->fallback_new;
	int err;

	if (r->o.mode == RECORDING_MODE_PERF)
		return fallback ? prepare_with(r, fallback, error)
				: error_set(error, -ENOTSUP,
					    "%s profiles need BPF: --mode perf cannot make them",
					    r->kind->name);
	err = prepare_with(r, r->kind->collector_new, error);
	if ((err != -EPERM && err != -EACCES) || r->o.mode == RECORDING_MODE_BPF || !fallback ||
	    r->target.scope != TARGET_PROCESSES)
		return err;
	if (!r->collect.user)
		return error_set(error, err,
				 "cannot sample the kernel without privileges (run cprof as root)");
	log_note(r->collect.log, "without privileges: own processes only, no kernel frames "
				 "(run as root for both)");
	r->collect.kernel = false;
	return prepare_with(r, fallback, error);
}

static int prepare(struct recording *r, struct error *error)
{
	const struct log *before = libbpf_log_begin(r->collect.log);
	int err = choose_collector(r, error);

	libbpf_log_end(before);
	return err;
}

/* This comes first, because a reader that hangs keeps what cprof has open when it is forked. */
static int start_readers(struct recording *r, struct error *error)
{
	int err;

	if (r->o.store && module_store_readers(r->o.store)) {
		r->collect.readers = readers_share(module_store_readers(r->o.store));
		return 0;
	}
	err = readers_new(&r->collect.readers);
	if (err)
		return error_set(error, err, "cannot record: %s", error_reason(err));
	if (readers_start(r->collect.readers))
		log_info(r->collect.log, "no process can be started to read files that may not "
					 "answer: they are left out");
	return 0;
}

/* The threads that load files live as long as the recording does. */
static int share_store(struct recording *r, struct error *error)
{
	const struct module_store_options usual = {.readers = r->collect.readers,
						   .max_files = r->collect.table_entries,
						   .max_kept = r->collect.table_entries};
	int err = 0;

	if (r->o.store)
		r->collect.store = module_store_share(r->o.store);
	else
		err = module_store_new(&usual, &r->collect.store);
	return err ? error_set(error, err, "cannot record: %s", error_reason(err)) : 0;
}

int recording_new(const struct recording_options *opt, struct recording **out, struct error *error)
{
	struct recording *r = calloc(1, sizeof(*r));
	int err;

	*out = NULL;
	if (!r)
		return error_set(error, -ENOMEM, "cannot record: out of memory");
	r->o = *opt;
	r->kind = opt->kind;
	r->target.cgroup.fd = -1;
	r->events = r->timer = -1;
	r->collect = opt->collect;
	if (!r->collect.own)
		r->collect.own = r->kind->defaults;
	r->collect.target = &r->target;
	r->collect.hurry = opt->stop;
	r->collect.hurry_arg = opt->arg;
	err = start_readers(r, error);
	if (!err)
		err = select_target(r, error);
	r->collect.by_process |= several_processes(r);
	r->collect.by_place = r->target.scope != TARGET_PROCESSES;
	/*
	 * It is done here so that no kind can forget it: each module, probe and thread takes
	 * descriptors. A profiled command was forked before and keeps the limit that cprof was
	 * started with.
	 */
	open_files_raise();
	if (!err)
		err = share_store(r, error);
	if (!err)
		err = prepare(r, error);
	/* Without downloads the profile is as good as without a server. */
	if (!err && r->o.debuginfod && debug_downloads_new(r->o.debuginfod, &r->downloads))
		r->downloads = NULL;
	if (!err)
		*out = r;
	else
		recording_free(r);
	return err;
}

static void close_events(struct recording *r)
{
	if (r->timer >= 0)
		close(r->timer);
	if (r->events >= 0)
		close(r->events);
	r->timer = r->events = -1;
}

void recording_free(struct recording *r)
{
	if (!r)
		return;
	if (r->o.target == RECORDING_COMMAND)
		command_release(&r->command);
	close_events(r);
	preload_release(&r->preload);
	recording_free_collector(r);
	lines_release(&r->summary);
	target_release(&r->target);
	debug_downloads_free(r->downloads);
	module_store_free(r->collect.store);
	readers_free(r->collect.readers);
	free(r);
}

/* ---- recording ---- */

int recording_start(struct recording *r, struct error *error)
{
	const struct log *before = libbpf_log_begin(r->collect.log);
	int err = r->collector->ops->start(r->collector, error);

	libbpf_log_end(before);
	r->wall_start_ns = clock_ns(CLOCK_REALTIME);
	r->start_ns = monotonic_ns();
	if (r->collector->began_ns) {
		r->wall_start_ns -= r->start_ns - r->collector->began_ns;
		r->start_ns = r->collector->began_ns;
	}
	if (!err && r->collect.begins)
		r->collect.begins();
	if (!err && r->o.target == RECORDING_COMMAND)
		err = command_go(&r->command, error);
	if (!err)
		log_info(r->collect.log, "recording %s", r->target.title);
	return err;
}

/* A command's name and executable are known once it has passed its exec. */
static void refresh_command(struct recording *r)
{
	struct process_info now;

	/* After it was waited for, its number may belong to another process. */
	if (!r->command.ended && !process_read(r->command.pid, &now) && !now.zombie)
		r->target.processes.data[0] = now;
}

void recording_take_time(struct recording *r)
{
	if (!r->stopped)
		r->elapsed_ns = monotonic_ns() - r->start_ns;
}

static bool is_stopped(const struct recording *r)
{
	return r->o.stop && r->o.stop(r->o.arg);
}

/* It takes neither longer than requested nor longer than the recording. */
static int bounded_ms(const struct recording *r, int timeout_ms)
{
	u64 left;

	if (timeout_ms > RECORDING_STEP_MS)
		timeout_ms = RECORDING_STEP_MS;
	if (!r->collect.duration_ns)
		return timeout_ms;
	if (r->elapsed_ns >= r->collect.duration_ns)
		return 0;
	left = (r->collect.duration_ns - r->elapsed_ns) / 1000000 + 1;
	return left < (u64)timeout_ms ? (int)left : timeout_ms;
}

/* Makes the descriptor readable again when the next step is due. */
static void set_timer(struct recording *r)
{
	struct itimerspec next = {.it_value.tv_nsec = bounded_ms(r, RECORDING_STEP_MS) * 1000000l};

	if (r->timer < 0)
		return;
	if (!next.it_value.tv_nsec)
		next.it_value.tv_nsec = 1; /* because 0 would disarm it */
	timerfd_settime(r->timer, 0, &next, NULL);
}

static void tell_progress(struct recording *r)
{
	if (!r->o.progress || r->elapsed_ns - r->progress_ns < PROGRESS_NS)
		return;
	r->progress_ns = r->elapsed_ns;
	r->o.progress(r->o.arg, r);
}

int recording_step(struct recording *r, int timeout_ms)
{
	const struct log *before = libbpf_log_begin(r->collect.log);
	int ended;

	recording_take_time(r);
	ended = r->collector->ops->poll(r->collector, bounded_ms(r, timeout_ms));
	libbpf_log_end(before);
	recording_take_time(r);
	set_timer(r);
	if (ended < 0)
		return ended;
	tell_progress(r);
	recording_download(r);
	if (r->o.target == RECORDING_COMMAND) {
		refresh_command(r);
		ended = command_poll(&r->command) && (ended || !r->o.children);
	}
	return ended || is_stopped(r) ||
	       (r->collect.duration_ns && r->elapsed_ns >= r->collect.duration_ns);
}

void recording_stop(struct recording *r)
{
	const struct log *before = libbpf_log_begin(r->collect.log);

	recording_take_time(r);
	r->stopped = true;
	r->collector->ops->stop(r->collector);
	libbpf_log_end(before);
}

int recording_run(struct recording *r, struct error *error)
{
	int err = recording_start(r, error), over = 0;

	if (err)
		return err;
	while (!over && !is_stopped(r))
		over = recording_step(r, RECORDING_STEP_MS);
	if (over < 0)
		log_warn(r->collect.log, "the recording ended early, after %.1f s: %s",
			 (double)r->elapsed_ns / 1e9, error_reason(over));
	recording_stop(r);
	return 0;
}

/* ---- waiting for it among other descriptors ---- */

static int watch(struct recording *r, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(r->events, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int make_events(struct recording *r)
{
	int err;

	r->events = epoll_create1(EPOLL_CLOEXEC);
	if (r->events < 0)
		return -errno;
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->timer < 0)
		return -errno;
	err = watch(r, r->timer);
	if (!err)
		err = watch(r, r->collector->ops->fd(r->collector));
	set_timer(r);
	return err;
}

int recording_fd(struct recording *r)
{
	int err = r->events < 0 ? make_events(r) : 0;

	if (err)
		close_events(r);
	return err ? err : r->events;
}

/* ---- queries ---- */

const struct target *recording_target(const struct recording *r)
{
	return &r->target;
}

u64 recording_elapsed_ns(const struct recording *r)
{
	return r->elapsed_ns;
}

void recording_stats(struct recording *r, struct collect_stats *out)
{
	if (!r->collector) {
		*out = r->stats;
		return;
	}
	r->collector->ops->stats(r->collector, out);
	gaps_add(&out->gaps, &r->gaps);
}

const struct lines *recording_summary(const struct recording *r)
{
	return &r->summary;
}

const struct symbolize_stats *recording_names(const struct recording *r)
{
	return &r->names;
}

void recording_unanswered(const struct recording *r, struct readers_unanswered *out)
{
	readers_unanswered(r->collect.readers, out);
}

const char *recording_why_empty(struct recording *r)
{
	struct collect_stats s;

	recording_stats(r, &s);
	if (losses_total(&s))
		return "every sample was lost";
	if (r->kind->why_empty)
		return r->kind->why_empty;
	if (s.event && !s.event->clock)
		return "the event did not occur in the target";
	return "the target used no CPU time";
}

bool recording_command_end(struct recording *r, char *out, size_t size)
{
	if (r->o.target != RECORDING_COMMAND)
		return false;
	for (int i = 0; i < COMMAND_SETTLE_MS && !command_poll(&r->command); i++)
		usleep(1000);
	if (!command_poll(&r->command))
		return false;
	command_describe_end(&r->command, out, size);
	return true;
}
