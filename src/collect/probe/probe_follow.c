/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the targets of a recording with probes: see probe_follow.h. */
#include "collect/probe/probe_follow.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "collect/probe/leftovers.h"
#include "collect/probe/probe_set_impl.h"

#define LOOKS 10u /* at targets in which nothing is found and nothing changes */
#define LOOKS_MAX 100u
#define LOOK_STEP_NS 5000000

/* Attaching fails in many ways in a process that is ending. */
static bool has_ended(int code, pid_t tgid)
{
	return code == -ESRCH || (code && kill(tgid, 0) && errno == ESRCH);
}

static int add_all(struct probe_set *s, const struct target *t, struct error *err)
{
	int code = 0;

	vec_for_each(&t->processes, p) {
		if (!code)
			code = probe_set_add_process(s, p->tgid, err);
		if (has_ended(code, p->tgid))
			code = 0;
	}
	return code;
}

int probe_set_add_targets(struct probe_set *s, const struct target *t, struct error *err)
{
	const struct timespec step = {.tv_nsec = LOOK_STEP_NS};
	int code;

	vec_for_each(&t->processes, p)
		leftovers_remove(s->o.pins, s->o.readers, p->tgid, s->o.log);
	code = add_all(s, t, err);
	/* It may be in the middle of an exec, with only its program and the dynamic linker
	 * mapped. If it lies elsewhere at the next look, it calls exec again and again. */
	for (u32 i = 1, same = 1; i < LOOKS_MAX && same < LOOKS && !code && !s->probes; i++) {
		u32 before = s->layouts;

		nanosleep(&step, NULL);
		code = add_all(s, t, err);
		same = s->layouts == before ? same + 1 : 1;
	}
	return code;
}

/* ---- what they start and load ---- */

static bool look_through(void *arg, pid_t tgid)
{
	struct probe_set *s = arg;
	struct error err;
	int code;

	/* It may run another program than at the last look, and the kernel's report of that may
	 * come later. */
	if (s->found)
		s->found(s->found_arg, tgid);
	code = probe_set_add_process(s, tgid, &err);
	if (has_ended(code, tgid))
		return false;
	if (code)
		log_info(s->o.log, "%s", err.text);
	return true;
}

static void forget(void *arg, pid_t tgid)
{
	probe_set_forget(arg, tgid);
}

static void forget_ended(void *arg)
{
	probe_set_forget_ended(arg);
}

static void rest(void *arg)
{
	uprobe_pins_rest(((struct probe_set *)arg)->o.pins);
}

int probe_set_follow(struct probe_set *s, const struct followed_processes *which,
		     struct process_watch **out, struct error *err)
{
	static const struct process_watch_ops ops = {
		.look = look_through, .forget = forget, .forget_ended = forget_ended, .rest = rest};
	const struct process_watch_options opt = {
		.ops = &ops,
		.arg = s,
		.targets_fd = which->targets_fd,
		.new_processes_fd = which->new_processes_fd,
		.begun = &which->begun,
		.nbegun = which->begun != 0,
		.heard = which->heard,
		.heard_arg = which->heard_arg,
	};
	int code;

	s->found = which->found;
	s->found_arg = which->heard_arg;
	code = process_watch_start(&opt, out);
	return code ? error_set(err, code, "cannot follow the target's children: %s",
				error_reason(code))
		    : 0;
}
