/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles which stacks open descriptors and which of these are open, with bpf/fds.bpf.c. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bpf_shared.h"
#include "base/clock.h"
#include "collect/features.h"
#include "collect/kind.h"
#include "collect/probe/probe_follow.h"
#include "collect/probe/probe_limit.h"
#include "collect/probe/probe_overhead.h"
#include "collect/probe/probe_site.h"
#include "collect/probe/uprobe_pins.h"
#include "collect/session/bpf_collector.h"
#include "collect/state/fd_probes.h"
#include "collect/state/fd_rows.h"
#include "fds.skel.h"
#include "target/needed.h"
#include "target/translator.h"

struct fds_options {
	const char *kinds; /* a list with commas; NULL for all */
	u64 older_than_ns;
	struct probe_limit limit;
};

struct fds_collector {
	struct bpf_collector bpf;
	const struct fds_options *own;
	u32 kinds; /* bits of enum fd_kind that are wanted */
	struct fds_bpf *skel;
	struct uprobe_pins *pins;
	struct fd_probes *probes;
	struct probe_set *set; /* of the probes */
	struct needed_files command_files;
	struct fd_names *names;
	fd_row_vec rows; /* as of the last look */
	bool links;
	struct process_watch *processes;
	struct overhead_watch watch;
	struct probe_overhead overhead; /* of the whole recording */
	bool stopped;
	struct gaps gaps;
};

static struct fds_collector *fds_of(struct collector *c)
{
	return (struct fds_collector *)c;
}

/* Returns the kinds of a list, as bits; 0 if one of them is unknown. */
static u32 kinds_of(const char *text)
{
	u32 kinds = 0;

	while (text && *text) {
		size_t length = strcspn(text, ",");
		enum fd_kind kind = fd_kind_called(text, length);

		if (kind == FD_KIND_COUNT)
			return 0;
		kinds |= 1u << kind;
		text += length + (text[length] == ',');
	}
	return kinds;
}

/* ---- loading ---- */

static double worth(void *arg, const struct sample_key *key, const struct sample_count *n)
{
	return (double)n->samples;
}

/* Every descriptor that is open may be shown under its stack. */
static void before_merge(void *arg, struct stack_store *store)
{
	struct fds_collector *c = arg;

	if (fd_rows_read(c->skel->progs.list_files, c->names, &c->rows))
		log_info(c->bpf.opt.log, "out of memory while rare stacks are merged");
	vec_for_each(&c->rows, row)
		stack_store_await(store, &row->record.entry.key, 1);
}

SKELETON_OPEN(open_programs, fds_bpf)

static int load_programs(struct fds_collector *c, struct error *err)
{
	const struct stack_kind kind = {.live = true, .worth = worth, .arg = c};
	int code;

	c->skel = open_programs();
	if (!c->skel)
		return bpf_session_load_error(-errno, err);
	code = bpf_session_configure(c->skel->obj, &c->bpf.opt, &c->skel->rodata->settings, err);
	if (code)
		return code;
	if (c->links)
		bpf_program__set_expected_attach_type(c->skel->progs.on_syscall,
						      (enum bpf_attach_type)UPROBE_ATTACH_MULTI);
	code = bpf_session_size_counts(c->skel->obj, &c->bpf.opt);
	if (!code)
		c->skel = bpf_session_load(&c->bpf.opt, open_programs, c->skel, &code);
	if (code)
		return bpf_session_load_error(code, err);
	code = bpf_session_new(c->skel->obj, &c->skel->bss->control, &c->bpf.opt, &kind,
			       &c->bpf.session, err);
	if (!code)
		bpf_session_on_merge(c->bpf.session, before_merge, c);
	return code;
}

/* on_exit removes a process from the targets, so it comes last. */
static int follow_processes(struct fds_collector *c, struct error *err)
{
	struct fds_bpf *skel = c->skel;
	const struct bpf_attachment all[] = {
		{skel->progs.on_fork_fds, &skel->links.on_fork_fds},
		{skel->progs.on_exec_fds, &skel->links.on_exec_fds},
		{skel->progs.on_exit_fds, &skel->links.on_exit_fds},
		{skel->progs.on_fork, &skel->links.on_fork},
		{skel->progs.on_exit, &skel->links.on_exit},
	};

	return bpf_collector_attach(all, ARRAY_LEN(all), "follow forks and exits", err);
}

