/* SPDX-License-Identifier: Apache-2.0 */
/* Reads jitdump files and perf maps of a process: see jit_sources.h. */
#include "symbol/jit_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/jit.h"
#include "symbol/jit_dump.h"

struct jit_sources {
	struct jit_dump *dump;
	struct jit_names *map;
	char **names; /* tidied; NULL where there is none */
	size_t n;
};

/* ---- names ----------------------------------------------------------------------------------- */

/* V8 writes what a function is, a colon, and one of these for how it was compiled. */
static void tidy_v8(char *name)
{
	static const char *const kinds[] = {"LazyCompile:", "Function:", "Eval:", "Script:", "JS:"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t len = strlen(kinds[i]);

		if (strncmp(name, kinds[i], len) != 0)
			continue;
		if (name[len] && strchr("~^+*", name[len]))
			memmove(name + len, name + len + 1, strlen(name + len));
		return;
	}
}

static void tidy_dotnet(char *name)
{
	static const char *const stages[] = {"[PreJIT]",
					     "[ReadyToRun]",
					     "[MinOptJitted]",
					     "[Optimized]",
					     "[QuickJitted]",
					     "[OptimizedTier1]",
					     "[Tier0]",
					     "[OptimizedTier1OSR]",
					     "[Instrumented]",
					     "[InstrumentedTier0]",
					     "[InstrumentedTier1]",
					     "[OptimizedTier1Instrumented]"};
	char *open = strrchr(name, '[');

	for (size_t i = 0; open && open > name && i < ARRAY_LEN(stages); i++) {
		if (!strcmp(open, stages[i])) {
			*open = '\0';
			return;
		}
	}
}

void jit_name_tidy(char *name)
{
	tidy_v8(name);
	tidy_dotnet(name);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Accepts a plain file that has only this name and belongs to root or the process' user. */
static bool is_trusted(const struct input_file *in, uid_t uid)
{
	return in->links == 1 && (!in->uid || in->uid == uid);
}

static int read_dump(const struct module *m, const char *path, struct budget *budget,
		     const u64 *addresses, size_t n, struct jit_dump **out)
{
	struct input_file in;
	int err = target_root_input(&m->root, path, TARGET_PATH_NO_LINKS, &in);

	if (err)
		return err == -ELOOP || err == -EINVAL ? -EPERM : err;
	err = is_trusted(&in, m->root.user.uid) ? jit_dump_scan(&in, budget, addresses, n, out)
						: -EPERM;
	input_file_close(&in);
	return err;
}

/* A process may have begun its file after its code was first seen. */
static int find_dump(const struct module *m, struct budget *budget, const u64 *addresses, size_t n,
		     struct jit_dump **out)
{
	struct runtime now = {0};
	const char *path = m->runtime.dump;
	int err;

	if (!path) {
		runtime_find(m->tgid, m->inner, &now);
		path = now.dump;
	}
	err = path ? read_dump(m, path, budget, addresses, n, out) : -ENOENT;
	runtime_release(&now);
	return err;
}

static const char *raw_name(const struct jit_sources *s, size_t i)
{
	const char *name = s->dump ? jit_dump_at(s->dump, i)->name : NULL;

	return name || !s->map ? name : jit_names_at(s->map, i);
}

static int copy_names(struct jit_sources *s)
{
	s->names = calloc(s->n + 1, sizeof(*s->names));
	if (!s->names)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		const char *raw = raw_name(s, i);

		if (!raw)
			continue;
		s->names[i] = strdup(raw);
		if (!s->names[i])
			return -ENOMEM;
		jit_name_tidy(s->names[i]);
	}
	return 0;
}

int jit_sources_read(const struct module *m, struct budget *budget, const u64 *addresses, size_t n,
		     struct jit_results *results, struct jit_sources **out)
{
	struct jit_sources *s = calloc(1, sizeof(*s));
	int err;

	*results = (struct jit_results){0};
	if (!s)
		return -ENOMEM;
	s->n = n;
	results->dump = find_dump(m, budget, addresses, n, &s->dump);
	results->map = jit_names_read(&m->root, m->inner, budget, addresses, n, &s->map);
	results->map_cut = s->map && jit_names_are_cut(s->map);
	err = copy_names(s);
	if (err) {
		jit_sources_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void jit_sources_free(struct jit_sources *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->names && i < s->n; i++)
		free(s->names[i]);
	free(s->names);
	jit_dump_free(s->dump);
	jit_names_free(s->map);
	free(s);
}

bool jit_sources_at(const struct jit_sources *s, size_t i, struct dwarf_frame *frame)
{
	const struct jit_dump_frame *dumped = s->dump ? jit_dump_at(s->dump, i) : NULL;

	*frame = (struct dwarf_frame){.name = s->names[i]};
	if (dumped && dumped->name) {
		frame->file = dumped->file;
		frame->line = dumped->line;
	}
	return frame->name != NULL;
}
