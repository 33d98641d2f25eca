/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that processes with JIT code are remembered, and how many. */
#include "unit.h"

#include <unistd.h>

#include "child_fixture.h"
#include "collect/session/jit_modules.h"

/* Processes of these numbers do not exist. */
static struct proc_pid nobody(u32 i)
{
	return (struct proc_pid){900000000 + i};
}

static void sleep_only(int ready, const void *arg)
{
	child_sleep(ready);
}

TEST(jit_modules, each_process_has_one_with_its_root)
{
	struct jit_modules j = {.readers = NULL};
	const struct proc_pid self = pid_to_proc(getpid());
	struct module *m = jit_modules_get(&j, self);

	CHECK(m);
	CHECK_INT(m->kind, MODULE_KIND_JIT);
	CHECK_INT(m->tgid, getpid());
	CHECK(m->root.fd >= 0);
	CHECK(jit_modules_get(&j, self) == m);
	jit_modules_note(&j, self);
	CHECK_INT(jit_modules_count(&j), 1);
	CHECK(jit_modules_get(&j, nobody(0)) != m);
	CHECK_INT(jit_modules_count(&j), 2);
	jit_modules_release(&j);
	CHECK_INT(jit_modules_count(&j), 0);
}

/* Roots of processes that have ended are closed before those of processes that run. */
TEST(jit_modules, ended_processes_go_first)
{
	struct jit_modules j = {.readers = NULL};
	pid_t child = child_start(sleep_only, NULL);
	const struct proc_pid self = pid_to_proc(getpid()), other = pid_to_proc(child);
	struct module *mine, *others;

	jit_modules_note(&j, other);
	jit_modules_note(&j, self);
	mine = jit_modules_get(&j, self);
	others = jit_modules_get(&j, other);
	for (u32 i = 0; i < 4 * JIT_MODULES_MAX; i++)
		jit_modules_note(&j, nobody(i));
	CHECK_INT(jit_modules_count(&j), JIT_MODULES_MAX);
	CHECK(jit_modules_get(&j, self) == mine && jit_modules_get(&j, other) == others);
	CHECK_INT(jit_modules_count(&j), JIT_MODULES_MAX); /* both were still there */
	child_end(child);
	jit_modules_note(&j, nobody(1u << 20));
	CHECK(jit_modules_get(&j, self) == mine);
	CHECK_INT(jit_modules_count(&j), JIT_MODULES_MAX);
	jit_modules_get(&j, other); /* it was forgotten, so this adds it again */
	CHECK_INT(jit_modules_count(&j), JIT_MODULES_MAX + 1);
	jit_modules_release(&j);
}