static int make_probes(struct fds_collector *c, const struct features *f, struct error *err)
{
	const struct fd_programs programs = {
		.syscall = bpf_program__fd(c->skel->progs.on_syscall),
		.links = c->links,
		.pins = c->pins,
		.kernel = arch_probe_kernel(f->kernel_major, f->kernel_minor),
		.readers = c->bpf.opt.readers,
		.modules = bpf_session_modules(c->bpf.session),
		.log = c->bpf.opt.log,
	};
	int code = fd_probes_new(&programs, &c->probes);

	if (!code) {
		c->set = fd_probes_set(c->probes);
		code = fd_names_new(&c->names);
	}
	return code ? error_set(err, code, "cannot record: %s", error_reason(code)) : 0;
}

/* A fork copies what is known of the parent's descriptors in bpf_loop(), as the verifier would not
 * go through a plain loop of that length. */
static bool has_loops(const struct features *f)
{
	return f->kernel_major > 5 || (f->kernel_major == 5 && f->kernel_minor >= 17);
}

static int fds_prepare(struct collector *base, struct error *err)
{
	struct fds_collector *c = fds_of(base);
	enum uprobe_way way = UPROBE_WAY_PERF;
	struct features f = {0};
	int code;

	if (c->bpf.opt.target->scope != TARGET_PROCESSES)
		return error_set(err, -ENOTSUP,
				 "cannot put probes into every process: name some with -p or -n");
	bpf_session_uprobes(&c->bpf.opt, &f);
	if (!has_loops(&f))
		return error_set(
			err, -ENOTSUP,
			"cannot watch descriptors: Linux 5.17 or later is needed, and this is "
			"%u.%u",
			f.kernel_major, f.kernel_minor);
	code = uprobe_way_choose(&f, c->bpf.opt.uprobes, c->bpf.opt.log, &way, err);
	c->links = way != UPROBE_WAY_PERF;
	if (!code)
		code = translator_refuse_command(c->bpf.opt.command, err);
	if (!code)
		code = load_programs(c, err);
	if (!code)
		code = follow_processes(c, err);
	if (!code && uprobe_pins_new(f.uprobe_multi, &c->bpf.opt, &c->pins))
		code = error_set(err, -ENOMEM, "cannot record: out of memory");
	if (!code)
		code = make_probes(c, &f, err);
	if (code)
		return code;
	if (c->bpf.opt.command)
		needed_files_of(c->bpf.opt.command, c->bpf.opt.readers, &c->command_files);
	return bpf_session_discover(c->bpf.session, c->skel->progs.list_mappings,
				    c->command_files.paths, err);
}

/* ---- while recording ---- */

static void count_calls(void *arg, struct probed_calls *now)
{
	struct fds_collector *c = arg;

	now->begins = bpf_session_stat(c->bpf.session, STAT_FD_CALLS);
	now->sampled_ns = bpf_session_stat(c->bpf.session, STAT_NANOSECONDS);
	now->begin_ns = now->end_ns = probe_cost_ns(PROBE_COST_EMULATED, PROBE_ENTRY);
	now->stepped = bpf_session_stat(c->bpf.session, STAT_FD_STEPPED);
}

/* Probes go into the libraries of a command before they are mapped. */
static int attach_command(struct fds_collector *c)
{
	const pid_t tgid = c->bpf.opt.target->processes.data[0].tgid;
	struct error err;

	for (char **path = c->command_files.paths; path && *path; path++) {
		if (probe_set_add_file(c->set, *path, tgid, &err))
			log_debug(c->bpf.opt.log, "%s", err.text);
	}
	return 0;
}

/* The overhead is reported before the target pays for more of it. */
static int attach_targets(struct fds_collector *c, struct error *err)
{
	struct probe_set_stats stats;
	int code = probe_set_add_targets(c->set, c->bpf.opt.target, err);

	if (code)
		return code;
	probe_set_stats(c->set, &stats);
	if (!stats.probes)
		log_warn(c->bpf.opt.log,
			 "no system calls found that could be probed in %s: what it opens has no "
			 "stack",
			 c->bpf.opt.target->title);
	code = overhead_watch_trial(&c->watch, err);
	if (code)
		probe_set_detach(c->set);
	return code;
}

static int note_open(struct fds_collector *c, struct error *err)
{
	int code;

	c->skel->bss->beginning = 1;
	code = fd_rows_read(c->skel->progs.list_files, c->names, &c->rows);
	c->skel->bss->beginning = 0;
	return code ? error_set(err, code, "cannot list open files: %s", error_reason(code)) : 0;
}

