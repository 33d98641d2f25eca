/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the unit tests: `unit [-j N] [AREA[/NAME]]...`, with TAP on stdout, one process per case and
 * N cases at once. */
#include "unit.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define CASE_SECONDS 120 /* a hung case fails instead of hanging the run */
#define MAX_JOBS 16

extern const struct unit_case *const __start_unit_cases[], *const __stop_unit_cases[];

void unit_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

void unit_skip(const char *fmt, ...)
{
	va_list ap;

	printf("# skipped: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(EXIT_SKIPPED);
}

void unit_check_int(const char *file, int line, const char *what, long long have, long long want)
{
	if (have != want)
		unit_fail(file, line, "%s is %lld, not %lld", what, have, want);
}

void unit_check_str(const char *file, int line, const char *what, const char *have,
		    const char *want)
{
	if (!have || !want ? have != want : strcmp(have, want) != 0)
		unit_fail(file, line, "%s is \"%s\", not \"%s\"", what, have ? have : "(null)",
			  want ? want : "(null)");
}

static bool wanted(const struct unit_case *c, char **names)
{
	char full[256];

	if (!*names)
		return true;
	snprintf(full, sizeof(full), "%s/%s", c->area, c->name);
	for (; *names; names++) {
		if (!strcmp(*names, c->area) || !strcmp(*names, full))
			return true;
	}
	return false;
}

/* A case that runs, or a free place if there is none. What it prints is kept until it has ended, so
 * that it is above its own result. */
struct job {
	const struct unit_case *c;
	pid_t pid;
	int output;
};

struct run {
	struct job jobs[MAX_JOBS];
	int njobs, nrunning;
	int number, failed;
};

static void run_in_child(const struct run *r, const struct job *j)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CASE_SECONDS);
	dup2(j->output, STDOUT_FILENO);
	dup2(j->output, STDERR_FILENO);
	close(j->output);
	for (int i = 0; i < r->njobs; i++) {
		if (r->jobs[i].c)
			close(r->jobs[i].output);
	}
	j->c->run();
	fflush(stdout);
	/* This calls exit and not _exit, because LeakSanitizer reports from an exit handler. */
	exit(0);
}

static int start_case(struct run *r, const struct unit_case *c)
{
	struct job j = {.c = c, .output = memfd_create("output", MFD_CLOEXEC)};
	int place = 0;

	if (j.output < 0) {
		perror("memfd_create");
		return -1;
	}
	fflush(stdout);
	j.pid = fork();
	if (j.pid < 0) {
		perror("fork");
		close(j.output);
		return -1;
	}
	if (!j.pid)
		run_in_child(r, &j);
	while (r->jobs[place].c)
		place++;
	r->jobs[place] = j;
	r->nrunning++;
	return 0;
}

static void print_output(struct job *j)
{
	off_t from = 0, len = lseek(j->output, 0, SEEK_END);
	char text[4096];

	while (from < len) {
		ssize_t n = pread(j->output, text, sizeof(text), from);

		if (n <= 0)
			break;
		fwrite(text, 1, n, stdout);
		from += n;
	}
	close(j->output);
}

static void print_result(struct run *r, const struct unit_case *c, int status)
{
	bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED;
	bool ok = !status || skipped;

	if (WIFSIGNALED(status))
		printf("# killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	r->failed += !ok;
	printf("%s %d - %s: %s%s\n", ok ? "ok" : "not ok", ++r->number, c->area, c->name,
	       skipped ? " # skip" : "");
}

/* Waits until one of the cases has ended. */
static int finish_case(struct run *r)
{
	int status;
	pid_t pid = wait(&status);

	if (pid < 0) {
		perror("wait");
		return -1;
	}
	kill(-pid, SIGKILL); /* programs that a failed case has left, some of which never end */
	for (int i = 0; i < r->njobs; i++) {
		struct job *j = &r->jobs[i];

		if (!j->c || j->pid != pid)
			continue;
		print_output(j);
		print_result(r, j->c, status);
		j->c = NULL;
		r->nrunning--;
	}
	return 0;
}

static int run_cases(struct run *r, char **names)
{
	for (const struct unit_case *const *c = __start_unit_cases; c < __stop_unit_cases; c++) {
		if (!wanted(*c, names))
			continue;
		if (r->nrunning == r->njobs && finish_case(r))
			return -1;
		if (start_case(r, *c))
			return -1;
	}
	while (r->nrunning) {
		if (finish_case(r))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct run r = {.njobs = 1};

	if (argc > 2 && !strcmp(argv[1], "-j")) {
		r.njobs = atoi(argv[2]);
		argv += 2;
	}
	if (r.njobs < 1) {
		fprintf(stderr, "unit: -j takes a number of cases\n");
		return 2;
	}
	if (r.njobs > MAX_JOBS)
		r.njobs = MAX_JOBS;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (run_cases(&r, argv + 1))
		return 1; /* without a plan, which a reader of TAP notices */
	printf("1..%d\n", r.number);
	return r.failed || !r.number ? 1 : 0;
}
