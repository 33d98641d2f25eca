/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes runtimes that generate code: see runtime.h. */
#include "target/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "target/maps.h"
#include "target/process.h"

/* A file whose name begins like this is only mapped by the runtime; a '$' ends the whole name. */
static const struct {
	const char *file;
	enum runtime_kind kind;
} signs[] = {
	{"libjvm.so", RUNTIME_JAVA},    {"libcoreclr.so", RUNTIME_DOTNET},
	{"libluajit", RUNTIME_LUAJIT},  {"luajit", RUNTIME_LUAJIT},
	{"beam.smp", RUNTIME_ERLANG},   {"beam.jit", RUNTIME_ERLANG},
	{"libpython3", RUNTIME_PYTHON}, {"python3", RUNTIME_PYTHON},
	{"libnode.so", RUNTIME_NODE},   {"node$", RUNTIME_NODE},
	{"nodejs$", RUNTIME_NODE},      {"libruby", RUNTIME_RUBY},
	{"ruby", RUNTIME_RUBY},         {"libjulia-internal", RUNTIME_JULIA},
	{"php", RUNTIME_PHP},
};

/* A '#' stands for the PID. */
static const char *const advice[RUNTIME_KINDS] = {
	[RUNTIME_UNKNOWN] = "a perf map (/tmp/perf-#.map) or a jitdump file of it would give them",
	[RUNTIME_JAVA] = "`jcmd # Compiler.perfmap` gives them while it runs (JDK 17 and later)",
	[RUNTIME_NODE] = "`node --perf-basic-prof` gives them",
	[RUNTIME_PYTHON] = "`python3 -X perf` gives them (Python 3.12 and later)",
	[RUNTIME_DOTNET] = "DOTNET_PerfMapEnabled=1 in its environment gives them",
	[RUNTIME_LUAJIT] = "a LuaJIT that was built with -DLUAJIT_USE_PERFTOOLS gives them",
	[RUNTIME_ERLANG] = "`erl +JPperf true` gives them (OTP 24 and later)",
	[RUNTIME_RUBY] = "`ruby --yjit-perf=map` gives them (Ruby 3.3 and later)",
	[RUNTIME_PHP] = "opcache.jit_debug=0x10 gives them",
	[RUNTIME_JULIA] = "ENABLE_JITPROFILING=1 in its environment gives them",
};

static enum runtime_kind kind_of(const char *file)
{
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		size_t len = strcspn(signs[i].file, "$");

		if (!strncmp(file, signs[i].file, len) && (!signs[i].file[len] || !file[len]))
			return signs[i].kind;
	}
	return RUNTIME_UNKNOWN;
}

static void look_at(const map_vec *maps, struct inner_pid inner, struct runtime *out)
{
	char dump[40];

	snprintf(dump, sizeof(dump), "jit-%u.dump", inner.nr);
	vec_for_each(maps, e) {
		const char *file = path_name(e->path);
		enum runtime_kind kind;

		if (e->path[0] != '/')
			continue;
		if (!out->dump && inner.nr && !strcmp(file, dump))
			out->dump = strdup(e->path);
		kind = kind_of(file);
		/* A library of python in a java process, say, does not make it python. */
		if (kind != RUNTIME_UNKNOWN && (out->kind == RUNTIME_UNKNOWN || kind < out->kind))
			out->kind = kind;
	}
}

void runtime_find(pid_t tgid, struct inner_pid inner, struct runtime *out)
{
	struct process_info info;
	map_vec maps = {0};

	*out = (struct runtime){.kind = RUNTIME_UNKNOWN};
	if (tgid <= 0)
		return;
	if (!process_read(tgid, &info))
		snprintf(out->program, sizeof(out->program), "%s", info.comm);
	if (!maps_read(tgid, &maps))
		look_at(&maps, inner, out);
	maps_release(&maps);
}

void runtime_release(struct runtime *r)
{
	free(r->dump);
	r->dump = NULL;
}

void runtime_advice(enum runtime_kind kind, pid_t tgid, char *out, size_t size)
{
	const char *text = advice[kind < RUNTIME_KINDS ? kind : RUNTIME_UNKNOWN];
	size_t head = strcspn(text, "#");

	if (text[head])
		snprintf(out, size, "%.*s%d%s", (int)head, text, (int)tgid, text + head + 1);
	else
		snprintf(out, size, "%s", text);
}