static int fds_start(struct collector *base, struct error *err)
{
	struct fds_collector *c = fds_of(base);
	const struct followed_processes which = {
		.targets_fd = bpf_map__fd(c->skel->maps.targets),
		.new_processes_fd = bpf_map__fd(c->skel->maps.new_processes),
		.begun = c->bpf.opt.command ? c->bpf.opt.target->processes.data[0].tgid : 0,
	};
	int code;

	c->watch = (struct overhead_watch){.opt = &c->bpf.opt,
					   .limit = probe_limit_percent(&c->own->limit),
					   .calls = "calls/s that may open descriptors",
					   .count = count_calls,
					   .arg = c,
					   .began_ns = &c->bpf.base.began_ns};
	overhead_watch_begin(&c->watch, bpf_program__fd(c->skel->progs.on_syscall), 0, c->links);
	code = c->bpf.opt.command ? attach_command(c) : attach_targets(c, err);
	uprobe_pins_rest(c->pins);
	if (!code)
		code = note_open(c, err);
	return code ? code : probe_set_follow(c->set, &which, &c->processes, err);
}

static int count_open(struct fds_collector *c)
{
	int err = fd_rows_read(c->skel->progs.list_files, c->names, &c->rows);

	bpf_session_take_stacks(c->bpf.session);
	fd_rows_count(&c->rows, c->bpf.session, c->own->older_than_ns);
	return err;
}

static void fds_stop(struct collector *base)
{
	struct fds_collector *c = fds_of(base);

	c->overhead = overhead_watch_now(&c->watch);
	c->skel->bss->stopped = 1;
	gaps_note(&c->gaps, GAP_LIVE, fd_rows_read(c->skel->progs.list_files, c->names, &c->rows));
	process_watch_stop(c->processes);
	probe_set_detach(c->set);
	c->stopped = true;
	bpf_session_drain(c->bpf.session);
	fd_rows_count(&c->rows, c->bpf.session, c->own->older_than_ns);
}

/* ---- samples ---- */

static void values(void *arg, const struct sample_key *key, const struct sample_tally *tally,
		   s64 out[SAMPLE_VALUES_MAX])
{
	out[0] = (s64)tally->count.samples;
	out[1] = (s64)tally->live.samples;
}

static u32 kind_of(const struct fds_collector *c, const struct sample_key *key)
{
	const struct fd_row *row = key->object ? fd_rows_find(&c->rows, key->object) : NULL;

	return row ? row->kind : key->cause;
}

static u32 labels(void *arg, const struct sample_key *key, const struct thread_id *owner,
		  struct sample_label out[SAMPLE_LABELS_MAX])
{
	const struct fds_collector *c = arg;
	const struct fd_row *row = key->object ? fd_rows_find(&c->rows, key->object) : NULL;
	u32 n = 0;

	out[n++] = (struct sample_label){.key = "kind", .text = fd_kind_text(kind_of(c, key))};
	if (!row)
		return n;
	out[n++] = (struct sample_label){.key = "fd", .number = row->record.fd};
	if (row->text)
		out[n++] = (struct sample_label){.key = "what", .text = row->text};
	if (row->age_ns)
		out[n++] = (struct sample_label){.key = "age",
						 .number = (s64)(row->age_ns / 1000000),
						 .unit = "milliseconds"};
	return n;
}

static bool wanted(void *arg, const struct sample_key *key)
{
	const struct fds_collector *c = arg;

	return !c->kinds || c->kinds & 1u << kind_of(c, key);
}

static int describe(struct profile *p)
{
	int err = profile_add_sample_type(p, "opened", "count");
	s64 chosen;

	if (!err)
		err = profile_add_sample_type(p, "open", "count");
	if (err)
		return err;
	chosen = profile_string(p, "open");
	if (chosen < 0)
		return (int)chosen;
	p->default_sample_type = (string_id)chosen;
	return 0;
}

static int begin_reading(struct fds_collector *c, enum collect_range range)
{
	int err = bpf_session_begin_reading(c->bpf.session, range);

	return err || c->stopped ? err : count_open(c);
}

static int fds_read(struct collector *base, enum collect_range range, struct profile *p,
		    struct error *err)
{
	struct fds_collector *c = fds_of(base);
	const struct sample_mapping mapping = {
		.values = values, .labels = labels, .wanted = wanted, .nflows = 1, .arg = c};
	int code = describe(p);

	if (!code)
		code = begin_reading(c, range);
	if (code)
		return error_set(err, code, "cannot build the profile: %s", error_reason(code));
	return bpf_session_read(c->bpf.session, range, &mapping, p, err);
}

/* ---- the end ---- */

static void fds_stats(struct collector *base, struct collect_stats *out)
{
	struct fds_collector *c = fds_of(base);

	bpf_session_stats(c->bpf.session, out);
	gaps_add(&out->gaps, &c->gaps);
}

