/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the closing summary: see summary.h. */
#include "summary.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "record/losses.h"

static double percent(u64 part, u64 whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

static bool print_cuts(struct terminal *t, const struct collect_stats *s)
{
	char list[LOSSES_SIZE];

	losses_cuts(s, list, sizeof(list));
	if (list[0])
		terminal_note(t, "cprof: cut stacks: %s", list);
	return list[0];
}

static void print_merged(struct terminal *t, const struct stack_merge_stats *m)
{
	if (m->stacks)
		terminal_note(t,
			      "cprof: too little memory for all stacks (--max-memory): %llu rare "
			      "ones merged, %.1f%% of the profile is in [too many stacks]",
			      (unsigned long long)m->stacks, m->share * 100);
}

static void print_gaps(struct terminal *t, const struct gaps *g)
{
	char text[LOSSES_SIZE];

	losses_gaps(g, text, sizeof(text));
	if (text[0])
		log_warn(&t->log, "the profile is incomplete: %s", text);
}

static void print_cost(struct terminal *t, const struct collect_stats *s,
		       const struct helper_cost *names)
{
	struct rusage u;
	long memory;
	double cpu;

	getrusage(RUSAGE_SELF, &u);
	cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	      (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6 + (double)names->cpu_ns / 1e9;
	memory = u.ru_maxrss > (long)names->memory_kb ? u.ru_maxrss : (long)names->memory_kb;
	if (s->kernel_ns && s->samples)
		terminal_note(
			t,
			"cprof: cost: %.2f s of CPU, %ld MB of memory, %.1f us per sample in the "
			"kernel",
			cpu, memory / 1024, (double)s->kernel_ns / 1000.0 / (double)s->samples);
	else
		terminal_note(t, "cprof: cost: %.2f s of CPU, %ld MB of memory", cpu,
			      memory / 1024);
}

static void print_lines(struct terminal *t, const struct lines *l)
{
	vec_for_each(&l->text, line)
		terminal_note(t, "cprof: %s", *line);
}

void summary_left_out(struct terminal *t, const struct left_out *l)
{
	char parts[LEFT_OUT_TEXT];

	left_out_text(l, parts, sizeof(parts));
	if (parts[0])
		terminal_note(t, "cprof: left out: %s", parts);
}

static void print_left_out(struct terminal *t, const struct symbolize_stats *n)
{
	summary_left_out(t, &n->left_out);
	if (n->unread)
		terminal_note(t, "cprof: interrupted: %llu addresses were not named",
			      (unsigned long long)n->unread);
}

void summary_print(struct terminal *t, const struct summary *sum)
{
	const struct collect_stats *s = sum->stats;
	const struct symbolize_stats *n = sum->names;
	char losses[LOSSES_SIZE], rate[64] = "";
	u64 stacks = 0;

	for (u32 i = 0; i < STACK_END_COUNT; i++)
		stacks += s->ends[i];
	losses_text(s, losses, sizeof(losses));
	if (sum->frequency)
		snprintf(rate, sizeof(rate), " at %u Hz", sum->frequency);
	terminal_note(t,
		      "cprof: %llu samples in %.1f s%s; lost %s; %.1f%% of stacks whole; %.1f%% of "
		      "%llu addresses named",
		      (unsigned long long)s->samples, (double)sum->elapsed_ns / 1e9, rate, losses,
		      percent(s->ends[STACK_WHOLE], stacks), percent(n->named, n->addresses),
		      (unsigned long long)n->addresses);
	if (s->lost_targets)
		log_warn(&t->log,
			 "%llu child processes are not recorded: more at once than fit into the "
			 "table",
			 (unsigned long long)s->lost_targets);
	if (n->kernel_hidden)
		log_warn(&t->log, "kernel functions have no names: kernel.kptr_restrict hides them "
				  "(sysctl kernel.kptr_restrict=0)");
	print_lines(t, sum->kind);
	print_merged(t, &s->merged);
	print_left_out(t, n);
	print_gaps(t, &s->gaps);
	if (sum->downloads && sum->downloads[0])
		terminal_note(t, "cprof: %s", sum->downloads);
	if (n->unread_debug[0])
		terminal_note(t, "cprof: %s", n->unread_debug);
	if (n->unnamed_jit[0])
		terminal_note(t, "cprof: %s", n->unnamed_jit);
	/* What was cut, or what the kind reports, matters more than a hint for better names. */
	if (!print_cuts(t, s) && !sum->kind->text.len && n->note[0])
		terminal_note(t, "cprof: %s", n->note);
	print_cost(t, s, &n->cost);
}

void summary_unanswered(struct terminal *t, const struct readers_unanswered *u)
{
	u32 shown = 0;

	for (; shown < u->files && shown < ARRAY_LEN(u->paths); shown++)
		terminal_note(t,
			      "cprof: could not read %s: its file system did not answer within %u "
			      "s",
			      u->paths[shown], READERS_ANSWER_MS / 1000);
	if (u->files > shown)
		terminal_note(t, "cprof: could not read %u more files there", u->files - shown);
}
