/* SPDX-License-Identifier: Apache-2.0 */
/* What generates code in a process, and where it says which code that is. */
#ifndef CPROF_TARGET_RUNTIME_H
#define CPROF_TARGET_RUNTIME_H

#include <sys/types.h>

#include "base/bpf_shared.h"

enum runtime_kind {
	RUNTIME_UNKNOWN,
	RUNTIME_JAVA,
	RUNTIME_NODE,
	RUNTIME_PYTHON,
	RUNTIME_DOTNET,
	RUNTIME_LUAJIT,
	RUNTIME_ERLANG,
	RUNTIME_RUBY,
	RUNTIME_PHP,
	RUNTIME_JULIA,
	RUNTIME_KINDS,
};

struct runtime {
	enum runtime_kind kind;
	char program[64]; /* name of the process */
	char *dump; /* path of its jitdump file as it sees it; NULL if it has none */
};

/*
 * Finds out by the files that the process maps: its own libraries, and the jitdump file, which
 * every writer of one maps so that profilers find it. Release it. If the process is gone, the kind
 * is RUNTIME_UNKNOWN.
 */
void runtime_find(pid_t tgid, struct inner_pid inner, struct runtime *out);
void runtime_release(struct runtime *r);

/* Writes what gives the generated code of such a process names, such as "`node --perf-basic-prof`
 * gives them". */
void runtime_advice(enum runtime_kind kind, pid_t tgid, char *out, size_t size);

#endif
