/* SPDX-License-Identifier: Apache-2.0 */
/* Hands requests to the process that downloads: see debuginfod.h. */
#include "symbol/debuginfod.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbol/debuginfod_client.h"

struct debuginfod {
	char *urls;
	struct helper_process process;
	struct debuginfod_file files[DEBUGINFOD_FILES];
	u32 nfiles, nsent;
	bool busy; /* the process has a request */
	bool failed; /* it ended, and is not started again */
};

int debuginfod_new(const char *urls, struct debuginfod **out)
{
	struct debuginfod *d = calloc(1, sizeof(*d));

	if (d)
		d->urls = strdup(urls);
	if (!d || !d->urls) {
		free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void debuginfod_free(struct debuginfod *d)
{
	if (!d)
		return;
	helper_process_end(&d->process, true);
	for (u32 i = 0; i < d->nfiles; i++) {
		if (d->files[i].fd >= 0)
			close(d->files[i].fd);
		if (d->files[i].alt_fd >= 0)
			close(d->files[i].alt_fd);
	}
	free(d->urls);
	free(d);
}

static void serve(void *arg, int sock)
{
	const struct debuginfod *d = arg;

	debuginfod_serve(d->urls, sock);
}

static void fail_all(struct debuginfod *d, int err)
{
	d->failed = true;
	d->busy = false;
	helper_process_end(&d->process, true);
	for (u32 i = 0; i < d->nfiles; i++) {
		if (d->files[i].state != DEBUGINFOD_WAITING)
			continue;
		d->files[i].state = DEBUGINFOD_FAILED;
		d->files[i].err = err;
	}
}

/* The process has one request at a time, so that the socket never fills up. */
static void send_next(struct debuginfod *d)
{
	struct debuginfod_request q = {.number = d->nsent};
	int err;

	if (d->busy || d->failed || d->nsent == d->nfiles)
		return;
	err = helper_process_start(&d->process, HELPER_CLOSES_FILES, serve, d);
	if (err) {
		fail_all(d, err);
		return;
	}
	q.id = d->files[d->nsent].id;
	if (send(d->process.sock, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(q)) {
		fail_all(d, -EPIPE);
		return;
	}
	d->nsent++;
	d->busy = true;
}

int debuginfod_request(struct debuginfod *d, const struct build_id *id)
{
	if (debuginfod_find(d, id))
		return 0;
	if (!id->len)
		return -EINVAL;
	if (d->nfiles == DEBUGINFOD_FILES)
		return -ENOSPC;
	d->files[d->nfiles++] = (struct debuginfod_file){
		.id = *id,
		.state = d->failed ? DEBUGINFOD_FAILED : DEBUGINFOD_WAITING,
		.err = d->failed ? -EPIPE : 0,
		.fd = -1,
		.alt_fd = -1,
	};
	send_next(d);
	return 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Takes one message with its descriptors, which the caller owns. Returns false if there is none. */
static bool receive(struct debuginfod *d, struct debuginfod_answer *a, int fds[2])
{
	struct iovec part = {a, sizeof(*a)};
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = {.msg_iov = &part,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(d->process.sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	fds[0] = fds[1] = -1;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	c = got >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		memcpy(fds, CMSG_DATA(c), (n < 2 ? n : 2) * sizeof(int));
	}
	if (got == sizeof(*a))
		return true;
	fail_all(d, -EPIPE);
	return false;
}

static void close_fds(const int fds[2])
{
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/* A server that cannot be reached will not be reached for the next file either. */
static bool is_unreachable(int err)
{
	return err == -ENOSYS || err == -ECONNREFUSED || err == -EHOSTUNREACH ||
	       err == -ENETUNREACH || err == -ETIME || err == -ETIMEDOUT;
}

static void take(struct debuginfod *d, const struct debuginfod_answer *a, const int fds[2])
{
	struct debuginfod_file *f;
	struct stat st;

	if (a->number >= d->nsent || d->files[a->number].state != DEBUGINFOD_WAITING) {
		close_fds(fds);
		return;
	}
	f = &d->files[a->number];
	f->received = a->received > f->received ? a->received : f->received;
	f->size = a->size;
	if (!a->done) {
		close_fds(fds);
		return;
	}
	d->busy = false;
	f->fd = fds[0];
	f->alt_fd = fds[1];
	f->state = f->fd >= 0 ? DEBUGINFOD_HERE : DEBUGINFOD_FAILED;
	f->err = f->fd >= 0 ? 0 : a->err < 0 ? a->err : -EIO;
	if (f->fd >= 0 && !fstat(f->fd, &st)) /* it may have been in the cache */
		f->received = f->size = (u64)st.st_size;
	if (f->state == DEBUGINFOD_FAILED && is_unreachable(f->err))
		fail_all(d, f->err);
	else
		send_next(d);
}

bool debuginfod_poll(struct debuginfod *d, int timeout_ms)
{
	struct pollfd p = {.fd = d->process.sock, .events = POLLIN};
	struct debuginfod_answer a;
	bool any = false;
	int fds[2];

	if (!d->busy || poll(&p, 1, timeout_ms) <= 0)
		return false;
	while (d->busy && receive(d, &a, fds)) {
		take(d, &a, fds);
		any = true;
	}
	return any;
}

bool debuginfod_is_waiting(const struct debuginfod *d)
{
	for (u32 i = 0; i < d->nfiles; i++) {
		if (d->files[i].state == DEBUGINFOD_WAITING)
			return true;
	}
	return false;
}

const struct debuginfod_file *debuginfod_find(const struct debuginfod *d, const struct build_id *id)
{
	for (u32 i = 0; i < d->nfiles; i++) {
		const struct build_id *have = &d->files[i].id;

		if (have->len == id->len && !memcmp(have->data, id->data, id->len))
			return &d->files[i];
	}
	return NULL;
}

struct helper_cost debuginfod_cost(const struct debuginfod *d)
{
	return d->process.cost;
}
