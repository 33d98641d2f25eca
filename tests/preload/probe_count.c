/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_count LIBRARY ALLOC FREE DROPPED COMMAND... runs the command and prints how often the
 * probes at these file offsets were hit meanwhile by any process that uses this file. With -l as
 * the first argument it instead lists the hits of the command's first thread in their order, with
 * the arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBES 3
#define CPUS_MAX 1024
#define RING_PAGES 4096u
/* asm/perf_regs.h gives the numbers of the first three argument registers, whose order is that in a
 * record. */
#define PERF_RDX 3
#define PERF_RSI 4
#define PERF_RDI 5

static const char *const names[PROBES] = {"alloc", "free", "dropped"};

static void die(const char *what)
{
	fprintf(stderr, "probe_count: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint32_t uprobe_type(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	unsigned type = 0;

	if (!f || fscanf(f, "%u", &type) != 1)
		die("no uprobe events");
	fclose(f);
	return type;
}

/* Opens an event for all of a CPU, or for a process from its exec on. Inherited events of this kind
 * miss threads (Linux 6.18). */
static int probe_open(const char *path, uint64_t offset, pid_t pid, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = uprobe_type(),
		.uprobe_path = (uintptr_t)path,
		.probe_offset = offset,
		.disabled = pid > 0,
		.enable_on_exec = pid > 0,
	};
	int fd;

	if (pid > 0) {
		attr.sample_period = 1;
		attr.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_REGS_USER;
		attr.sample_regs_user = 1u << PERF_RDX | 1u << PERF_RSI | 1u << PERF_RDI;
	}
	fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		die("perf_event_open");
	return fd;
}

/* Starts the command, which waits until `go` is closed. */
static pid_t command_start(char **argv, int *go)
{
	int pipe_fds[2];
	pid_t pid;
	char c;

	if (pipe2(pipe_fds, O_CLOEXEC))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(pipe_fds[1]);
		if (read(pipe_fds[0], &c, 1) == 0)
			execvp(argv[0], argv);
		die(argv[0]);
	}
	close(pipe_fds[0]);
	*go = pipe_fds[1];
	return pid;
}

struct hit {
	struct perf_event_header header;
	uint64_t id, abi, rdx, rsi, rdi;
};

static void list_hits(struct perf_event_mmap_page *ring, const int *fds)
{
	const char *data = (char *)ring + ring->data_offset;
	uint64_t ids[PROBES], at = 0;

	if (ring->data_head > ring->data_size) {
		fprintf(stderr, "probe_count: too many hits\n");
		exit(2);
	}
	for (int i = 0; i < PROBES; i++)
		ioctl(fds[i], PERF_EVENT_IOC_ID, &ids[i]);
	while (at < ring->data_head) {
		struct hit hit;

		memcpy(&hit, data + at, sizeof(hit));
		at += hit.header.size;
		if (hit.header.type == PERF_RECORD_LOST)
			die("lost hits");
		if (hit.header.type != PERF_RECORD_SAMPLE)
			continue;
		for (int i = 0; i < PROBES; i++) {
			if (hit.id == ids[i])
				printf("%s %#" PRIx64 " %" PRIu64 " %" PRIu64 "\n", names[i],
				       hit.rdi, hit.rsi, hit.rdx);
		}
	}
}

static struct perf_event_mmap_page *ring_open(const int *fds)
{
	size_t bytes = (RING_PAGES + 1) * (size_t)sysconf(_SC_PAGESIZE);
	void *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);

	if (ring == MAP_FAILED)
		die("mmap");
	for (int i = 1; i < PROBES; i++) {
		if (ioctl(fds[i], PERF_EVENT_IOC_SET_OUTPUT, fds[0]))
			die("redirect");
	}
	return ring;
}

static int finish(pid_t pid, int go)
{
	int status;

	close(go);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int list(char **argv)
{
	struct perf_event_mmap_page *ring;
	int fds[PROBES], go, status;
	pid_t pid = command_start(argv + 1 + PROBES, &go);

	for (int i = 0; i < PROBES; i++)
		fds[i] = probe_open(argv[0], strtoull(argv[1 + i], NULL, 0), pid, -1);
	ring = ring_open(fds);
	status = finish(pid, go);
	list_hits(ring, fds);
	return status;
}

static int count(char **argv)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), fds[PROBES][CPUS_MAX], go, status;
	pid_t pid = command_start(argv + 1 + PROBES, &go);

	for (int i = 0; i < PROBES * cpus && cpus <= CPUS_MAX; i++)
		fds[i / cpus][i % cpus] =
			probe_open(argv[0], strtoull(argv[1 + i / cpus], NULL, 0), -1, i % cpus);
	status = finish(pid, go);
	for (int i = 0; i < PROBES; i++) {
		uint64_t n = 0, sum = 0;

		for (int cpu = 0; cpu < cpus; cpu++, sum += n) {
			if (read(fds[i][cpu], &n, sizeof(n)) != sizeof(n))
				die("read");
		}
		printf("%s %" PRIu64 "\n", names[i], sum);
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 2 + PROBES && strcmp(argv[1], "-l") != 0)
		return count(argv + 1);
	if (argc > 3 + PROBES)
		return list(argv + 2);
	fprintf(stderr, "usage: probe_count [-l] LIBRARY ALLOC FREE DROPPED COMMAND...\n");
	return 2;
}
