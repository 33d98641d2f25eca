/* SPDX-License-Identifier: Apache-2.0 */
/* Reads ring buffers as one stream: see perf_rings.h. */
#include "collect/perf/perf_rings.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/perf/perf_record.h"

#define RING_BYTES_MIN (64u << 10)
#define RECORD_BYTES_MAX 65536u /* header.size is 16 bits */

struct ring {
	int fd, cpu;
	struct perf_event_mmap_page *page; /* followed by the data */
	u64 head, tail; /* of this round; bytes since the beginning */
	u64 time; /* of the record at tail; valid while tail < head */
	u32 size; /* of that record */
};

struct perf_rings {
	struct ring *ring;
	struct pollfd *polls;
	u32 n;
	size_t bytes;
	u64 horizon;
	struct ring *borrowed; /* the caller is using its record at tail */
	u8 joined[RECORD_BYTES_MAX]; /* a record that wraps around */
};

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int open_dummy(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_RECORD_FORMAT &
			       ~(PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER),
		.sample_id_all = 1,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.use_clockid = 1,
		.clockid = PERF_RINGS_CLOCK,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static void unmap_rings(struct perf_rings *r)
{
	for (u32 i = 0; i < r->n; i++) {
		if (r->ring[i].page)
			munmap(r->ring[i].page, r->bytes + page_bytes());
		r->ring[i].page = NULL;
	}
}

static int map_rings(struct perf_rings *r, size_t bytes)
{
	r->bytes = bytes;
	for (u32 i = 0; i < r->n; i++) {
		void *mem = mmap(NULL, bytes + page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
				 r->ring[i].fd, 0);

		if (mem == MAP_FAILED) {
			int code = -errno;

			unmap_rings(r);
			return code;
		}
		r->ring[i].page = mem;
	}
	return 0;
}

static int open_rings(struct perf_rings *r, u32 ncpus)
{
	for (u32 cpu = 0; cpu < ncpus; cpu++) {
		int fd = open_dummy((int)cpu);

		if (fd < 0 && errno == ENODEV)
			continue; /* this CPU is offline */
		if (fd < 0)
			return -errno;
		r->polls[r->n] = (struct pollfd){.fd = fd, .events = POLLIN};
		r->ring[r->n++] = (struct ring){.fd = fd, .cpu = (int)cpu};
	}
	return r->n ? 0 : -ENODEV;
}

static size_t power_of_two(size_t bytes)
{
	size_t n = RING_BYTES_MIN;

	while (n < bytes && n < (SIZE_MAX >> 1))
		n <<= 1;
	return n;
}

static int rings_error(int code, struct error *err)
{
	switch (code) {
	case -EACCES:
		return error_set(err, code,
				 "cannot use perf events: %s (as root: sysctl "
				 "kernel.perf_event_paranoid=2)",
				 error_reason(code));
	case -ENOSYS:
	case -ENOENT:
		return error_set(err, code, "cannot use perf events: this kernel has none");
	case -EPERM:
	case -ENOMEM:
		return error_set(err, code,
				 "cannot map perf ring buffers: %s (raise ulimit -l, or as root: "
				 "sysctl kernel.perf_event_mlock_kb)",
				 error_reason(code));
	default:
		return error_set(err, code, "cannot use perf events: %s", error_reason(code));
	}
}

int perf_rings_new(size_t bytes, struct perf_rings **out, struct error *err)
{
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);
	struct perf_rings *r = calloc(1, sizeof(*r));
	int code = -ENOMEM;

	if (ncpus < 1)
		ncpus = 1;
	if (!r)
		return rings_error(code, err);
	r->ring = calloc((size_t)ncpus, sizeof(*r->ring));
	r->polls = calloc((size_t)ncpus, sizeof(*r->polls));
	if (r->ring && r->polls)
		code = open_rings(r, (u32)ncpus);
	if (!code) {
		bytes = power_of_two(bytes);
		do {
			code = map_rings(r, bytes);
			bytes /= 2;
		} while (code && bytes >= RING_BYTES_MIN);
	}
	if (code) {
		perf_rings_free(r);
		return rings_error(code, err);
	}
	*out = r;
	return 0;
}

