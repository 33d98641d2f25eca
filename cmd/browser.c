/* SPDX-License-Identifier: Apache-2.0 */
/* Shows a written page in the invoking user's browser: see browser.h. */
#include "browser.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/invoker.h"
#include "base/signals.h"

struct viewer {
	uid_t uid;
	gid_t gid;
	bool other; /* another user than our own, so rights are dropped */
	char name[64], home[256];
	char runtime_dir[64]; /* "/run/user/1000" */
};

static void find_viewer(struct viewer *v)
{
	const struct passwd *user = NULL;

	*v = (struct viewer){.uid = invoker_uid()};
	if (!geteuid() && v->uid)
		user = getpwuid(v->uid);
	snprintf(v->runtime_dir, sizeof(v->runtime_dir), "/run/user/%u", (unsigned)v->uid);
	if (!user)
		return;
	v->other = true;
	v->gid = user->pw_gid;
	snprintf(v->name, sizeof(v->name), "%s", user->pw_name);
	snprintf(v->home, sizeof(v->home), "%s", user->pw_dir);
}

/* sudo drops WAYLAND_DISPLAY, but its socket is at a known place. */
static bool find_display(const struct viewer *v)
{
	const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
	char path[128];
	struct stat st;

	if ((x && *x) || (wayland && *wayland))
		return true;
	snprintf(path, sizeof(path), "%s/wayland-0", v->runtime_dir);
	if (!v->other || lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	return !setenv("WAYLAND_DISPLAY", "wayland-0", 1);
}

static int become(const struct viewer *v)
{
	char bus[128];

	if (!v->other)
		return 0;
	if (initgroups(v->name, v->gid) || setgid(v->gid) || setuid(v->uid))
		return -errno;
	snprintf(bus, sizeof(bus), "unix:path=%s/bus", v->runtime_dir);
	if (setenv("HOME", v->home, 1) || setenv("USER", v->name, 1) ||
	    setenv("LOGNAME", v->name, 1) || setenv("XDG_RUNTIME_DIR", v->runtime_dir, 1) ||
	    setenv("DBUS_SESSION_BUS_ADDRESS", bus, 0))
		return -errno;
	return 0;
}

/* This runs in the grandchild. An error is written to `report`, which a successful exec closes. */
static void run_opener(const struct viewer *v, const char *path, int report)
{
	int null = open("/dev/null", O_RDWR), err;

	signals_reset();
	setsid();
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	err = become(v);
	if (!err) {
		execlp("xdg-open", "xdg-open", path, (char *)NULL);
		err = -errno;
	}
	if (write(report, &err, sizeof(err)) < 0)
		_exit(2);
	_exit(1);
}

/* It forks twice, so that the opener has no parent to wait for it. Returns 0 or why it did not
 * start. */
static int start_opener(const struct viewer *v, const char *path)
{
	int report[2], err = 0;
	pid_t child;

	if (pipe2(report, O_CLOEXEC))
		return -errno;
	child = fork();
	if (!child) {
		pid_t opener = fork();

		if (!opener)
			run_opener(v, path, report[1]);
		_exit(opener < 0);
	}
	close(report[1]);
	if (child < 0) {
		close(report[0]);
		return -EAGAIN;
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (read(report[0], &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(report[0]);
	return err;
}

void browser_open(struct terminal *t, const char *path)
{
	char *whole = realpath(path, NULL);
	struct viewer v;
	int err;

	if (!whole)
		return;
	find_viewer(&v);
	if (!find_display(&v)) {
		terminal_note(t, "cprof: no display here: open %s in a browser", whole);
	} else {
		err = start_opener(&v, whole);
		if (err == -ENOENT)
			terminal_note(t, "cprof: no xdg-open here: open %s in a browser", whole);
		else if (err)
			terminal_note(t, "cprof: cannot start xdg-open (%s): open %s in a browser",
				      error_reason(err), whole);
		else
			terminal_note(t, "cprof: opening %s", whole);
	}
	free(whole);
}
