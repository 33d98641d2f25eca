/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the unit tests: `unit [AREA[/NAME]]...`, with TAP on stdout and one process per case. */
#include "unit.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define CASE_SECONDS 120 /* a hung case fails instead of hanging the run */

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

static bool wanted(const struct unit_case *c, int argc, char **argv)
{
	char full[256];

	if (argc < 2)
		return true;
	snprintf(full, sizeof(full), "%s/%s", c->area, c->name);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], c->area) || !strcmp(argv[i], full))
			return true;
	}
	return false;
}

static int run_case(const struct unit_case *c)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return -1;
	}
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(CASE_SECONDS);
		c->run();
		fflush(stdout);
		/* This calls exit and not _exit, because LeakSanitizer reports from an exit
		 * handler. */
		exit(0);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -1;
	kill(-pid, SIGKILL); /* programs that a failed case has left, some of which never end */
	if (WIFSIGNALED(status)) {
		printf("# killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
		return -1;
	}
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	int number = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct unit_case *const *c = __start_unit_cases; c < __stop_unit_cases; c++) {
		int result;

		if (!wanted(*c, argc, argv))
			continue;
		result = run_case(*c);
		number++;
		if (result && result != EXIT_SKIPPED)
			failed++;
		printf("%s %d - %s: %s%s\n", !result || result == EXIT_SKIPPED ? "ok" : "not ok",
		       number, (*c)->area, (*c)->name, result == EXIT_SKIPPED ? " # skip" : "");
	}
	printf("1..%d\n", number);
	return failed || !number ? 1 : 0;
}
