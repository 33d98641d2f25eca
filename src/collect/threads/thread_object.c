/* SPDX-License-Identifier: Apache-2.0 */
/* Says what a thread does: see thread_object.h. */
#include "collect/threads/thread_object.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* include/linux/sched.h */
#define STATE_UNINTERRUPTIBLE 0x02u
#define STATE_STOPPED 0x0cu /* stopped or traced */
#define STATE_NOLOAD 0x400u /* with the first one: idle kernel threads */

#define FDINFO_MAX 65536

const char *thread_state_text(const struct seen_thread *t)
{
	u32 state = t->state.kernel_state;

	if (t->running)
		return "running";
	if (t->state.cause == WAIT_RUNNABLE)
		return "runnable";
	if (state & STATE_STOPPED)
		return "stopped";
	return (state & STATE_UNINTERRUPTIBLE) && !(state & STATE_NOLOAD) ? "uninterruptible"
									  : "sleeping";
}

const char *thread_reason_text(const struct seen_thread *t)
{
	if (t->running || t->state.cause == WAIT_RUNNABLE)
		return NULL;
	return t->joins ? "join" : wait_cause_text(t->state.cause);
}

void thread_name_text(const struct seen_thread *t, char out[THREAD_TEXT])
{
	const struct thread_id *id = &t->state.record.thread;

	snprintf(out, THREAD_TEXT, "%u \"%.*s\"", id->tid.nr ? id->tid.nr : t->inner.tid.nr,
		 COMM_LEN, id->comm);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void address_text(const struct thread_file *f, const u8 *address, u16 port, char *out,
			 size_t size)
{
	char text[INET6_ADDRSTRLEN] = "?";
	int family = f->family;

	/* An IPv6 socket may carry IPv4 (RFC 4291, 2.5.5.2). */
	if (family == AF_INET6 && !memcmp(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)) {
		address += 12;
		family = AF_INET;
	}
	inet_ntop(family, address, text, sizeof(text));
	snprintf(out, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

static void inet_text(const struct thread_file *f, char *out, size_t size)
{
	const char *protocol = f->type == SOCK_STREAM  ? "tcp"
			       : f->type == SOCK_DGRAM ? "udp"
						       : "ip";
	char local[64], peer[64];

	address_text(f, f->local, f->local_port, local, sizeof(local));
	address_text(f, f->peer, f->peer_port, peer, sizeof(peer));
	if (f->type == SOCK_STREAM && f->state == TCP_LISTEN)
		snprintf(out, size, "%s %s, listening", protocol, local);
	else if (f->peer_port)
		snprintf(out, size, "%s %s to %s", protocol, local, peer);
	else
		snprintf(out, size, "%s %s", protocol, local);
}

static void socket_text(const struct thread_file *f, char *out, size_t size)
{
	int len = f->path_len < sizeof(f->path) ? f->path_len : (int)sizeof(f->path);

	if (f->family == AF_INET || f->family == AF_INET6)
		inet_text(f, out, size);
	else if (f->family == AF_UNIX && len && !f->path[0])
		snprintf(out, size, "unix @%.*s", len - 1, f->path + 1);
	else if (f->family == AF_UNIX && len)
		snprintf(out, size, "unix %.*s", len, f->path);
	else
		snprintf(out, size, "%s", f->family == AF_UNIX ? "unix socket" : "socket");
}

/* Returns how many descriptors are in an epoll set (proc(5), fdinfo); 0 if that cannot be read. */
static u32 epoll_members(const struct seen_thread *t)
{
	char path[64], line[256];
	u32 n = 0, lines = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fdinfo/%d", (int)t->tgid, (int)t->tid,
		 t->fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (lines++ < FDINFO_MAX && fgets(line, sizeof(line), f))
		n += !strncmp(line, "tfd:", 4);
	fclose(f);
	return n;
}

static void link_text(const struct seen_thread *t, char *out, size_t size)
{
	char path[64], link[THREAD_TEXT / 2];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", (int)t->tgid, (int)t->tid, t->fd);
	len = readlink(path, link, sizeof(link) - 1);
	link[len > 0 ? len : 0] = '\0';
	if (!strcmp(link, "anon_inode:[eventpoll]"))
		snprintf(out, size, "epoll set of %u", epoll_members(t));
	else if (!strncmp(link, "pipe:", 5))
		snprintf(out, size, "pipe %.*s", (int)strcspn(link + 5, "]") - 1, link + 6);
	else if (!strncmp(link, "anon_inode:[", 12))
		snprintf(out, size, "%.*s", (int)strcspn(link + 12, "]"), link + 12);
	else if (!strncmp(link, "anon_inode:", 11))
		snprintf(out, size, "%s", link + 11);
	else
		snprintf(out, size, "%s", link);
}

static void descriptor_text(const struct seen_thread *t, char out[THREAD_TEXT])
{
	char what[THREAD_TEXT - 32] = "";

	if (S_ISSOCK(t->file.mode))
		socket_text(&t->file, what, sizeof(what));
	else if (t->tgid && t->tid)
		link_text(t, what, sizeof(what));
	snprintf(out, THREAD_TEXT, what[0] ? "fd %d: %s" : "fd %d", t->fd, what);
}

/* ---- anything -------------------------------------------------------------------------------- */

static void lock_text(const struct seen_thread *t, struct lock_names *names, char out[THREAD_TEXT])
{
	const char *name = t->tgid ? lock_names_find(names, t->tgid, t->state.object) : NULL;

	if (name)
		snprintf(out, THREAD_TEXT, "%s", name);
	else
		snprintf(out, THREAD_TEXT, "0x%llx", (unsigned long long)t->state.object);
}

void thread_object_text(const struct seen_thread *t, struct lock_names *names,
			char out[THREAD_TEXT])
{
	const struct thread_state *s = &t->state;

	out[0] = '\0';
	if (t->running || s->cause == WAIT_RUNNABLE)
		return;
	if (t->joins)
		thread_name_text(t->owner, out);
	else if (s->cause == WAIT_LOCK && s->object >= LOCK_ADDRESSES)
		lock_text(t, names, out);
	else if (t->fd >= 0)
		descriptor_text(t, out);
	else if (t->nfds)
		snprintf(out, THREAD_TEXT, "%u descriptors", t->nfds);
}
