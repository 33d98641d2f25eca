/* SPDX-License-Identifier: Apache-2.0 */
/* A process that opens and reads files on behalf of another one: see readers.h and
 * reader_process.h. */
#include "base/reader_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mounts.h"
#include "base/vec.h"

/* ---- messages -------------------------------------------------------------------------------- */

union control { /* aligned as cmsg(3) requires */
	char bytes[CMSG_SPACE(READERS_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int reader_send(int sock, const void *head, size_t head_size, const void *body, size_t body_size,
		const int *fds, u32 nfds)
{
	struct iovec parts[2] = {{(void *)head, head_size}, {(void *)body, body_size}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = body_size ? 2 : 1};
	union control control = {0};
	ssize_t sent;

	if (nfds) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static u32 take_fds(struct msghdr *msg, int *fds)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	u32 n;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (u32)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return n;
}

ssize_t reader_receive(int sock, void *out, size_t size, int fds[READERS_FDS_MAX], u32 *nfds)
{
	struct iovec part = {out, size};
	union control control;
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t got;

	*nfds = 0;
	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*nfds = take_fds(&msg, fds);
	return got;
}

/* ---- a reader -------------------------------------------------------------------------------- */

struct held_file {
	int fd, memory; /* -1 if not open */
	u64 size;
};

struct reader {
	int sock;
	VEC(struct held_file) files;
	u8 message[sizeof(struct reader_request) + READERS_ARG_MAX];
	int fds[READERS_FDS_MAX];
	u32 nfds;
};

static void close_received(struct reader *r)
{
	for (u32 i = 0; i < r->nfds; i++)
		close(r->fds[i]);
	r->nfds = 0;
}

static bool answers_by_itself(int fd, bool overlay_is_local)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	return mounts_magic_is_local((u64)fs.f_type) ||
	       (overlay_is_local && fs.f_type == OVERLAYFS_SUPER_MAGIC);
}

static int describe(int fd, struct reader_answer *a)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	a->size = (u64)st.st_size;
	a->stored = (u64)st.st_blocks * 512;
	a->inode = st.st_ino;
	a->dev_major = major(st.st_dev);
	a->dev_minor = minor(st.st_dev);
	a->uid = st.st_uid;
	a->links = (u32)st.st_nlink;
	return 0;
}

/* A served file stays open here. For any other file the descriptor is handed over and closed
 * here. */
static int answer_open(struct reader *r, const struct reader_request *q)
{
	struct reader_answer a = {.file = (u32)r->files.len};
	int fd = q->open(r->message + sizeof(*q), q->size, r->fds, r->nfds), err;

	a.err = fd < 0 ? fd : describe(fd, &a);
	a.is_served = !a.err && !answers_by_itself(fd, q->overlay_is_local);
	if (a.is_served)
		a.err = vec_push(&r->files, (struct held_file){fd, -1, a.size});
	err = reader_send(r->sock, &a, sizeof(a), NULL, 0, &fd, !a.err && !a.is_served);
	if (fd >= 0 && (a.err || !a.is_served))
		close(fd);
	return err;
}

/* The file may have shrunk since; missing bytes stay zero. */
static int read_whole(int fd, u8 *to, size_t len, u64 at)
{
	while (len) {
		ssize_t got = pread(fd, to, len, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return 0;
		to += got;
		at += (u64)got;
		len -= (size_t)got;
	}
	return 0;
}

/* write(2) would be subject to the limit of file sizes (RLIMIT_FSIZE), so the memory is mapped
 * instead. */
static int copy_piece(const struct held_file *f, u64 at, size_t len)
{
	u8 *to = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory, (off_t)at);
	int err;

	if (to == MAP_FAILED)
		return -errno;
	err = read_whole(f->fd, to, len, at);
	munmap(to, len);
	return err;
}

static int answer_fetch(struct reader *r, const struct reader_request *q)
{
	struct held_file *f = q->file < r->files.len ? &r->files.data[q->file] : NULL;
	struct reader_answer a = {.file = q->file};
	int err = 0;

	if (f && f->memory < 0 && r->nfds) {
		f->memory = r->fds[0];
		r->nfds = 0;
	}
	if (!f || f->fd < 0 || f->memory < 0 || q->at > f->size || q->len > f->size - q->at)
		a.err = -EINVAL;
	while (!err && !a.err && a.done < q->len) {
		u64 left = q->len - a.done;
		size_t piece = left < READER_PIECE ? left : READER_PIECE;

		a.err = copy_piece(f, q->at + a.done, piece);
		a.done += piece;
		err = reader_send(r->sock, &a, sizeof(a), NULL, 0, NULL, 0);
	}
	/* This answers an error before the first piece, and a request without any bytes. */
	if (!err && !a.done)
		err = reader_send(r->sock, &a, sizeof(a), NULL, 0, NULL, 0);
	return err;
}

static int close_file(struct reader *r, u32 number)
{
	struct held_file *f = number < r->files.len ? &r->files.data[number] : NULL;

	if (!f || f->fd < 0)
		return 0;
	close(f->fd);
	if (f->memory >= 0)
		close(f->memory);
	f->fd = f->memory = -1;
	return 0;
}

static int serve_one(struct reader *r, size_t got)
{
	struct reader_request q;

	if (got < sizeof(q))
		return -EBADMSG;
	memcpy(&q, r->message, sizeof(q));
	switch (q.op) {
	case READER_OPEN:
		return got - sizeof(q) == q.size ? answer_open(r, &q) : -EBADMSG;
	case READER_FETCH:
		return answer_fetch(r, &q);
	case READER_CLOSE:
		return close_file(r, q.file);
	default:
		return -EBADMSG;
	}
}

static void serve(int sock)
{
	struct reader *r = calloc(1, sizeof(*r));
	ssize_t got;
	int err = 0;

	if (!r)
		return;
	r->sock = sock;
	while (!err) {
		got = reader_receive(sock, r->message, sizeof(r->message), r->fds, &r->nfds);
		if (got <= 0)
			break;
		err = serve_one(r, (size_t)got);
		close_received(r);
	}
}

/* ---- starting readers ------------------------------------------------------------------------ */

/* A process that hangs must not keep anything of cprof's open: neither its files nor the pipes that
 * it was given. */
static void leave_everything(int keep)
{
	struct rlimit none = {0, 0};
	sigset_t mask;

	setsid();
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	for (int sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, sig == SIGCHLD || sig == SIGXFSZ || sig == SIGPIPE ? SIG_IGN : SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NAME, "cprof-reader");
	if (keep != STDERR_FILENO + 1) {
		dup3(keep, STDERR_FILENO + 1, O_CLOEXEC);
		close(keep);
	}
	close_range(STDERR_FILENO + 2, ~0u, 0);
	/* Numbers 0 to 2 stay in use, but not by anybody's terminal or pipe. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup3(STDERR_FILENO + 1, fd, O_CLOEXEC);
}

void reader_spawner_run(int control)
{
	int fds[READERS_FDS_MAX];
	u32 nfds;
	char byte;

	leave_everything(control);
	control = STDERR_FILENO + 1;
	while (reader_receive(control, &byte, 1, fds, &nfds) > 0) {
		pid_t pid = nfds ? fork() : -1;

		if (!pid) {
			leave_everything(fds[0]);
			serve(STDERR_FILENO + 1);
			_exit(0);
		}
		/* If no process could be started, the other end sees that its socket is closed. */
		for (u32 i = 0; i < nfds; i++)
			close(fds[i]);
	}
	_exit(0);
}
