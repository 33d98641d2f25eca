/* SPDX-License-Identifier: Apache-2.0 */
/* Parses command lines: see options.h. The table is in option_table.c. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collect/session/memory_bound.h"
#include "nearest.h"
#include "option_checks.h"
#include "verbs.h"

#define DEFAULT_DURATION_NS 10000000000ull
#define DEFAULT_FREQUENCY 99 /* out of step with what runs at 100 Hz */
#define DEFAULT_TOP 20

#define usage(err, ...) error_set(err, -EINVAL, __VA_ARGS__)

struct parser {
	const struct verb_spec *verb;
	bool reads; /* the verb reads profiles, so it takes files and no command */
	char **next; /* the next argument */
	struct options *options;
	struct error *err;
	char **files; /* where the next one goes, at or before `next` */
};

static const struct option_row *find_letter(const struct parser *p, char letter)
{
	for (const struct option_row *s = option_next(p->verb, NULL); s;
	     s = option_next(p->verb, s)) {
		if (s->letter == letter)
			return s;
	}
	return NULL;
}

static const struct option_row *find_long(const struct parser *p, const char *name, size_t len)
{
	for (const struct option_row *s = option_next(p->verb, NULL); s;
	     s = option_next(p->verb, s)) {
		if (strlen(s->name) == len && !strncmp(s->name, name, len))
			return s;
	}
	return NULL;
}

static int unknown_long(const struct parser *p, const char *name, size_t len)
{
	const struct option_row *best = NULL;
	u32 least = UINT32_MAX;
	char typed[OPTION_SHOWN];

	snprintf(typed, sizeof(typed), "%.*s", (int)(len < OPTION_SHOWN ? len : OPTION_SHOWN),
		 name);
	for (const struct option_row *s = option_next(p->verb, NULL); s;
	     s = option_next(p->verb, s)) {
		u32 distance = word_distance(typed, s->name);

		if (distance < least) {
			least = distance;
			best = s;
		}
	}
	if (best && word_is_near(typed, least))
		return usage(p->err, "unknown option --%s: did you mean --%s?", typed, best->name);
	return usage(p->err, "unknown option --%s", typed);
}

static int set(struct parser *p, const struct option_row *s, const char *value)
{
	struct options *o = p->options;

	return option_set(s, s->verbs ? (void *)o : (void *)&o->own, value, p->err);
}

static int set_next(struct parser *p, const struct option_row *s, const char *typed)
{
	if (!*p->next)
		return usage(p->err, "%s needs a value: %s", typed, s->value);
	return set(p, s, *p->next++);
}

static int parse_long(struct parser *p, const char *arg)
{
	const char *name = arg + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_row *s = find_long(p, name, len);

	if (!s)
		return unknown_long(p, name, len);
	if (!s->value && equals)
		return usage(p->err, "--%s takes no value", s->name);
	if (!s->value || equals)
		return set(p, s, equals ? equals + 1 : NULL);
	return set_next(p, s, arg);
}

/* These are "-v", "-vq", "-F99" and "-vF 99". */
static int parse_letters(struct parser *p, const char *arg)
{
	int result = 0;

	for (const char *c = arg + 1; *c && !result && !p->options->help; c++) {
		const struct option_row *s = find_letter(p, *c);
		char typed[3] = {'-', *c, '\0'};

		if (!s)
			return usage(p->err, "unknown option -%c", *c);
		if (s->value)
			return c[1] ? set(p, s, c + 1) : set_next(p, s, typed);
		result = set(p, s, NULL);
	}
	return result;
}

static int parse_command(struct parser *p)
{
	if (!*p->next || !**p->next)
		return usage(p->err, "-- needs a command behind it");
	p->options->command = p->next;
	return options_set_target(p->options, OPTION_TARGET_COMMAND, NULL, p->err);
}

/* A file takes the place of an argument that has already been read. */
static void take_file(struct parser *p, char *arg)
{
	p->files[p->options->nfiles++] = arg;
}

static int stray(const struct parser *p, const char *arg)
{
	if (isdigit((unsigned char)*arg))
		return usage(p->err, "unexpected \"%.*s\": did you mean -p %.*s?", OPTION_SHOWN,
			     arg, OPTION_SHOWN, arg);
	return usage(p->err, "unexpected \"%.*s\": did you mean -n %.*s, or -- %.*s to start it?",
		     OPTION_SHOWN, arg, OPTION_SHOWN, arg, OPTION_SHOWN, arg);
}

static int parse_all(struct parser *p)
{
	int result = 0;

	while (!result && *p->next && !p->options->help) {
		char *arg = *p->next++;

		if (!strcmp(arg, "--") && !p->reads)
			return parse_command(p);
		if (!strcmp(arg, "--")) {
			while (*p->next)
				take_file(p, *p->next++);
			return 0;
		}
		if (!strncmp(arg, "--", 2))
			result = parse_long(p, arg);
		else if (arg[0] == '-' && arg[1])
			result = parse_letters(p, arg);
		else if (p->reads)
			take_file(p, arg);
		else
			result = stray(p, arg);
	}
	return result;
}

int options_parse(struct options *o, const struct verb_spec *verb, int argc, char **argv,
		  struct error *err)
{
	struct parser p = {.verb = verb,
			   .reads = verb_bits(verb) & VERB_READING,
			   .next = argv + (argc > 0),
			   .options = o,
			   .err = err,
			   .files = argv + (argc > 0)};
	int result;

	*o = (struct options){
		.children = true,
		.inlines = true,
		.download = true,
		.duration_ns = DEFAULT_DURATION_NS,
		.max_memory = MEMORY_BOUND_DEFAULT,
		.frequency = DEFAULT_FREQUENCY,
		.top = DEFAULT_TOP,
		.kind = verb->kind,
		.files = p.files,
	};
	if (verb->kind && verb->kind->defaults)
		memcpy(&o->own, verb->kind->defaults, verb->kind->options_size);
	result = parse_all(&p);
	if (result || o->help)
		return result;
	return option_checks(o, verb_bits(verb), err);
}
