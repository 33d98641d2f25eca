/* SPDX-License-Identifier: Apache-2.0 */
/* Entry point: looks up the verb and runs it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/invoker.h"
#include "base/large_stack.h"
#include "base/signals.h"
#include "exit_codes.h"
#include "help.h"
#include "terminal.h"
#include "verbs.h"

/* Heap profiles take 300 KiB, mostly for paths and in libbpf. */
#define STACK_BYTES (1u << 20)

/* Serves the completions: --list-options [VERB [OPTION]]. */
static int list_options(int argc, char **argv)
{
	const struct verb_spec *verb = argc > 1 ? verb_by_name(argv[1]) : NULL;

	if (argc < 2) {
		for (const struct verb_spec *const *v = verb_table; *v; v++)
			printf("%s\t%s\n", (*v)->name, verb_summary(*v));
		return CPROF_EXIT_OK;
	}
	if (!verb)
		return CPROF_EXIT_USAGE;
	if (argc > 2)
		help_list_values(stdout, verb, argv[2]);
	else
		help_list_options(stdout, verb);
	return CPROF_EXIT_OK;
}

static bool is_any(const char *arg, const char *a, const char *b)
{
	return !strcmp(arg, a) || !strcmp(arg, b);
}

/* Verbs without options still answer -h, and accept nothing that they would ignore. */
static int run_plain(const struct verb_spec *verb, int argc, char **argv)
{
	struct terminal t;

	if (argc > 1 && is_any(argv[1], "-h", "--help")) {
		help_verb(stdout, verb);
		return CPROF_EXIT_OK;
	}
	if (argc > 1 + verb->words) {
		terminal_init(&t, NULL);
		terminal_error(&t, "unexpected \"%.128s\": the usage is cprof %s%s%s",
			       argv[argc - 1], verb->name, *verb->synopsis ? " " : "",
			       verb->synopsis);
		return CPROF_EXIT_USAGE;
	}
	return verb->run(verb, argc, argv);
}

/*
 * Drops capabilities that the program file has. Whoever sets them lets users record, but does not
 * let them read every file as a profile or as source code.
 */
static bool drop_rights(const struct verb_spec *verb)
{
	int code = verb->group == VERBS_READING ? invoker_drop_capabilities() : 0;
	struct terminal t;

	if (!code)
		return true;
	terminal_init(&t, NULL);
	terminal_error(&t, "cannot give up the capabilities of the program file: %s",
		       error_reason(code));
	return false;
}

static int dispatch(int argc, char **argv)
{
	const struct verb_spec *verb;

	if (argc < 1) {
		help_overview(stderr);
		return CPROF_EXIT_USAGE;
	}
	if (is_any(argv[0], "-h", "--help"))
		return verb_by_name("help")->run(verb_by_name("help"), 1, argv);
	if (is_any(argv[0], "-V", "--version"))
		return verb_by_name("version")->run(verb_by_name("version"), 1, argv);
	if (!strcmp(argv[0], "--list-options"))
		return list_options(argc, argv);
	verb = verb_by_name(argv[0]);
	if (!verb)
		return verb_unknown(argv[0]);
	if (!drop_rights(verb))
		return CPROF_EXIT_FAILED;
	return verb_bits(verb) ? verb->run(verb, argc, argv) : run_plain(verb, argc, argv);
}

/*
 * Output may still be in a buffer, so a full disk only shows now. Network file systems report it,
 * and an exceeded quota, when the file is closed. If the reader has gone, that is not a failure.
 */
static int finish_output(void)
{
	int error = fflush(stdout) ? errno : 0;

	if (close(STDOUT_FILENO) && !error && errno != EBADF)
		error = errno;
	return error;
}

static int finish(int status)
{
	int error = finish_output();
	struct terminal t;

	if (!error || error == EPIPE || status)
		return status;
	terminal_init(&t, NULL);
	terminal_error(&t, "cannot write to the standard output: %s", error_write_reason(-error));
	return CPROF_EXIT_FAILED;
}

static int refuse_set_id(void)
{
	struct terminal t;

	terminal_init(&t, NULL);
	terminal_error(&t, "cannot run as a set-user-ID program, which would let every user write "
			   "files as its owner (use sudo, or setcap)");
	return CPROF_EXIT_FAILED;
}

struct arguments {
	int argc;
	char **argv;
};

static int run(void *arg)
{
	const struct arguments *a = arg;

	signals_ignore_failed_writes();
	return finish(dispatch(a->argc - 1, a->argv + 1));
}

int main(int argc, char **argv)
{
	struct arguments a = {argc, argv};
	struct terminal t;
	int status, err;

	if (invoker_is_set_id())
		return refuse_set_id();
	err = large_stack_run(STACK_BYTES, run, &a, &status);
	if (!err)
		return status;
	terminal_init(&t, NULL);
	terminal_error(&t,
		       "cannot run on so small a stack, and cannot start a thread with a larger "
		       "one: %s (try ulimit -s 8192)",
		       error_reason(err));
	return CPROF_EXIT_FAILED;
}
