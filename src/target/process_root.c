/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the root directory of a process: see process_root.h. */
#include "target/process_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "target/process.h"

enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FS, ID_COUNT }; /* proc(5), status: Uid, Gid */

typedef VEC(gid_t) id_vec;

struct owner {
	id_vec uids, gids, groups;
};

static void owner_release(struct owner *o)
{
	vec_release(&o->uids);
	vec_release(&o->gids);
	vec_release(&o->groups);
}

/* Takes the numbers after `key` from a line of /proc/PID/status; any other line gives none. */
static int take_ids(const char *line, const char *key, id_vec *ids)
{
	size_t len = strlen(key);
	int err = 0;

	if (strncmp(line, key, len) != 0)
		return 0;
	for (line += len; !err;) {
		char *end;
		unsigned long id;

		line += strspn(line, " \t");
		if (*line < '0' || *line > '9')
			break;
		id = strtoul(line, &end, 10);
		err = id > UINT32_MAX ? -EBADMSG : vec_push(ids, (gid_t)id);
		line = end;
	}
	return err;
}

static int read_owner(const char *path, struct owner *o)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && getline(&line, &size, f) > 0) {
		err = take_ids(line, "Uid:", &o->uids);
		if (!err)
			err = take_ids(line, "Gid:", &o->gids);
		if (!err)
			err = take_ids(line, "Groups:", &o->groups);
	}
	if (!err && ferror(f))
		err = -errno;
	free(line);
	fclose(f);
	if (!err && (o->uids.len != ID_COUNT || o->gids.len != ID_COUNT))
		err = -EBADMSG;
	return err;
}

/* Takes over the groups. */
static struct file_user file_user_of(struct owner *o)
{
	/* Whoever starts a setuid-root program chooses where its files are, so they do not count as
	 * root's. */
	size_t which = o->uids.data[ID_FS] ? ID_FS : ID_REAL;
	struct file_user user = {.uid = o->uids.data[which],
				 .gid = o->gids.data[which],
				 .groups = o->groups.data,
				 .ngroups = o->groups.len};

	o->groups.data = NULL;
	return user;
}

static int open_root(pid_t tgid, int *fd)
{
	char path[PROCESS_PATH_MAX];

	process_path(tgid, "root", path);
	*fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return 0;
}

int process_root_open(pid_t tgid, struct target_root *out)
{
	char path[PROCESS_PATH_MAX];
	struct owner owner = {0};
	int dir, err;

	*out = TARGET_ROOT_NONE;
	snprintf(path, sizeof(path), "/proc/%d", (int)tgid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	process_path(tgid, "status", path);
	err = read_owner(path, &owner);
	if (!err)
		err = open_root(tgid, &out->fd);
	/* The root of one process must not be combined with the user of another. While its
	 * directory answers, the PID still belongs to the process. */
	if (!err && faccessat(dir, "stat", F_OK, 0))
		err = -ESRCH;
	if (!err)
		out->user = file_user_of(&owner);
	owner_release(&owner);
	close(dir);
	if (err) {
		target_root_release(out);
		*out = TARGET_ROOT_NONE;
	}
	return err;
}
