/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the events that tick: see perf_event.h. */
#include "collect/perf_event.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_MAX_FREQUENCY 100000

struct ticking_cpu {
	int fd; /* -1 once the link owns it */
	int cpu;
	struct bpf_link *link;
};

struct perf_ticker {
	const struct event_desc *event;
	u32 ncpus;
	struct ticking_cpu cpu[];
};

u32 perf_max_frequency(void)
{
	FILE *f = fopen("/proc/sys/kernel/perf_event_max_sample_rate", "re");
	unsigned int rate = 0;

	if (!f)
		return DEFAULT_MAX_FREQUENCY;
	if (fscanf(f, "%u", &rate) != 1)
		rate = DEFAULT_MAX_FREQUENCY;
	fclose(f);
	return rate;
}

static int open_on(const struct event_desc *event, u32 frequency, int cpu)
{
	struct perf_event_attr attr = {
		.type = event->type,
		.size = sizeof(attr),
		.config = event->config,
		.sample_freq = frequency,
		.freq = 1,
		.disabled = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int open_error(const struct event_desc *event, u32 frequency, int code, struct error *err)
{
	char have[256];

	switch (code) {
	case -EACCES:
	case -EPERM:
		return error_set(
			err, code,
			"cannot sample all CPUs: %s (run cprof as root; your own processes "
			"can do without: cprof cpu -p PID)",
			error_reason(code));
	case -ENOENT:
	case -EOPNOTSUPP:
	case -ENODEV:
		event_names(have, sizeof(have), true);
		return error_set(
			err, code,
			"cannot sample event %s: this machine does not have it (it has %s)",
			event->name, have);
	case -EINVAL:
		return error_set(err, code,
				 "cannot sample at %u Hz: the kernel's limit is %u (sysctl "
				 "kernel.perf_event_max_sample_rate=%u)",
				 frequency, perf_max_frequency(), frequency);
	case -EMFILE:
		return error_set(err, code, "cannot open one event for each CPU: %s (ulimit -n)",
				 error_reason(code));
	default:
		return error_set(err, code, "cannot sample event %s: %s", event->name,
				 error_reason(code));
	}
}

int perf_ticker_new(const struct event_desc *event, u32 frequency, struct perf_ticker **out,
		    struct error *err)
{
	long possible = sysconf(_SC_NPROCESSORS_CONF);
	struct perf_ticker *t;
	int code = 0;

	if (possible < 1)
		possible = 1;
	t = calloc(1, sizeof(*t) + (size_t)possible * sizeof(t->cpu[0]));
	if (!t)
		return error_set(err, -ENOMEM, "cannot sample: out of memory");
	t->event = event;
	for (int cpu = 0; cpu < possible; cpu++) {
		int fd = open_on(event, frequency, cpu);

		if (fd >= 0) {
			t->cpu[t->ncpus++] = (struct ticking_cpu){.fd = fd, .cpu = cpu};
			continue;
		}
		code = -errno;
		if (code != -ENODEV) /* ENODEV means that this CPU is offline */
			break;
		code = 0;
	}
	if (code || !t->ncpus) {
		perf_ticker_free(t);
		return open_error(event, frequency, code ? code : -ENODEV, err);
	}
	*out = t;
	return 0;
}

int perf_ticker_start(struct perf_ticker *t, struct bpf_program *prog, struct error *err)
{
	for (u32 i = 0; i < t->ncpus; i++) {
		struct ticking_cpu *c = &t->cpu[i];

		/* This also enables the event. */
		c->link = bpf_program__attach_perf_event(prog, c->fd);
		if (!c->link)
			return error_set(err, -errno, "cannot attach to event %s on CPU %d: %s",
					 t->event->name, c->cpu, error_reason(errno));
	}
	return 0;
}

void perf_ticker_stop(struct perf_ticker *t)
{
	for (u32 i = 0; i < t->ncpus; i++)
		ioctl(t->cpu[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

void perf_ticker_free(struct perf_ticker *t)
{
	if (!t)
		return;
	for (u32 i = 0; i < t->ncpus; i++) {
		if (t->cpu[i].link)
			bpf_link__destroy(t->cpu[i].link); /* closes fd */
		else
			close(t->cpu[i].fd);
	}
	free(t);
}
