/* SPDX-License-Identifier: Apache-2.0 */
/* Calls libdebuginfod: see debuginfod_client.h. */
#include "symbol/debuginfod_client.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/invoker.h"
#include "elf/debug_file.h"
#include "symbol/debuginfod.h"

#define LIBRARY "libdebuginfod.so.1"
#define TOLD_BYTES (1u << 20) /* how much comes between two messages about it */

/* elfutils/debuginfod.h, which need not be installed. */
struct library {
	void *(*begin)(void);
	int (*find_debuginfo)(void *client, const unsigned char *id, int id_len, char **path);
	void (*set_progressfn)(void *client, int (*fn)(void *client, long a, long b));
};

/* The library calls back without an argument of ours. */
static struct {
	int sock;
	u32 number;
	u64 told;
} current;

/* ---- the process ----------------------------------------------------------------------------- */

/*
 * What a server sends is written to a cache, and must not be written as root into the directory of
 * another user. Without a way back, errors end the process.
 */
static void become_invoker(void)
{
	uid_t uid = invoker_uid();
	const struct passwd *user;

	if (invoker_drop_capabilities())
		_exit(1);
	if (geteuid() || !uid)
		return;
	user = getpwuid(uid);
	if (!user || initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(uid))
		_exit(1);
	setenv("HOME", user->pw_dir, 1);
	unsetenv("XDG_CACHE_HOME");
}

/* Sets a limit that the user has not set. */
static void set_limit(const char *name, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	setenv(name, text, 0);
}

static int load(const char *urls, struct library *l)
{
	void *handle;

	setenv("DEBUGINFOD_URLS", urls, 1);
	set_limit("DEBUGINFOD_MAXSIZE", DEBUGINFOD_BYTES);
	set_limit("DEBUGINFOD_MAXTIME", DEBUGINFOD_SECONDS);
	set_limit("DEBUGINFOD_TIMEOUT", 20); /* seconds for each 100 KiB; the usual value is 90 */
	handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return -ENOSYS;
	l->begin = (void *(*)(void))dlsym(handle, "debuginfod_begin");
	l->find_debuginfo = (int (*)(void *, const unsigned char *, int, char **))dlsym(
		handle, "debuginfod_find_debuginfo");
	l->set_progressfn = (void (*)(void *, int (*)(void *, long, long)))dlsym(
		handle, "debuginfod_set_progressfn");
	return l->begin && l->find_debuginfo && l->set_progressfn ? 0 : -ENOSYS;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool answer(int sock, struct debuginfod_answer *a, const int fds[2])
{
	struct iovec part = {a, sizeof(*a)};
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (a->nfds) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(a->nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(a->nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, a->nfds * sizeof(int));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) == sizeof(*a);
}

static int on_progress(void *client, long a, long b)
{
	struct debuginfod_answer told = {.number = current.number};

	(void)client;
	/* Until the server has told the size, `a` is not a number of bytes. */
	if (b <= 0 || a <= 0 || (u64)a < current.told + (current.told ? TOLD_BYTES : 0))
		return 0;
	current.told = (u64)a;
	told.received = (u64)a;
	told.size = b > a ? (u64)b : 0;
	return !answer(current.sock, &told, NULL); /* not 0 ends the download */
}

/* Distributions keep what several debug files have in common in a supplementary file. */
static int find_alt(const struct library *l, void *client, int fd)
{
	struct build_id id;
	struct elf_file *f;
	int alt = -1;

	if (elf_file_open(fd, &f))
		return -1;
	if (debug_file_alt_id(f, &id))
		alt = l->find_debuginfo(client, id.data, id.len, NULL);
	elf_file_free(f);
	return alt;
}

static bool serve_one(const struct library *l, void *client, const struct debuginfod_request *q,
		      int sock)
{
	struct debuginfod_answer a = {.number = q->number, .done = 1};
	int fds[2] = {-1, -1};
	bool sent;

	current.sock = sock;
	current.number = q->number;
	current.told = 0;
	fds[0] = l->find_debuginfo(client, q->id.data, q->id.len, NULL);
	if (fds[0] < 0)
		a.err = fds[0];
	else
		fds[1] = find_alt(l, client, fds[0]);
	a.nfds = (fds[0] >= 0) + (fds[0] >= 0 && fds[1] >= 0);
	sent = answer(sock, &a, fds);
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return sent;
}

void debuginfod_serve(const char *urls, int sock)
{
	struct debuginfod_request q;
	struct library l = {0};
	void *client = NULL;
	int err;

	become_invoker();
	signal(SIGPIPE, SIG_IGN);
	err = load(urls, &l);
	if (!err && !(client = l.begin()))
		err = -ENOMEM;
	if (!err)
		l.set_progressfn(client, on_progress);
	while (recv(sock, &q, sizeof(q), 0) == sizeof(q) && q.id.len <= BUILD_ID_MAX) {
		struct debuginfod_answer a = {.number = q.number, .done = 1, .err = err};

		if (!(err ? answer(sock, &a, NULL) : serve_one(&l, client, &q, sock)))
			return;
	}
}
