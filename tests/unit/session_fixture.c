/* SPDX-License-Identifier: Apache-2.0 */
/* A session for tests: see session_fixture.h. */
#include "session_fixture.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bpf_shared.h"
#include "cpu.skel.h"
#include "unit.h"

void session_fixture_init(struct session_fixture *f, const struct stack_kind *kind)
{
	struct error err = {0};
	int code;

	memset(f, 0, sizeof(*f));
	f->target.scope = TARGET_PROCESSES;
	f->target.title = strdup("nobody");
	f->opt.target = &f->target;
	f->opt.frequency = 99;
	f->opt.user = f->opt.kernel = true;
	f->skel = cpu_bpf__open();
	CHECK(f->skel);
	CHECK_INT(bpf_session_configure(f->skel->obj, &f->opt, &f->skel->rodata->settings, &err),
		  0);
	code = cpu_bpf__load(f->skel);
	if (code == -EPERM || code == -ESRCH || code == -EINVAL)
		unit_skip("BPF programs cannot be loaded here: %s", error_reason(code));
	CHECK_INT(code, 0);
	f->control = &f->skel->bss->control;
	f->control->live_targets = 1;
	CHECK_INT(bpf_session_new(f->skel->obj, f->control, &f->opt, kind, &f->session, &err), 0);
}

void session_fixture_release(struct session_fixture *f)
{
	bpf_session_free(f->session);
	cpu_bpf__destroy(f->skel);
	free(f->target.title);
}

int session_fixture_map(const struct session_fixture *f, const char *name)
{
	return bpf_object__find_map_fd_by_name(f->skel->obj, name);
}

void session_fixture_put(struct session_fixture *f, u64 stack)
{
	const struct sample_key key = {.stack = stack};
	const struct thread_id owner = {.tgid = {1}, .tid = {1}, .comm = "worker"};
	const u64 frames[] = {FRAME(MODULE_KERNEL, 0xffff81000000 + stack),
			      FRAME(MODULE_KERNEL, 0xffff82000000)};

	bpf_session_put(f->session, &key, &owner, frames, 2);
}

void session_fixture_count(struct session_fixture *f, u64 stack, u64 samples, u64 weight)
{
	const char *name = f->control->active_counts ? "counts_b" : "counts_a";
	const struct sample_key key = {.stack = stack};
	struct sample_count n = {0};
	int fd = session_fixture_map(f, name);

	if (bpf_map_lookup_elem(fd, &key, &n))
		f->control->active_keys++;
	n.samples += samples;
	n.weight += weight;
	CHECK_INT(bpf_map_update_elem(fd, &key, &n, BPF_ANY), 0);
}

struct profile *session_fixture_read(struct session_fixture *f, enum collect_range range,
				     const struct sample_mapping *mapping,
				     const char *const *sample_types)
{
	struct error err = {0};
	struct profile *p;

	CHECK_INT(profile_new(&p), 0);
	for (; *sample_types; sample_types++)
		CHECK_INT(profile_add_sample_type(p, *sample_types, "count"), 0);
	CHECK_INT(bpf_session_begin_reading(f->session, range), 0);
	CHECK_INT(bpf_session_read(f->session, range, mapping, p, &err), 0);
	return p;
}
