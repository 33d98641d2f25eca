/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof convert: a profile in another format. */
#include "command_line.h"
#include "exit_codes.h"
#include "viewing.h"
#include "verbs.h"

static int run(const struct verb_spec *verb, int argc, char **argv)
{
	struct terminal t;
	struct options o;
	struct profile *p;
	int status;

	if (!command_line_read(verb, argc, argv, &o, &t, &status))
		return status;
	p = viewing_load(&o, 0, &t);
	if (!p)
		return CPROF_EXIT_FAILED;
	status = viewing_filter(&o, p, &t);
	if (!status)
		status = viewing_write(&o, p, NULL, &t);
	profile_free(p);
	return status;
}

const struct verb_spec verb_convert = {
	.name = "convert",
	.group = VERBS_READING,
	.bit = VERB_CONVERT,
	.summary = "a profile in another format",
	.synopsis = "FILE (-o OUT | -f FORMAT) [OPTIONS]",
	.examples = "  cprof convert p.pb.gz -o p.svg          a flame graph\n"
		    "  cprof convert p.folded -o p.pb.gz       folded stacks to pprof\n",
	.run = run,
};
