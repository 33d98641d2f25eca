/* SPDX-License-Identifier: Apache-2.0 */
/* Names containers and units by paths of control groups: see container.h. */
#include "target/container.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/cgroup.h"
#include "target/process.h"

#define TEXT_MAX (64u << 10) /* a path has at most 4,096 bytes, and there are some 14 hierarchies */
#define NAME_BYTES 256 /* NAME_MAX and a NUL */
#define ID_MIN 12 /* what docker ps shows of an ID */
#define ID_LEN 64
#define UID_LEN 36 /* 8-4-4-4-12; static pods have a hash of 32 digits */
#define UID_MIN 32

struct naming {
	struct process_place *out;
	char runtime[16]; /* by the last directory that is named after one */
	char pod[UID_LEN + 1];
	char slice[NAME_BYTES];
};

static const struct {
	const char *prefix, *runtime;
} prefixes[] = {
	{"docker-", "docker"},     {"libpod-", "podman"},      {"cri-containerd-", "containerd"},
	{"crio-", "cri-o"},        {"nerdctl-", "containerd"}, {"containerd-", "containerd"},
	{"buildkit-", "buildkit"},
};

static const struct {
	const char *directory, *runtime;
} directories[] = {
	{"docker", "docker"}, {"libpod_parent", "podman"}, {"default", "containerd"},
	{"moby", "docker"},   {"k8s.io", "containerd"},    {"buildkit", "buildkit"},
	{"lxc", "lxc"},       {"garden", "garden"},        {"ecs", "ecs"},
};

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len > tail && !strcmp(text + len - tail, end);
}

static bool begins_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* Returns the number of lower-case hexadecimal digits. */
static size_t hex_digits(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

/* ---- containers ------------------------------------------------------------------------------ */

static void set_container(struct naming *n, const char *runtime, const char *id, size_t len)
{
	if (n->pod[0])
		snprintf(n->out->container, sizeof(n->out->container), "kubernetes:%s/%.*s", n->pod,
			 (int)len, id);
	else
		snprintf(n->out->container, sizeof(n->out->container), "%s:%.*s", runtime, (int)len,
			 id);
}

/* Takes the UID after "pod"; systemd's names have '_' in place of '-'. */
static void take_pod(struct naming *n, const char *name)
{
	const char *at = begins_with(name, "pod") ? name + 3 : strstr(name, "-pod");
	size_t len = 0;

	if (!at)
		return;
	at += begins_with(at, "-pod") ? 4 : 0;
	while (len < UID_LEN && (isxdigit((unsigned char)at[len]) || strchr("-_", at[len])) &&
	       at[len])
		len++;
	if (len < UID_MIN || (at[len] && at[len] != '.'))
		return;
	for (size_t i = 0; i < len; i++)
		n->pod[i] = at[i] == '_' ? '-' : at[i];
	n->pod[len] = '\0';
	snprintf(n->out->container, sizeof(n->out->container), "kubernetes:%s", n->pod);
}

/* Finds "docker-ID.scope", "cri-containerd:ID" and the like. */
static bool take_prefixed(struct naming *n, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		const char *id = name + strlen(prefixes[i].prefix);
		size_t len;

		if (!begins_with(name, prefixes[i].prefix))
			continue;
		len = hex_digits(id);
		if (len < ID_MIN || len > ID_LEN || (id[len] && strcmp(id + len, ".scope") != 0))
			continue;
		set_container(n, prefixes[i].runtime, id, len);
		return true;
	}
	return false;
}

/* A directory that is an ID is a container's if the name above is that of a runtime or a pod, or if
 * it is as long as all of them make it. */
static bool take_bare(struct naming *n, const char *name)
{
	size_t len = hex_digits(name);

	if (name[len] || len > ID_LEN || len < (n->runtime[0] || n->pod[0] ? ID_MIN : ID_LEN))
		return false;
	set_container(n, n->runtime[0] ? n->runtime : "container", name, len);
	return true;
}

static void take_machine(struct naming *n, const char *name)
{
	if (begins_with(name, "lxc.payload."))
		set_container(n, "lxc", name + 12, strlen(name) - 12);
	else if (begins_with(name, "machine-") && ends_in(name, ".scope"))
		set_container(n, "machine", name + 8, strlen(name) - 14);
	else if (!strcmp(n->runtime, "lxc"))
		set_container(n, "lxc", name, strlen(name));
}

