/* SPDX-License-Identifier: Apache-2.0 */
/* Says what descriptors are, from /proc: see fd_names.h. */
#include "collect/state/fd_names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

#define LINES_MAX 1000000 /* sockets of one kind that are read */

struct socket_name {
	u64 inode;
	char text[160];
	UT_hash_handle hh;
};

struct fd_names {
	u64 network; /* inode of the namespace that the sockets are of; 0 for none */
	struct socket_name *sockets;
};

const char *fd_kind_text(u32 kind)
{
#define FD_TEXT_(name, text) text,
	static const char *const texts[] = {FD_KINDS(FD_TEXT_)};
#undef FD_TEXT_

	return kind < FD_KIND_COUNT ? texts[kind] : "unknown";
}

enum fd_kind fd_kind_called(const char *text, size_t length)
{
	u32 kind = FD_NONE + 1;

	while (kind < FD_KIND_COUNT && (strlen(fd_kind_text(kind)) != length ||
					strncmp(fd_kind_text(kind), text, length) != 0))
		kind++;
	return kind;
}

/* ---- sockets: proc(5), /proc/PID/net ---- */

static void add_socket(struct fd_names *n, u64 inode, const char *text)
{
	struct socket_name *s = calloc(1, sizeof(*s));

	if (!s)
		return;
	s->inode = inode;
	snprintf(s->text, sizeof(s->text), "%s", text);
	HASH_ADD(hh, n->sockets, inode, sizeof(s->inode), s);
	if (!HASH_ADDED(s))
		free(s);
}

/* include/net/tcp_states.h */
static const char *state_text(unsigned state)
{
	static const char *const texts[] = {
		"",           "established", "syn-sent",  "syn-received",
		"fin-wait-1", "fin-wait-2",  "time-wait", "closed",
		"close-wait", "last-ack",    "listening", "closing"};

	return state < ARRAY_LEN(texts) ? texts[state] : "";
}

/* Words of 32 bits, each in the machine's order. */
static void address_text(const char *hex, unsigned port, char *out, size_t size)
{
	unsigned char bytes[16] = {0};
	size_t words = strlen(hex) / 8;
	char text[INET6_ADDRSTRLEN] = "?";

	for (size_t i = 0; i < words && i < 4; i++) {
		char word[9] = "";
		u32 value;

		memcpy(word, hex + 8 * i, 8);
		value = (u32)strtoul(word, NULL, 16);
		memcpy(bytes + 4 * i, &value, sizeof(value));
	}
	inet_ntop(words > 1 ? AF_INET6 : AF_INET, bytes, text, sizeof(text));
	snprintf(out, size, words > 1 ? "[%s]:%u" : "%s:%u", text, port);
}

static void take_internet(struct fd_names *n, const char *protocol, const char *line)
{
	char local[33], remote[33], text[160], here[64], there[64];
	unsigned port, peer, state;
	unsigned long long inode;

	if (sscanf(line, " %*u: %32[0-9A-F]:%X %32[0-9A-F]:%X %X %*s %*s %*s %*s %*s %llu", local,
		   &port, remote, &peer, &state, &inode) != 6)
		return;
	address_text(local, port, here, sizeof(here));
	address_text(remote, peer, there, sizeof(there));
	if (peer)
		snprintf(text, sizeof(text), "%s %s %s %s", protocol, here, there,
			 state_text(state));
	else
		snprintf(text, sizeof(text), "%s %s %s", protocol, here,
			 *protocol == 't' ? state_text(state) : "");
	add_socket(n, inode, text);
}

static void take_unix(struct fd_names *n, const char *protocol, const char *line)
{
	char text[160], path[128] = "";
	unsigned long long inode;
	unsigned flags, state;

	if (sscanf(line, "%*s %*s %*s %X %*s %X %llu %127s", &flags, &state, &inode, path) < 3)
		return;
	snprintf(text, sizeof(text), "%s %s%s%s", protocol,
		 flags & 1u << 16 ? "listening"
		 : state == 3     ? "connected"
				  : "unconnected",
		 *path ? " " : "", path);
	add_socket(n, inode, text);
}

static void read_sockets(struct fd_names *n, pid_t tgid)
{
	static const struct {
		const char *name;
		void (*take)(struct fd_names *n, const char *protocol, const char *line);
	} lists[] = {{"tcp", take_internet},
		     {"tcp6", take_internet},
		     {"udp", take_internet},
		     {"udp6", take_internet},
		     {"unix", take_unix}};
	char path[64], line[512];

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)tgid, lists[i].name);
		f = fopen(path, "re");
		for (u32 l = 0; f && l < LINES_MAX && fgets(line, sizeof(line), f); l++)
			lists[i].take(n, lists[i].name, line);
		if (f)
			fclose(f);
	}
}

static const char *socket_text(struct fd_names *n, pid_t tgid, u64 inode)
{
	struct socket_name *s;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)tgid);
	if (stat(path, &st))
		return "socket";
	if (n->network != st.st_ino) {
		fd_names_rest(n);
		n->network = st.st_ino;
		read_sockets(n, tgid);
	}
	HASH_FIND(hh, n->sockets, &inode, sizeof(inode), s);
	return s ? s->text : "socket, neither bound nor connected";
}

/* ---- all kinds ---- */

static const struct {
	const char *prefix;
	enum fd_kind kind;
} prefixes[] = {
	{"pipe:", FD_PIPE},
	{"anon_inode:[eventpoll]", FD_EPOLL},
	{"anon_inode:[eventfd", FD_EVENT},
	{"anon_inode:[timerfd]", FD_TIMER},
	{"anon_inode:[signalfd]", FD_SIGNAL},
	{"anon_inode:inotify", FD_NOTIFY},
	{"anon_inode:[inotify]", FD_NOTIFY},
	{"anon_inode:[pidfd]", FD_PIDFD},
	{"pidfd:", FD_PIDFD},
	{"anon_inode:", FD_OTHER},
	{"/memfd:", FD_MEMORY},
};

enum fd_kind fd_names_find(struct fd_names *n, pid_t tgid, u32 fd, char *out, size_t size)
{
	unsigned long long inode;
	char path[64];
	ssize_t length;

	*out = '\0';
	snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)tgid, fd);
	length = readlink(path, out, size - 1);
	if (length < 0)
		return FD_NONE;
	out[length] = '\0';
	if (sscanf(out, "socket:[%llu]", &inode) == 1) {
		snprintf(out, size, "%s", socket_text(n, tgid, inode));
		return FD_SOCKET;
	}
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (!strncmp(out, prefixes[i].prefix, strlen(prefixes[i].prefix)))
			return prefixes[i].kind;
	}
	return FD_NONE;
}

/* ---- creation and end ---- */

int fd_names_new(struct fd_names **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void fd_names_rest(struct fd_names *n)
{
	struct socket_name *s, *next;

	HASH_ITER(hh, n->sockets, s, next) {
		HASH_DEL(n->sockets, s);
		free(s);
	}
	n->network = 0;
}

void fd_names_free(struct fd_names *n)
{
	if (!n)
		return;
	fd_names_rest(n);
	free(n);
}