void perf_rings_free(struct perf_rings *r)
{
	if (!r)
		return;
	unmap_rings(r);
	for (u32 i = 0; i < r->n; i++)
		close(r->ring[i].fd);
	free(r->ring);
	free(r->polls);
	free(r);
}

u32 perf_rings_count(const struct perf_rings *r)
{
	return r->n;
}

size_t perf_rings_size(const struct perf_rings *r)
{
	return r->bytes;
}

int perf_rings_cpu(const struct perf_rings *r, u32 ring)
{
	return r->ring[ring].cpu;
}

int perf_rings_attach(const struct perf_rings *r, u32 ring, int fd)
{
	return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, r->ring[ring].fd) ? -errno : 0;
}

int perf_rings_watch(const struct perf_rings *r, int epoll)
{
	for (u32 i = 0; i < r->n; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, r->ring[i].fd, &event))
			return -errno;
	}
	return 0;
}

int perf_rings_wait(struct perf_rings *r, int timeout_ms)
{
	return poll(r->polls, r->n, timeout_ms) < 0 ? -errno : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const u8 *ring_data(const struct ring *ring)
{
	return (const u8 *)ring->page + page_bytes();
}

static void copy_out(const struct perf_rings *r, const struct ring *ring, u64 at, void *dst,
		     size_t n)
{
	size_t from = at & (r->bytes - 1), first = r->bytes - from;

	if (first > n)
		first = n;
	memcpy(dst, ring_data(ring) + from, first);
	memcpy((u8 *)dst + first, ring_data(ring), n - first);
}

/* Reads size and time of the record at tail. An impossible size ends the round for this ring. */
static void look_ahead(const struct perf_rings *r, struct ring *ring)
{
	struct perf_event_header header;
	u64 at;

	if (ring->head - ring->tail < sizeof(header))
		goto broken;
	copy_out(r, ring, ring->tail, &header, sizeof(header));
	if (header.size < sizeof(header) + PERF_TRAILER_SIZE ||
	    header.size > ring->head - ring->tail)
		goto broken;
	ring->size = header.size;
	at = header.type == PERF_RECORD_SAMPLE ? PERF_SAMPLE_TIME_AT
					       : header.size - PERF_TRAILER_TIME_AT;
	copy_out(r, ring, ring->tail + at, &ring->time, sizeof(ring->time));
	return;
broken:
	ring->tail = ring->head;
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
}

static void give_back(struct perf_rings *r)
{
	struct ring *ring = r->borrowed;

	if (!ring)
		return;
	r->borrowed = NULL;
	ring->tail += ring->size;
	if (ring->tail < ring->head)
		look_ahead(r, ring);
	/* This is a release, because the kernel may overwrite the record once it sees the new value
	 * (perf_event_open(2)). */
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
}

void perf_rings_begin(struct perf_rings *r, bool all)
{
	give_back(r);
	r->horizon = all ? UINT64_MAX : clock_ns(PERF_RINGS_CLOCK);
	for (u32 i = 0; i < r->n; i++) {
		struct ring *ring = &r->ring[i];

		ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
		ring->tail = ring->page->data_tail;
		if (ring->tail < ring->head)
			look_ahead(r, ring);
	}
}

static struct ring *oldest(const struct perf_rings *r)
{
	struct ring *best = NULL;

	for (u32 i = 0; i < r->n; i++) {
		struct ring *ring = &r->ring[i];

		if (ring->tail < ring->head && (!best || ring->time < best->time))
			best = ring;
	}
	return best && best->time <= r->horizon ? best : NULL;
}

bool perf_rings_next(struct perf_rings *r, struct bytes *record)
{
	struct ring *ring;
	size_t from;

	give_back(r);
	ring = oldest(r);
	if (!ring)
		return false;
	from = ring->tail & (r->bytes - 1);
	record->len = ring->size;
	if (r->bytes - from >= ring->size) {
		record->data = ring_data(ring) + from;
	} else {
		copy_out(r, ring, ring->tail, r->joined, ring->size);
		record->data = r->joined;
	}
	r->borrowed = ring;
	return true;
}