static void take_container(struct naming *n, char *name)
{
	char *colon = strrchr(name, ':'), *runtime;

	take_pod(n, name);
	/* Where containerd was told to use systemd's names without systemd, all is one directory:
	 * "kubepods-podUID.slice:cri-containerd:ID". */
	if (colon) {
		*colon = '\0';
		runtime = strrchr(name, ':');
		snprintf(n->runtime, sizeof(n->runtime), "%s",
			 strstr(runtime ? runtime : name, "crio") ? "cri-o" : "containerd");
		take_pod(n, name);
		name = colon + 1;
	}
	if (!take_prefixed(n, name) && !take_bare(n, name))
		take_machine(n, name);
	n->runtime[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		if (!strcmp(name, directories[i].directory))
			snprintf(n->runtime, sizeof(n->runtime), "%s", directories[i].runtime);
	}
}

/* ---- units ----------------------------------------------------------------------------------- */

static void take_unit(struct naming *n, const char *name)
{
	static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		if (ends_in(name, suffixes[i]))
			snprintf(n->out->unit, sizeof(n->out->unit), "%s", name);
	}
	if (ends_in(name, ".slice"))
		snprintf(n->slice, sizeof(n->slice), "%s", name);
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* The innermost container and the innermost unit count. */
static void read_path(struct bytes path, struct process_place *out)
{
	struct naming n = {.out = out};

	while (path.len) {
		const u8 *slash = memchr(path.data, '/', path.len);
		size_t len = slash ? (size_t)(slash - path.data) : path.len;
		char name[NAME_BYTES];

		if (len && len < sizeof(name)) {
			memcpy(name, path.data, len);
			name[len] = '\0';
			take_unit(&n, name);
			take_container(&n, name);
		}
		path.data += len + (slash != NULL);
		path.len -= len + (slash != NULL);
	}
	if (!out->unit[0])
		memcpy(out->unit, n.slice, sizeof(n.slice));
}

/* Splits "4:memory:/system.slice"; `rank` is lower for hierarchies that say more. */
static bool split_line(struct bytes line, struct bytes *path, u32 *rank)
{
	const u8 *first = memchr(line.data, ':', line.len), *second;

	if (!first)
		return false;
	first++;
	second = memchr(first, ':', line.len - (size_t)(first - line.data));
	if (!second)
		return false;
	*rank = second == first                                              ? 0
		: second - first == 12 && !memcmp(first, "name=systemd", 12) ? 1
									     : 2;
	second++;
	*path = (struct bytes){second, line.len - (size_t)(second - line.data)};
	return true;
}

static void read_rank(struct bytes text, u32 wanted, struct process_place *out)
{
	while (text.len) {
		const u8 *newline = memchr(text.data, '\n', text.len);
		size_t len = newline ? (size_t)(newline - text.data) : text.len;
		struct process_place here = {0};
		struct bytes path;
		u32 rank;

		if (split_line((struct bytes){text.data, len}, &path, &rank) && rank == wanted)
			read_path(path, &here);
		if (!out->container[0])
			memcpy(out->container, here.container, sizeof(here.container));
		if (!out->unit[0])
			memcpy(out->unit, here.unit, sizeof(here.unit));
		text.data += len + (newline != NULL);
		text.len -= len + (newline != NULL);
	}
}

void place_parse(struct bytes text, struct process_place *out)
{
	memset(out, 0, sizeof(*out));
	for (u32 rank = 0; rank < 3; rank++)
		read_rank(text, rank, out);
}

int place_read(pid_t tgid, struct process_place *out)
{
	char path[PROCESS_PATH_MAX], *text;
	ssize_t got = 0;
	size_t len = 0;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	text = malloc(TEXT_MAX);
	while (text && len < TEXT_MAX && (got = read(fd, text + len, TEXT_MAX - len)) > 0)
		len += (size_t)got;
	err = !text ? -ENOMEM : got < 0 ? -errno : 0;
	close(fd);
	if (!err)
		place_parse((struct bytes){(const u8 *)text, len}, out);
	free(text);
	return err;
}

int place_of_group(u64 id, struct process_place *out)
{
	char path[PATH_MAX];
	int err = cgroup_path_of(id, path, sizeof(path));

	memset(out, 0, sizeof(*out));
	if (!err)
		read_path((struct bytes){(const u8 *)path, strlen(path)}, out);
	return err;
}
