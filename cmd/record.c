/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a recording verb, from its command line through a recording to its exit status: see
 * record.h. */
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "command_line.h"
#include "exit_codes.h"
#include "interrupt.h"
#include "output.h"
#include "record/recording.h"
#include "summary.h"
#include "terminal.h"

#define RESERVE (1u << 20) /* more than writing a pprof file needs */

struct session {
	const struct profile_kind *kind;
	struct options o;
	struct terminal term;
	struct output out;
	struct recording *recording;
	int signals; /* how many ended the recording */
	void *reserve; /* memory that is freed for writing if there is no other */
	struct error err;
};

/* Returns NULL if it is unset or empty. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* CPROF_TABLES=N is for tests that fill the tables. */
static u32 table_entries(void)
{
	const char *value = environment("CPROF_TABLES");
	long entries = value ? strtol(value, NULL, 10) : 0;

	return entries > 0 && entries <= 1 << 20 ? (u32)entries : 0;
}

static void fill_collect_options(const struct session *s, struct collect_options *c)
{
	const struct options *o = &s->o;

	*c = (struct collect_options){
		.frequency = o->frequency,
		.duration_ns = o->duration_ns,
		.user = !o->kernel_only,
		.kernel = !o->user_only,
		.by_thread = o->labels & OPTION_LABEL_THREAD,
		.by_process = o->labels & OPTION_LABEL_PID,
		.by_cpu = o->labels & OPTION_LABEL_CPU,
		.max_memory = o->max_memory,
		.own = &o->own,
		.uprobes = environment("CPROF_UPROBES"),
		.table_entries = table_entries(),
		.begins = interrupt_recording,
		.log = &s->term.log,
	};
}

static bool interrupted(void *arg)
{
	return interrupt_count() > 0;
}

/* Returns the servers that the user named; NULL if nothing is to be downloaded. */
static const char *debuginfod_urls(const struct options *o)
{
	if (!o->download)
		return NULL;
	return o->debuginfod ? o->debuginfod : environment("DEBUGINFOD_URLS");
}

static void show_download(void *arg, const char *text)
{
	struct session *s = arg;

	terminal_progress(&s->term, "downloading debug information: %s (Ctrl-C skips it)", text);
}

static void show_progress(void *arg, struct recording *r)
{
	struct session *s = arg;
	double done = (double)recording_elapsed_ns(r) / 1e9;
	const char *title = recording_target(r)->title;
	char file[160], download[192] = "";
	struct collect_stats now;

	recording_stats(r, &now);
	recording_downloading(r, file, sizeof(file));
	if (file[0])
		snprintf(download, sizeof(download), "; downloading %s", file);
	if (s->o.duration_ns)
		terminal_progress(&s->term, "recording %s: %.0f of %.0f s, %llu samples%s", title,
				  done, (double)s->o.duration_ns / 1e9,
				  (unsigned long long)now.samples, download);
	else
		terminal_progress(&s->term, "recording %s: %.0f s, %llu samples (Ctrl-C ends)%s",
				  title, done, (unsigned long long)now.samples, download);
}

/* What is left to do then is to write the profile as it is. */
static bool interrupted_again(void *arg)
{
	const struct session *s = arg;

	return interrupt_count() > s->signals;
}

static int make_recording(struct session *s)
{
	static const enum recording_target_kind targets[] = {
		[OPTION_TARGET_PIDS] = RECORDING_PIDS,
		[OPTION_TARGET_NAME] = RECORDING_NAME,
		[OPTION_TARGET_ALL] = RECORDING_ALL,
		[OPTION_TARGET_CGROUP] = RECORDING_CGROUP,
		[OPTION_TARGET_COMMAND] = RECORDING_COMMAND,
	};
	const struct options *o = &s->o;
	struct recording_options opt = {
		.kind = s->kind,
		.target = targets[o->target],
		.text = o->target_text,
		.command = o->command,
		.command_stdout = output_command_stdout(&s->out),
		.all_matches = o->all_matches,
		.children = o->children,
		.mode = o->mode,
		.no_inlines = !o->inlines,
		.stop = interrupted,
		.progress = terminal_shows_progress(&s->term) ? show_progress : NULL,
		.arg = s,
		.debuginfod = debuginfod_urls(o),
		.downloading = terminal_shows_progress(&s->term) ? show_download : NULL,
		.stop_naming = interrupted_again,
		.stop_arg = s,
	};

	fill_collect_options(s, &opt.collect);
	return recording_new(&opt, &s->recording, &s->err);
}

/* ---- recording ---- */

/* Runs until the time is up, the user interrupts, or nothing is left to profile. */
static int record(struct session *s)
{
	int code = recording_run(s->recording, &s->err);

	terminal_progress_end(&s->term);
	return code;
}

/* ---- the end ---- */

static void report_command(struct session *s)
{
	char end[128];

	if (recording_command_end(s->recording, end, sizeof(end)))
		terminal_note(&s->term, "cprof: %s %s", s->o.command[0], end);
}

static int write_profile(struct session *s, struct profile *p)
{
	struct output_place place = {.kind = s->kind->name,
				     .target = recording_target(s->recording),
				     .is_command = s->o.target == OPTION_TARGET_COMMAND,
				     .hidden = s->kind->hidden ? s->kind->hidden(&s->o.own) : NULL};

	return output_write(&s->out, p, &place, &s->err);
}

static void sum_up(struct session *s, const struct collect_stats *stats)
{
	char downloads[400];

	recording_downloads(s->recording, downloads, sizeof(downloads));
	summary_print(&s->term, &(struct summary){
					.stats = stats,
					.names = recording_names(s->recording),
					.kind = recording_summary(s->recording),
					.downloads = downloads,
					.elapsed_ns = recording_elapsed_ns(s->recording),
					.frequency = stats->event ? s->o.frequency : 0,
				});
}

static int finish(struct session *s)
{
	struct readers_unanswered unanswered;
	struct collect_stats stats;
	struct profile *p;
	bool empty = true;
	int code;

	s->signals = interrupt_count();
	code = recording_profile(s->recording, &p, &s->err);
	if (!code) {
		recording_stats(s->recording, &stats);
		empty = !p->samples.len;
		free(s->reserve);
		s->reserve = NULL;
		code = write_profile(s, p);
		profile_free(p);
	}
	report_command(s);
	if (code)
		return code;
	sum_up(s, &stats);
	recording_unanswered(s->recording, &unanswered);
	summary_unanswered(&s->term, &unanswered);
	if (!empty)
		return CPROF_EXIT_OK;
	terminal_error(&s->term, "the profile of %s is empty: %s",
		       recording_target(s->recording)->title, recording_why_empty(s->recording));
	return CPROF_EXIT_EMPTY;
}

int record_main(const struct verb_spec *verb, int argc, char **argv)
{
	struct session s = {.kind = verb->kind};
	int code, status;

	if (!command_line_read(verb, argc, argv, &s.o, &s.term, &status))
		return status;
	interrupt_install();
	s.reserve = malloc(RESERVE);
	code = output_init(&s.out, &s.o, &s.term, &s.err);
	if (!code)
		code = make_recording(&s);
	if (!code)
		code = record(&s);
	if (!code)
		code = finish(&s);
	if (code < 0 && code != -EPIPE) /* whoever closed the pipe knows */
		terminal_failed(&s.term, &s.err, code);
	free(s.reserve);
	recording_free(s.recording);
	return code < 0 ? CPROF_EXIT_FAILED : code;
}
