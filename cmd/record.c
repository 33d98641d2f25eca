/* SPDX-License-Identifier: Apache-2.0 */
/* The recipe that every recording verb follows: see record.h. */
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/open_files.h"
#include "command_line.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "output.h"
#include "preload.h"
#include "summary.h"
#include "symbol/symbolize.h"
#include "target/command.h"
#include "target/proc_fs.h"
#include "terminal.h"

#define POLL_MS 100
#define NSEC_PER_SEC 1000000000ull
#define COMMAND_SETTLE_POLLS 20 /* a command that ended is waited for so many polls */

struct recording {
	const struct record_verb *kind;
	const struct options *o;
	struct terminal term;
	struct output out;
	struct target target;
	struct command command;
	struct preload preload;
	struct collect_options collect;
	struct collector *collector;
	struct collect_stats stats;
	struct symbolize_stats names;
	struct profile *profile;
	struct error err;
	u64 wall_start_ns, start_ns, elapsed_ns;
};

static u64 now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

/* ---- who ---- */

/* Without it the probes on every call of the allocator do: dearer, and the result is the same. */
static int put_sampler_in_front(struct recording *r)
{
	int code;

	if (!r->kind->preloads || r->o->heap.no_preload || r->o->heap.names || r->o->heap.library)
		return 0;
	code = preload_init(&r->preload, r->o->command[0], r->o->heap.rate);
	if (!code)
		r->collect.heap.sampler = r->preload.path;
	else if (code == -ENOENT)
		log_warn(&r->term.log, "libcprof-heap.so is neither beside cprof nor in "
				       "../lib/cprof: every call is probed instead");
	return code == -ENOENT || code == -ENOTSUP ? 0 : code;
}

static int select_command(struct recording *r)
{
	struct process_info info;
	int code;

	code = put_sampler_in_front(r);
	if (!code)
		code = output_lend_stdout(&r->out);
	if (!code)
		code = command_start(&r->command, r->o->command, r->preload.env, &r->err);
	output_take_stdout(&r->out);
	if (code)
		return code;
	code = process_read(r->command.pid, &info);
	if (!code)
		code = vec_push(&r->target.processes, info);
	if (code)
		return error_set(&r->err, code, "cannot start %s: %s", r->o->command[0],
				 error_reason(code));
	r->target.scope = TARGET_PROCESSES;
	r->target.follow_children = r->o->children;
	r->target.title = strdup(r->o->command[0]);
	r->collect.command = r->o->command[0];
	return r->target.title ? 0 : -ENOMEM;
}

static int select_target(struct recording *r)
{
	const struct options *o = r->o;
	int code = proc_fs_check(&r->err);

	if (code)
		return code;
	switch (o->target) {
	case OPTION_TARGET_PIDS:
		return target_select_pids(&r->target, o->target_text, o->children, &r->err);
	case OPTION_TARGET_NAME:
		return target_select_name(&r->target, o->target_text, o->all_matches, o->children,
					  &r->err);
	case OPTION_TARGET_ALL:
		return target_select_all(&r->target, &r->err);
	case OPTION_TARGET_CGROUP:
		return target_select_cgroup(&r->target, o->target_text, &r->err);
	case OPTION_TARGET_COMMAND:
		return select_command(r);
	default:
		return error_set(&r->err, -EINVAL, "nothing to profile was named");
	}
}

/* Where several processes are recorded together, it matters which one a sample came from. */
static bool several_processes(const struct recording *r)
{
	return r->target.scope != TARGET_PROCESSES || r->target.processes.len > 1;
}

/* NULL when it is unset or empty. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static void fill_collect_options(struct recording *r)
{
	const struct options *o = r->o;

	r->collect.target = &r->target;
	r->collect.event = o->event;
	r->collect.frequency = o->frequency;
	r->collect.duration_ns = o->duration_ns;
	r->collect.user = !o->kernel_only;
	r->collect.kernel = !o->user_only;
	r->collect.by_thread = o->labels & OPTION_LABEL_THREAD;
	r->collect.by_process = (o->labels & OPTION_LABEL_PID) || several_processes(r);
	r->collect.by_cpu = o->labels & OPTION_LABEL_CPU;
	r->collect.heap.rate = o->heap.rate;
	r->collect.heap.live = r->kind->live;
	r->collect.heap.leaks = o->heap.leaks;
	r->collect.heap.peak = o->heap.peak;
	r->collect.heap.older_than_ns = o->heap.older_than_ns;
	r->collect.heap.max_live = o->heap.max_live;
	r->collect.heap.max_slowdown = o->heap.max_slowdown;
	r->collect.heap.names = o->heap.names;
	r->collect.heap.library = o->heap.library;
	r->collect.heap.uprobes = environment("CPROF_UPROBES");
	r->collect.wait.min_ns = o->wait.min_ns;
	r->collect.wait.causes = o->wait.causes;
	r->collect.wait.wakers = o->wait.wakers;
	r->collect.wait.owners = o->wait.owners;
	r->collect.wait.holds = o->wait.holds;
	r->collect.log = &r->term.log;
}

/* ---- recording ---- */

