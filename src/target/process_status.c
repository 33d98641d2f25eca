/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /proc/PID/status: see process_status.h, and process.h for what follows from it. */
#include "target/process_status.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/machine.h"
#include "target/proc_fs.h"
#include "target/process.h"

/* Returns what follows "Key:" at the start of a line of /proc/PID/status; NULL for any other
 * line. */
static const char *status_value(const char *line, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(line, key, len) && line[len] == ':' ? line + len + 1 : NULL;
}

/* Reads the n-th (from 0) number on the line, or the last one if there are fewer. */
static bool status_number(const char *value, int n, long *out)
{
	bool found = false;

	for (int i = 0; value && i <= n; i++) {
		char *end;
		long number;

		while (*value == ' ' || *value == '\t')
			value++;
		if (!isdigit((unsigned char)*value))
			break;
		number = strtol(value, &end, 10);
		*out = number;
		found = true;
		value = end;
	}
	return found;
}

static void status_mask(const char *value, u64 *out)
{
	if (value)
		*out = strtoull(value, NULL, 16);
}

static bool has_word(const char *value, const char *word)
{
	size_t len = strlen(word);
	const char *at = value;

	while (at && (at = strstr(at, word))) {
		if (isspace((unsigned char)at[-1]) && (!at[len] || isspace((unsigned char)at[len])))
			return true;
		at += len;
	}
	return false;
}

static void take_status_line(const char *line, struct process_status *s)
{
	status_number(status_value(line, "Tgid"), 0, &s->tgid);
	status_number(status_value(line, "Uid"), 1, &s->uid);
	status_number(status_value(line, "NSpid"), 64, &s->ns_pid); /* outermost first */
	status_number(status_value(line, "Seccomp"), 0, &s->seccomp);
	status_number(status_value(line, "TracerPid"), 0, &s->tracer);
	status_mask(status_value(line, "SigCgt"), &s->caught);
	status_mask(status_value(line, "SigIgn"), &s->ignored);
	s->shadow_stack |= has_word(status_value(line, arch_thread_features()), "shstk");
}

/* This reads line by line, because the groups before NSpid may take 700 KB (NGROUPS_MAX of
 * them). */
int process_status_read(int dir, struct process_status *s)
{
	int fd = openat(dir, "status", O_RDONLY | O_CLOEXEC), result;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	*s = (struct process_status){-1, -1, -1, -1, -1, ~0ull, ~0ull, false};
	if (!f) {
		result = proc_errno();
		if (fd >= 0)
			close(fd);
		return result;
	}
	while (getline(&line, &size, f) > 0)
		take_status_line(line, s);
	result = ferror(f) ? proc_errno() : 0;
	free(line);
	fclose(f);
	return result;
}

static int status_of(pid_t pid, struct process_status *s)
{
	int dir = proc_dir_open(pid), result;

	if (dir < 0)
		return dir;
	result = process_status_read(dir, s);
	close(dir);
	return result;
}

bool process_expects_traps(pid_t tgid)
{
	const u64 trap = 1ull << (SIGTRAP - 1);
	struct process_status s;

	return status_of(tgid, &s) || s.tracer != 0 || ((s.caught | s.ignored) & trap);
}

bool process_filters_syscalls(pid_t tgid)
{
	struct process_status s;

	return !status_of(tgid, &s) && s.seccomp > 0;
}

bool process_has_shadow_stack(pid_t tgid)
{
	struct process_status s;

	return !status_of(tgid, &s) && s.shadow_stack;
}

int process_tgid_of(pid_t tid, pid_t *tgid)
{
	struct process_status s;
	int result = status_of(tid, &s);

	if (result)
		return result;
	if (s.tgid < 0)
		return -EBADMSG;
	*tgid = (pid_t)s.tgid;
	return 0;
}
