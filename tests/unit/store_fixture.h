/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of modules, for the tests of what is in them. */
#ifndef CPROF_TESTS_STORE_FIXTURE_H
#define CPROF_TESTS_STORE_FIXTURE_H

#include "collect/session/module_set.h"

/* `opt` may be NULL. Skips the case if there can be no BPF maps. */
struct module_store *store_fixture_new(const struct module_store_options *opt);
struct module_set *store_fixture_set(struct module_store *s);
struct module_store_stats store_fixture_stats(struct module_store *s);

#endif
