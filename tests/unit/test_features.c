/* SPDX-License-Identifier: Apache-2.0 */
/* What is found out about this kernel is consistent, and what is missing is explained. */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "collect/events.h"
#include "collect/features.h"

static void check_list(const struct features *f)
{
	struct feature list[FEATURES_LIST_MAX];
	size_t n = features_list(f, list);

	CHECK(n > 5 && n <= FEATURES_LIST_MAX);
	for (size_t i = 0; i < n; i++) {
		CHECK(list[i].name && *list[i].detail);
		CHECK((list[i].state == FEATURE_OK) == !list[i].meaning);
		CHECK(list[i].state != FEATURE_OK || !list[i].remedy);
	}
}

static const struct feature *find(const struct features *f, const char *name)
{
	static struct feature list[FEATURES_LIST_MAX];
	size_t n = features_list(f, list);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(list[i].name, name))
			return &list[i];
	}
	unit_fail(__FILE__, __LINE__, "nothing is said about %s", name);
}

TEST(features, of_this_machine)
{
	struct features f;
	struct utsname u;

	CHECK_INT(uname(&u), 0);
	features_probe(&f);
	CHECK_STR(f.release, u.release);
	CHECK(f.kernel_major >= 5);
	CHECK_INT(f.euid, geteuid());
	CHECK(!f.cpu_bpf || (!f.bpf_load && f.btf && f.tp_btf));
	CHECK(f.bpf_load <= 0);
	check_list(&f);
}

TEST(features, of_a_machine_that_allows_nothing)
{
	struct features f = {
		.release = "5.10.0",
		.kernel_major = 5,
		.kernel_minor = 10,
		.euid = 1000,
		.bpf_load = -EPERM,
		.perf_event_paranoid = 4,
		.kptr_restrict = 1,
		.memlock = 65536,
	};

	for (size_t i = 0; i < FEATURES_EVENTS_MAX; i++)
		f.events[i] = -EACCES;
	check_list(&f);
	CHECK_INT(find(&f, "kernel")->state, FEATURE_MISSING);
	CHECK_INT(find(&f, "BPF")->state, FEATURE_MISSING);
	CHECK_STR(find(&f, "BPF")->detail, "operation not permitted");
	CHECK_STR(find(&f, "perf_event_paranoid")->remedy, "sysctl kernel.perf_event_paranoid=1");
	CHECK_STR(find(&f, "kernel names")->remedy, "sysctl kernel.kptr_restrict=0");
	CHECK_STR(find(&f, "debug files")->remedy, "apt-get install libc6-dbg");
	CHECK_INT(find(&f, "events")->state, FEATURE_MISSING);
	f.perf_event_paranoid = INT_MAX;
	check_list(&f);
}

TEST(features, capabilities_lift_the_paranoid_limit)
{
	struct features f = {.perf_event_paranoid = 4};

	f.caps = 1ull << CAP_PERFMON | 1ull << CAP_BPF;
	CHECK(features_has_cap(&f, CAP_BPF) && !features_has_cap(&f, CAP_SYS_ADMIN));
	CHECK_INT(find(&f, "perf_event_paranoid")->state, FEATURE_OK);
	CHECK_INT(find(&f, "privileges")->state, FEATURE_OK);
	f.caps = 0;
	CHECK_INT(find(&f, "perf_event_paranoid")->state, FEATURE_MISSING);
	f.perf_event_paranoid = 2;
	CHECK_INT(find(&f, "perf_event_paranoid")->state, FEATURE_LIMITED);
}

TEST(features, events_have_names_and_values)
{
	char names[256], few[8];
	size_t n = 0;

	for (const struct event_desc *e = event_table; e->name; e++, n++) {
		CHECK(event_by_name(e->name) == e);
		CHECK(e->summary && e->value_type && e->value_unit);
		CHECK_INT(e->clock, !strcmp(e->value_unit, "nanoseconds"));
	}
	CHECK(n <= FEATURES_EVENTS_MAX);
	CHECK_STR(event_table[0].name, "cpu-clock");
	CHECK(!event_by_name("") && !event_by_name("cpu-cloc") && !event_by_name("cpu-clocks"));
	event_names(names, sizeof(names), false);
	CHECK_STR(names, "cpu-clock, task-clock, cycles, instructions, cache-misses, "
			 "branch-misses, page-faults, context-switches");
	event_names(few, sizeof(few), false);
	CHECK_STR(few, "cpu-clo");
}
