/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches BPF programs to places in files: see uprobe.h. */
#include "collect/probe/uprobe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UPROBE_PMU_TYPE "/sys/bus/event_source/devices/uprobe/type"
#define CLOSERS 32
#define PMU_RETURN 1 /* .../uprobe/format/retprobe: config:0 */

const char *uprobe_way_name(enum uprobe_way way)
{
	static const char *const names[] = {[UPROBE_WAY_PERF] = "perf events",
					    [UPROBE_WAY_MULTI] = "uprobe_multi links",
					    [UPROBE_WAY_SESSION] = "uprobe sessions"};

	return names[way];
}

int uprobe_way_choose(const struct features *f, const char *most, const struct log *log,
		      enum uprobe_way *out, struct error *err)
{
	*out = f->uprobe_session ? UPROBE_WAY_SESSION
	       : f->uprobe_multi ? UPROBE_WAY_MULTI
				 : UPROBE_WAY_PERF;
	if (most && !strcmp(most, "perf"))
		*out = UPROBE_WAY_PERF;
	else if (most && !strcmp(most, "multi") && *out > UPROBE_WAY_MULTI)
		*out = UPROBE_WAY_MULTI;
	else if (most && strcmp(most, "multi") != 0)
		return error_set(err, -EINVAL, "CPROF_UPROBES is \"%.40s\": neither perf nor multi",
				 most);
	log_info(log, "probes by %s", uprobe_way_name(*out));
	return 0;
}

static int keep(uprobe_fds *fds, int fd)
{
	if (!vec_push(fds, fd))
		return 0;
	close(fd);
	return -ENOMEM;
}

static int attach_link(int prog_fd, enum uprobe_type type, const char *path, pid_t tgid,
		       const struct uprobe_place *places, u32 n, uprobe_fds *fds)
{
	VEC(u64) offsets = {0}, cookies = {0};
	struct uprobe_link_create attr = {
		.prog_fd = (u32)prog_fd,
		.attach_type = type == UPROBE_SESSION ? UPROBE_ATTACH_SESSION : UPROBE_ATTACH_MULTI,
		.path = (u64)(uintptr_t)path,
		.cnt = n,
		.multi_flags = type == UPROBE_RETURN, /* BPF_F_UPROBE_MULTI_RETURN */
		.pid = (u32)tgid,
	};
	int err = 0, fd;

	for (u32 i = 0; i < n && !err; i++) {
		err = vec_push(&offsets, places[i].offset);
		if (!err)
			err = vec_push(&cookies, places[i].cookie);
	}
	if (!err) {
		attr.offsets = (u64)(uintptr_t)offsets.data;
		attr.cookies = (u64)(uintptr_t)cookies.data;
		fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
		err = fd < 0 ? -errno : keep(fds, fd);
	}
	vec_release(&offsets);
	vec_release(&cookies);
	return err;
}

static int pmu_type(u32 *out)
{
	FILE *f = fopen(UPROBE_PMU_TYPE, "re");
	int got;

	if (!f)
		return -errno;
	got = fscanf(f, "%u", out);
	fclose(f);
	return got == 1 ? 0 : -EBADMSG;
}

static int attach_event(int prog_fd, u32 pmu, enum uprobe_type type, const char *path, pid_t tgid,
			const struct uprobe_place *place, uprobe_fds *fds)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = place->cookie);
	struct perf_event_attr attr = {
		.type = pmu,
		.size = sizeof(attr),
		.config = type == UPROBE_RETURN ? PMU_RETURN : 0,
		.config1 = (u64)(uintptr_t)path,
		.config2 = place->offset,
	};
	int event, link, err;

	event = (int)syscall(SYS_perf_event_open, &attr, tgid ? tgid : -1, tgid ? -1 : 0, -1,
			     PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	link = bpf_link_create(prog_fd, event, BPF_PERF_EVENT, &opts);
	if (link < 0) {
		err = -errno;
		close(event);
		return err;
	}
	err = keep(fds, link); /* the link holds the event, which exists as long as the link */
	close(event);
	return err;
}

int uprobe_attach(int prog_fd, enum uprobe_type type, bool links, const char *path, pid_t tgid,
		  const struct uprobe_place *places, u32 n, uprobe_fds *fds)
{
	u32 pmu = 0;
	int err;

	if (links)
		return attach_link(prog_fd, type, path, tgid, places, n, fds);
	err = pmu_type(&pmu);
	for (u32 i = 0; i < n && !err; i++)
		err = attach_event(prog_fd, pmu, type, path, tgid, &places[i], fds);
	return err;
}

struct closing {
	const int *fds;
	size_t n, step;
};

static void *close_some(void *arg)
{
	const struct closing *c = arg;

	for (size_t i = 0; i < c->n; i += c->step)
		close(c->fds[i]);
	return NULL;
}

/*
 * The kernel waits for two grace periods in each close (uprobe_unregister_sync), some 50 ms; those
 * of several threads pass at the same time.
 */
void uprobe_detach(uprobe_fds *fds)
{
	pthread_t threads[CLOSERS];
	struct closing parts[CLOSERS];
	size_t n = fds->len < CLOSERS ? fds->len : CLOSERS, started = 0;

	for (size_t i = 0; i < n; i++)
		parts[i] = (struct closing){.fds = fds->data + i, .n = fds->len - i, .step = n};
	while (started + 1 < n &&
	       !pthread_create(&threads[started], NULL, close_some, &parts[started]))
		started++;
	for (size_t i = started; i < n; i++)
		close_some(&parts[i]);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	vec_release(fds);
}
