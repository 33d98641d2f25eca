/* SPDX-License-Identifier: Apache-2.0 */
/* Prints help texts: see help.h. */
#include "help.h"

#include <string.h>

#include "base/bpf_shared.h"
#include "exit_codes.h"

#define OPTION_COLUMN 28 /* the column where the help of an option begins */

static const char *const group_titles[] = {
	[OPTION_GROUP_TARGET] = "Target",     [OPTION_GROUP_SAMPLING] = "Sampling",
	[OPTION_GROUP_VIEW] = "What to show", [OPTION_GROUP_FILTER] = "Of which stacks",
	[OPTION_GROUP_OUTPUT] = "Output",     [OPTION_GROUP_OTHER] = "Other",
};

static void list_verbs(FILE *to, enum verb_group group)
{
	static const char *const titles[] = {[VERBS_RECORDING] = "Record",
					     [VERBS_READING] = "Read profiles",
					     [VERBS_OTHER] = "Other"};

	fprintf(to, "\n%s:\n", titles[group]);
	for (const struct verb_spec *const *v = verb_table; *v; v++) {
		if ((*v)->group == group)
			fprintf(to, "  %-14s%s\n", (*v)->name, verb_summary(*v));
	}
}

void help_overview(FILE *to)
{
	fprintf(to,
		"cprof " CPROF_VERSION ": profiles of any running process, without changing it.\n"
		"\n"
		"Usage: cprof VERB [OPTIONS]\n");
	for (u32 group = 0; group < VERB_GROUP_COUNT; group++)
		list_verbs(to, group);
	fprintf(to,
		"\n"
		"For example:\n"
		"  cprof cpu -p 4711 -d 5s          what this process does, for five seconds\n"
		"  cprof cpu -n redis-server -o redis.pb.gz && go tool pprof -http: redis.pb.gz\n"
		"  cprof cpu -- ./program --flag    a command from its start to its end\n"
		"\n"
		"`cprof help VERB` describes one of them.\n");
}

static void print_option(FILE *to, const struct option_row *s)
{
	char left[64], letter[8] = "    ";

	if (s->letter)
		snprintf(letter, sizeof(letter), "-%c, ", s->letter);
	snprintf(left, sizeof(left), "  %s--%s%s%s", letter, s->name, s->value ? " " : "",
		 s->value ? s->value : "");
	if (strlen(left) + 2 > OPTION_COLUMN)
		fprintf(to, "%s\n%*s%s\n", left, OPTION_COLUMN, "", s->help);
	else
		fprintf(to, "%-*s%s\n", OPTION_COLUMN, left, s->help);
}

static void print_options(FILE *to, const struct verb_spec *verb)
{
	for (size_t group = 0; group < ARRAY_LEN(group_titles); group++) {
		bool titled = false;

		for (const struct option_row *s = option_next(verb, NULL); s;
		     s = option_next(verb, s)) {
			if ((size_t)s->group != group)
				continue;
			if (!titled)
				fprintf(to, "\n%s:\n", group_titles[group]);
			titled = true;
			print_option(to, s);
		}
	}
}

/* Prints one a line with its summary, or all in one line if they have none. */
static void print_values(FILE *to, const struct option_row *s)
{
	const char *name, *summary;
	bool in_line = false;

	if (!s->values_title)
		return;
	fprintf(to, "\n%s:\n", s->values_title);
	for (u32 i = 0; (name = s->value_at(i, &summary)); i++) {
		in_line = !*summary;
		if (in_line)
			fprintf(to, "%s %s", i ? "" : " ", name);
		else
			fprintf(to, "  %-*s%s\n", OPTION_COLUMN - 2, name, summary);
	}
	if (in_line)
		fputc('\n', to);
}

