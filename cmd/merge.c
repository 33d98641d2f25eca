/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof merge: several profiles of one kind as one. */
#include <stdlib.h>

#include "command_line.h"
#include "exit_codes.h"
#include "format/align_counts.h"
#include "profile/merge.h"
#include "viewing.h"
#include "verbs.h"

static int merge_all(const struct options *o, struct profile **list, struct terminal *t)
{
	struct error err = {0};
	struct profile *merged;
	int code, status;

	for (size_t i = 0; i < o->nfiles; i++) {
		list[i] = viewing_load(o, i, t);
		if (!list[i])
			return CPROF_EXIT_FAILED;
	}
	code = counts_align(list, o->nfiles);
	if (!code)
		code = profile_merge((const struct profile *const *)list, o->nfiles, &merged, &err);
	if (code)
		return viewing_failed(t, code, &err);
	status = viewing_write(o, merged, NULL, t);
	profile_free(merged);
	return status;
}

static int run(const struct verb_spec *verb, int argc, char **argv)
{
	struct profile **list;
	struct terminal t;
	struct options o;
	int status;

	if (!command_line_read(verb, argc, argv, &o, &t, &status))
		return status;
	list = calloc(o.nfiles, sizeof(struct profile *));
	if (!list) {
		terminal_error(&t, "not enough memory");
		return CPROF_EXIT_FAILED;
	}
	status = merge_all(&o, list, &t);
	for (size_t i = 0; i < o.nfiles; i++)
		profile_free(list[i]);
	free(list);
	return status;
}

const struct verb_spec verb_merge = {
	.name = "merge",
	.group = VERBS_READING,
	.bit = VERB_MERGE,
	.summary = "several profiles of one kind as one",
	.synopsis = "FILE... -o OUT",
	.examples = "  cprof merge host-*.pb.gz -o all.pb.gz\n",
	.run = run,
};
