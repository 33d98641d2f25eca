/* SPDX-License-Identifier: Apache-2.0 */
/* Makes stores of modules: see store_fixture.h. */
#include "store_fixture.h"

#include "collect/session/module_store_impl.h"
#include "unit.h"

struct module_store *store_fixture_new(const struct module_store_options *opt)
{
	const struct module_store_options usual = {.readers = NULL};
	struct module_store *s;

	CHECK_INT(module_store_new(opt ? opt : &usual, &s), 0);
	if (!s->maps.state)
		unit_skip("BPF maps need root");
	return s;
}

struct module_set *store_fixture_set(struct module_store *s)
{
	struct module_set *set;

	CHECK_INT(module_set_new(s, NULL, &set), 0);
	return set;
}

struct module_store_stats store_fixture_stats(struct module_store *s)
{
	struct module_store_stats stats;

	module_store_stats(s, &stats);
	return stats;
}
