/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program that counts what it does: see counted.h. */
#include "counted.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static void run(const char *path, const char *mode, int in, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execl(path, "counted", mode, (char *)NULL);
	_exit(127);
}

void counted_start(struct counted *c, const char *mode)
{
	const char *dir = getenv("TARGETS");
	char path[4096], line[64];
	int in[2], out[2];

	snprintf(path, sizeof(path), "%s/counted", dir ? dir : "build/targets");
	if (access(path, X_OK))
		unit_skip("%s is not built (make targets)", path);
	CHECK(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	c->pid = fork();
	CHECK(c->pid >= 0);
	if (!c->pid)
		run(path, mode, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	c->in = in[1];
	c->out = fdopen(out[0], "r");
	CHECK(c->out && fgets(line, sizeof(line), c->out));
	CHECK_STR(line, "ready\n");
	snprintf(c->text, sizeof(c->text), "%d", (int)c->pid);
}

void counted_work(struct counted *c, unsigned rounds)
{
	char bytes[64];

	memset(bytes, 'w', sizeof(bytes));
	CHECK(rounds <= sizeof(bytes));
	CHECK(write(c->in, bytes, rounds) == (ssize_t)rounds);
}

/* Returns whether it is in read(0, ...): its system call and the first argument (proc(5)). */
static bool is_reading(const struct counted *c)
{
	char path[64], text[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)c->pid);
	f = fopen(path, "re");
	CHECK(f);
	CHECK(fgets(text, sizeof(text), f));
	fclose(f);
	return !strncmp(text, "0 0x0 ", 6);
}

void counted_rest(const struct counted *c)
{
	int left = 1;

	while (left || !is_reading(c)) {
		CHECK(!ioctl(c->in, FIONREAD, &left));
		usleep(1000);
	}
}

void counted_finish(struct counted *c)
{
	int byte;

	close(c->in);
	byte = fgetc(c->out); /* the program prints it once it has done everything */
	CHECK(byte != EOF);
	ungetc(byte, c->out);
}

long long counted_number(struct counted *c, const char *name)
{
	char line[64], known[32];
	long long number;

	while (fgets(line, sizeof(line), c->out)) {
		if (sscanf(line, "%31s %lld", known, &number) == 2 && !strcmp(known, name))
			return number;
	}
	unit_fail(__FILE__, __LINE__, "no %s", name);
}

void counted_end(struct counted *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	fclose(c->out);
}
