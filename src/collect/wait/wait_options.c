/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the kinds of waits: see wait_options.h. */
#include "collect/wait/wait_options.h"

#include "view/wait_kind.h"

const struct wait_options wait_defaults;

int wait_set_condvar(void *options, const char *value, struct error *err)
{
	((struct wait_options *)options)->condvars = WAIT_CONDVARS_COUNT;
	return 0;
}

int wait_set_no_condvar(void *options, const char *value, struct error *err)
{
	((struct wait_options *)options)->condvars = WAIT_CONDVARS_DROP;
	return 0;
}

int wait_refine_locks(struct profile *p, const void *options)
{
	const struct wait_options *o = options;
	int code = wait_kinds_find(p);

	if (!code && o->condvars == WAIT_CONDVARS_DROP)
		wait_drop(p, "kind", "condvar");
	return code;
}

const struct kind_hidden *wait_hidden(const void *options)
{
	static const struct kind_hidden condvars = {"kind", "condvar", "--condvar"};
	const struct wait_options *o = options;

	return o->condvars == WAIT_CONDVARS_COUNT ? NULL : &condvars;
}