/* Adds a line for the process that is nearest to its limit. Rows are sorted by process. */
static void summarize_limit(const struct fds_collector *c, struct lines *out)
{
	double worst = -1;
	char line[160] = "";

	for (size_t i = 0, n; i < c->rows.len; i += n) {
		const struct fd_record *r = &c->rows.data[i].record;
		pid_t tgid = (pid_t)r->thread.tgid.nr;
		struct rlimit limit;

		n = 1;
		while (i + n < c->rows.len && c->rows.data[i + n].record.tgid == r->tgid)
			n++;
		if (!tgid || prlimit(tgid, RLIMIT_NOFILE, NULL, &limit) || !limit.rlim_cur ||
		    (double)n / (double)limit.rlim_cur <= worst)
			continue;
		worst = (double)n / (double)limit.rlim_cur;
		snprintf(line, sizeof(line), "PID %d has %zu descriptors open; its limit is %llu",
			 (int)tgid, n, (unsigned long long)limit.rlim_cur);
	}
	if (*line)
		lines_add(out, "%s", line);
}

static void fds_summarize(struct collector *base, struct lines *out)
{
	struct fds_collector *c = fds_of(base);
	u64 unfollowed = bpf_session_stat(c->bpf.session, STAT_FD_UNFOLLOWED);
	size_t before = 0, unseen = 0;

	vec_for_each(&c->rows, row) {
		before += row->record.entry.key.stack == FD_BEFORE_STACK;
		unseen += row->record.entry.key.stack == FD_UNSEEN_STACK;
	}
	lines_add(out,
		  "%llu calls that may open descriptors: the probes slowed the target by about "
		  "%.1f%%",
		  (unsigned long long)bpf_session_stat(c->bpf.session, STAT_FD_CALLS),
		  c->overhead.slowdown * 100);
	lines_add(out, "%zu descriptors open at the end, %zu of them since before the recording",
		  c->rows.len, before);
	if (unseen)
		lines_add(out,
			  "%zu of them were opened by calls without a probe (system calls that are "
			  "not made by a C library, descriptors that were received, or processes "
			  "that had just begun)",
			  unseen);
	if (unfollowed)
		lines_add(out, "%llu opened descriptors were not followed: the table is full",
			  (unsigned long long)unfollowed);
	summarize_limit(c, out);
}

static void fds_free(struct collector *base)
{
	struct fds_collector *c = fds_of(base);

	process_watch_free(c->processes);
	fd_probes_free(c->probes);
	uprobe_pins_free(c->pins);
	needed_files_release(&c->command_files);
	fd_names_free(c->names);
	fd_rows_release(&c->rows);
	bpf_session_free(c->bpf.session);
	bpf_session_unload(&c->bpf.opt, open_programs, c->skel);
	free(c);
}

static const struct collector_ops fds_ops = {
	.name = "bpf",
	.prepare = fds_prepare,
	.start = fds_start,
	.poll = bpf_collector_poll,
	.fd = bpf_collector_fd,
	.stop = fds_stop,
	.read = fds_read,
	.shrink = bpf_collector_shrink,
	.stats = fds_stats,
	.summarize = fds_summarize,
	.free = fds_free,
};

static int fds_collector_new(const struct collect_options *opt, struct collector **out,
			     struct error *err)
{
	struct fds_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	c->bpf.base.ops = &fds_ops;
	c->bpf.opt = *opt;
	c->own = opt->own;
	c->kinds = kinds_of(c->own->kinds);
	*out = &c->bpf.base;
	return 0;
}

/* ---- the kind ---- */

static const struct option_row rows[] = {
	{.name = "kind",
	 .value = "KIND[,KIND...]",
	 .help = "only these: file, dir, device, socket, pipe, epoll, ...",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_TEXT(struct fds_options, kinds, "a list of kinds")},
	{.name = "older-than",
	 .value = "AGE",
	 .help = "leave out open descriptors that are younger (60s, 5m)",
	 .group = OPTION_GROUP_SAMPLING,
	 ROW_DURATION(struct fds_options, older_than_ns, "an age (5s, 500ms, 2m)")},
	PROBE_LIMIT_ROWS(struct fds_options, limit),
	{0},
};

static const struct fds_options defaults = {.kinds = NULL};

static int check(const void *options, struct error *err)
{
	const struct fds_options *o = options;

	if (o->kinds && !kinds_of(o->kinds))
		return error_set(err, -EINVAL,
				 "--kind takes a list of file, dir, device, socket, pipe, epoll, "
				 "eventfd, timerfd, signalfd, inotify, memfd, pidfd and other");
	return 0;
}

const struct profile_kind kind_fds = {
	.name = "fds",
	.summary = "who opens files, sockets and other descriptors, and which are open",
	.faculties = KIND_PROBES,
	KIND_OPTIONS(rows, defaults),
	.check = check,
	.collector_new = fds_collector_new,
	.why_empty = "nothing was opened, and nothing is open",
};
