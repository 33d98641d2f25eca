/* SPDX-License-Identifier: Apache-2.0 */
/* Finds verbs by name: see verbs.h. */
#include "verbs.h"

#include <string.h>

#include "collect/kind.h"
#include "exit_codes.h"
#include "nearest.h"
#include "terminal.h"
#include "verb_list.h"

const struct verb_spec *const verb_table[] = {VERB_LIST NULL};

const struct verb_spec *verb_by_name(const char *name)
{
	for (const struct verb_spec *const *v = verb_table; *v; v++) {
		if (!strcmp((*v)->name, name))
			return *v;
	}
	return NULL;
}

const char *verb_summary(const struct verb_spec *v)
{
	return v->kind ? v->kind->summary : v->summary;
}

const char *verb_synopsis(const struct verb_spec *v)
{
	if (!v->kind)
		return v->synopsis;
	if (v->kind->faculties & KIND_MOMENT)
		return "(-p PID[,PID...] | -n NAME | -a | --cgroup PATH)";
	return v->kind->faculties & KIND_MACHINE
		       ? "(-p PID[,PID...] | -n NAME | -a | --cgroup PATH | -- COMMAND [ARGS])"
		       : "(-p PID[,PID...] | -n NAME | -- COMMAND [ARGS])";
}

u32 verb_bits(const struct verb_spec *v)
{
	if (!v->kind)
		return v->bit;
	return VERB_RECORDING | VERB_WITH(v->kind->faculties) |
	       (v->kind->fallback_new ? VERB_WITH_FALLBACK : 0) |
	       (v->kind->faculties & KIND_MOMENT ? 0 : VERB_LASTING);
}

int verb_unknown(const char *name)
{
	const struct verb_spec *best = NULL;
	u32 least = UINT32_MAX;
	struct terminal t;

	for (const struct verb_spec *const *v = verb_table; *v; v++) {
		u32 distance = word_distance(name, (*v)->name);

		if (distance < least) {
			least = distance;
			best = *v;
		}
	}
	terminal_init(&t, NULL);
	if (best && word_is_near(name, least))
		terminal_error(&t, "unknown verb \"%.128s\": did you mean cprof %s?", name,
			       best->name);
	else
		terminal_error(&t, "unknown verb \"%.128s\" (cprof help lists them)", name);
	return CPROF_EXIT_USAGE;
}