typedef int (*collector_new_fn)(const struct collect_options *, struct collector **,
				struct error *);

static void free_collector(struct recording *r)
{
	if (r->collector)
		r->collector->ops->free(r->collector);
	r->collector = NULL;
}

static int prepare_with(struct recording *r, collector_new_fn make)
{
	int code = make(&r->collect, &r->collector, &r->err);

	if (!code)
		code = r->collector->ops->prepare(r->collector, &r->err);
	if (code)
		free_collector(r);
	return code;
}

static int prepare(struct recording *r)
{
	collector_new_fn fallback = r->kind->fallback_new;
	int code;

	if (r->o->mode == OPTION_MODE_PERF)
		return fallback ? prepare_with(r, fallback)
				: error_set(&r->err, -ENOTSUP,
					    "%s profiles need BPF: --mode perf cannot make them",
					    r->kind->name);
	code = prepare_with(r, r->kind->collector_new);
	if ((code != -EPERM && code != -EACCES) || r->o->mode == OPTION_MODE_BPF || !fallback ||
	    r->target.scope != TARGET_PROCESSES)
		return code;
	if (!r->collect.user)
		return error_set(&r->err, code,
				 "cannot sample the kernel without privileges (run cprof as root)");
	terminal_note(&r->term, "cprof: without privileges: own processes only, no kernel frames "
				"(run as root for both)");
	r->collect.kernel = false;
	return prepare_with(r, fallback);
}

static void show_progress(struct recording *r)
{
	double done = (double)r->elapsed_ns / NSEC_PER_SEC;
	struct collect_stats now;

	r->collector->ops->stats(r->collector, &now);
	if (r->o->duration_ns)
		terminal_progress(&r->term, "recording %s: %.0f of %.0f s, %llu samples",
				  r->target.title, done, (double)r->o->duration_ns / NSEC_PER_SEC,
				  (unsigned long long)now.samples);
	else
		terminal_progress(&r->term, "recording %s: %.0f s, %llu samples (Ctrl-C ends)",
				  r->target.title, done, (unsigned long long)now.samples);
}

static bool time_is_up(const struct recording *r)
{
	return r->o->duration_ns && r->elapsed_ns >= r->o->duration_ns;
}

static int next_wait_ms(const struct recording *r)
{
	u64 left = r->o->duration_ns - r->elapsed_ns;

	if (!r->o->duration_ns || left / 1000000 >= POLL_MS)
		return POLL_MS;
	return (int)(left / 1000000) + 1;
}

/* A command's name and executable are known once it has passed its exec. */
static void refresh_command(struct recording *r)
{
	struct process_info now;

	/* Once it was waited for, its number may be another process'. */
	if (r->o->target == OPTION_TARGET_COMMAND && !r->command.ended &&
	    !process_read(r->command.pid, &now) && !now.zombie)
		r->target.processes.data[0] = now;
}

/* Until the time is up, somebody interrupts, or there is nobody left to profile. */
static void wait_for_end(struct recording *r)
{
	bool ended = false;

	while (!ended && !interrupt_count() && !time_is_up(r)) {
		ended = r->collector->ops->poll(r->collector, next_wait_ms(r)) == 1;
		refresh_command(r);
		if (r->o->target == OPTION_TARGET_COMMAND)
			ended = command_poll(&r->command) && (ended || !r->o->children);
		r->elapsed_ns = now_ns(CLOCK_MONOTONIC) - r->start_ns;
		show_progress(r);
	}
	terminal_progress_end(&r->term);
}

static int record(struct recording *r)
{
	const struct collector_ops *ops;
	int code;

	/*
	 * Here, so that no kind can forget it: each module, probe and thread takes descriptors. A command
	 * that is profiled was forked before and keeps the limit that cprof was started with.
	 */
	open_files_raise();
	code = prepare(r);
	if (code)
		return code;
	ops = r->collector->ops;
	code = ops->start(r->collector, &r->err);
	r->wall_start_ns = now_ns(CLOCK_REALTIME);
	r->start_ns = now_ns(CLOCK_MONOTONIC);
	if (r->collector->began_ns) {
		r->wall_start_ns -= r->start_ns - r->collector->began_ns;
		r->start_ns = r->collector->began_ns;
	}
	if (!code && r->o->target == OPTION_TARGET_COMMAND)
		code = command_go(&r->command, &r->err);
	if (code)
		return code;
	log_info(&r->term.log, "recording %s", r->target.title);
	wait_for_end(r);
	r->elapsed_ns = now_ns(CLOCK_MONOTONIC) - r->start_ns;
	code = ops->stop(r->collector, &r->err);
	ops->stats(r->collector, &r->stats);
	return code;
}

/* ---- the profile ---- */