/* A comparison is a page or the printed table. */
static bool writes(const struct verb_spec *verb, const struct format *f)
{
	if (f->threads && verb->kind)
		return verb->kind->faculties & KIND_MOMENT;
	if (f->threads)
		return verb->bit == VERB_CONVERT;
	return verb->bit != VERB_DIFF || f == &format_html;
}

static void print_formats(FILE *to, const struct verb_spec *verb)
{
	fprintf(to, "\nFormats:\n");
	for (const struct format *const *f = format_table; *f; f++) {
		if (!writes(verb, *f))
			continue;
		fprintf(to, "  %-11s%-17s%s\n", (*f)->name, (*f)->suffix, (*f)->summary);
	}
}

static void print_target_reminder(FILE *to)
{
	fprintf(to,
		"\nWithout -o and -f: folded stacks into a pipe; on a terminal a table of the top\n"
		"functions, and a pprof file whose name is printed.\n"
		"\n"
		"Exit status: 0 a profile was written, 1 it could not be, 2 wrong usage, 3 nothing "
		"was\n"
		"sampled.\n");
}

static bool verb_takes(const struct verb_spec *verb, const char *option)
{
	for (const struct option_row *s = option_next(verb, NULL); s; s = option_next(verb, s)) {
		if (!strcmp(s->name, option))
			return true;
	}
	return false;
}

void help_verb(FILE *to, const struct verb_spec *verb)
{
	const char *synopsis = verb_synopsis(verb);

	fprintf(to, "cprof %s: %s\n\nUsage: cprof %s%s%s\n", verb->name, verb_summary(verb),
		verb->name, *synopsis ? " " : "", synopsis);
	if (verb_bits(verb)) {
		print_options(to, verb);
		for (const struct option_row *s = option_next(verb, NULL); s;
		     s = option_next(verb, s))
			print_values(to, s);
		if (verb_takes(verb, "format"))
			print_formats(to, verb);
		if (verb_takes(verb, "pid"))
			print_target_reminder(to);
	}
	if (verb->examples)
		fprintf(to, "\nExamples:\n%s", verb->examples);
}

void help_list_options(FILE *to, const struct verb_spec *verb)
{
	for (const struct option_row *s = option_next(verb, NULL); s; s = option_next(verb, s))
		fprintf(to, "%.1s\t%s\t%s\t%s\n", s->letter ? &s->letter : "", s->name,
			s->value ? s->value : "", s->help);
}

/* "bpf|perf" lists values, and "FILE" does not. */
static void list_choices(FILE *to, const char *choices)
{
	if (!strchr(choices, '|'))
		return;
	for (; *choices; choices++)
		fputc(*choices == '|' ? '\n' : *choices, to);
	fputc('\n', to);
}

void help_list_values(FILE *to, const struct verb_spec *verb, const char *option)
{
	const char *name, *summary;

	if (!strcmp(option, "format") && verb_takes(verb, option)) {
		for (const struct format *const *f = format_table; *f; f++) {
			if (writes(verb, *f))
				fprintf(to, "%s\n", (*f)->name);
		}
	}
	for (const struct option_row *s = option_next(verb, NULL); s; s = option_next(verb, s)) {
		if (strcmp(s->name, option) != 0 || !s->value)
			continue;
		list_choices(to, s->value);
		for (u32 i = 0; s->value_at && (name = s->value_at(i, &summary)); i++)
			fprintf(to, "%s\n", name);
	}
}

static int run(const struct verb_spec *self, int argc, char **argv)
{
	const struct verb_spec *verb;

	if (argc < 2) {
		help_overview(stdout);
		return CPROF_EXIT_OK;
	}
	verb = verb_by_name(argv[1]);
	if (!verb)
		return verb_unknown(argv[1]);
	help_verb(stdout, verb);
	return CPROF_EXIT_OK;
}

const struct verb_spec verb_help = {
	.name = "help",
	.group = VERBS_OTHER,
	.summary = "this overview, or the help of one verb",
	.synopsis = "[VERB]",
	.words = 1,
	.run = run,
};