static int add_comments(struct recording *r)
{
	struct profile *p = r->profile;
	struct utsname u;
	char losses[SUMMARY_LINE];
	int code;

	uname(&u);
	summary_losses(&r->stats, losses, sizeof(losses));
	code = profile_add_comment(p, "cprof %s: %s of %s", CPROF_VERSION, r->kind->name,
				   r->target.title);
	if (!code)
		code = profile_add_comment(p, "host: %s, kernel: %s %s", u.nodename, u.release,
					   u.machine);
	if (!code && r->kind->samples)
		code = profile_add_comment(p, "event: %s, rate: %u Hz, mode: %s", r->o->event->name,
					   r->o->frequency, r->collector->ops->name);
	if (!code)
		code = profile_add_comment(p, "samples: %llu, lost: %s",
					   (unsigned long long)r->stats.samples, losses);
	/* Of all CPUs, whoever ran: their time is in the profile, with the tick that came next. */
	if (!code && r->stats.late)
		code = profile_add_comment(p, "late ticks: %llu of %llu",
					   (unsigned long long)r->stats.late,
					   (unsigned long long)r->stats.ticks);
	return code < 0 ? code : 0;
}

static int build_profile(struct recording *r)
{
	const struct symbolize_options naming = {.no_inlines = !r->o->inlines, .log = &r->term.log};
	int code = profile_new(&r->profile);

	if (code)
		return error_set(&r->err, code, "cannot build the profile: %s", error_reason(code));
	code = r->collector->ops->read(r->collector, r->profile, &r->err);
	if (code)
		return code;
	r->collector->ops->stats(r->collector, &r->stats); /* reading told more */
	r->profile->time_nanos = (s64)r->wall_start_ns;
	r->profile->duration_nanos = (s64)r->elapsed_ns;
	code = symbolize_profile(r->profile, &naming, &r->names);
	if (!code && r->kind->refine)
		code = r->kind->refine(r->profile, r->o);
	if (!code)
		code = add_comments(r);
	return code ? error_set(&r->err, code, "cannot name the stacks: %s", error_reason(code))
		    : 0;
}

static const char *why_empty(const struct recording *r)
{
	if (r->stats.lost_ring + r->stats.lost_table)
		return "every sample was lost";
	if (r->kind->why_empty)
		return r->kind->why_empty;
	if (!r->o->event->clock)
		return "the event did not occur in the target";
	return "the target used no CPU time";
}

static void report_command(struct recording *r)
{
	char end[128];

	if (r->o->target != OPTION_TARGET_COMMAND)
		return;
	for (int i = 0; i < COMMAND_SETTLE_POLLS && !command_poll(&r->command); i++)
		usleep(1000);
	if (!command_poll(&r->command))
		return;
	command_describe_end(&r->command, end, sizeof(end));
	terminal_note(&r->term, "cprof: %s %s", r->o->command[0], end);
}

static int finish(struct recording *r)
{
	struct output_place place = {.kind = r->kind->name,
				     .target = &r->target,
				     .is_command = r->o->target == OPTION_TARGET_COMMAND,
				     .hidden_key = r->kind->hidden_key,
				     .hidden_text = r->kind->hidden_text};
	int code = build_profile(r);
	bool empty;

	/* It may hold so many files open that no other could be written. */
	free_collector(r);
	if (r->o->wait.condvars == OPTION_CONDVAR_COUNT)
		place.hidden_key = NULL;
	empty = !code && !r->profile->samples.len;
	if (!code && r->kind->report)
		r->kind->report(&r->term, r->profile, &r->stats);
	if (!code)
		code = output_write(&r->out, r->profile, &place, &r->err);
	report_command(r);
	if (code)
		return code;
	summary_print(&r->term,
		      &(struct summary){.stats = &r->stats,
					.names = &r->names,
					.elapsed_ns = r->elapsed_ns,
					.frequency = r->kind->samples ? r->o->frequency : 0,
					.clock = r->o->event->clock});
	if (!empty)
		return CPROF_EXIT_OK;
	terminal_error(&r->term, "the profile of %s is empty: %s", r->target.title, why_empty(r));
	return CPROF_EXIT_EMPTY;
}

static void recording_release(struct recording *r)
{
	if (r->o->target == OPTION_TARGET_COMMAND)
		command_release(&r->command);
	preload_release(&r->preload);
	profile_free(r->profile);
	free_collector(r);
	target_release(&r->target);
	output_release(&r->out);
}

int record_main(const struct record_verb *kind, int argc, char **argv)
{
	struct options o;
	struct recording r = {.kind = kind, .o = &o, .target = {.cgroup = {.fd = -1}}};
	int code, status;

	if (!command_line_read(kind->verb, argc, argv, &o, &r.term, &status))
		return status;
	interrupt_install();
	code = output_init(&r.out, &o, &r.term, &r.err);
	if (!code)
		code = select_target(&r);
	fill_collect_options(&r);
	if (!code)
		code = record(&r);
	if (!code)
		code = finish(&r);
	if (code < 0 && code != -EPIPE) /* whoever closed the pipe knows */
		terminal_failed(&r.term, &r.err, code);
	recording_release(&r);
	return code < 0 ? CPROF_EXIT_FAILED : code;
}
