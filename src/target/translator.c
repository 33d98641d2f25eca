/* SPDX-License-Identifier: Apache-2.0 */
/* Recognizes translators by the names of their files: see translator.h. */
#include "target/translator.h"

#include <errno.h>
#include <string.h>

#include "arch/machine.h"
#include "base/path.h"

/* These are prefixes of the names of commands. */
static const char *const commands[] = {"valgrind", "qemu-x86_64", "qemu-i386", "drrun",
				       "box64",    "FEX",         "pin"};

/* These are prefixes of the names of their own files. Each of their processes maps one of these. */
static const char *const files[] = {"valgrind.bin", "qemu-x86_64", "qemu-i386",      "libdynamorio",
				    "pinbin",       "box64",       "FEXInterpreter", "FEXLoader"};

static bool begins_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* Each tool of valgrind is its own program: .../valgrind/memcheck-PLATFORM. */
static bool is_valgrind_tool(const char *path)
{
	const char *base = path_name(path), *platform = arch_valgrind_platform();
	size_t len = strlen(base), tail = strlen(platform);

	return len > tail + 1 && base[len - tail - 1] == '-' &&
	       !strcmp(base + len - tail, platform) && strstr(path, "/valgrind/");
}

static const char *translator_of_file(const char *path)
{
	if (is_valgrind_tool(path))
		return "valgrind";
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (begins_with(path_name(path), files[i]))
			return files[i];
	}
	return NULL;
}

/* This accepts "pin", but not "ping". */
static bool is_command(const char *base, const char *name)
{
	size_t len = strlen(name);

	return begins_with(base, name) && (!base[len] || strchr("-.", base[len]));
}

int translator_refuse_process(pid_t tgid, const map_vec *maps, struct error *err)
{
	vec_for_each(maps, e) {
		const char *translator = e->inode ? translator_of_file(e->path) : NULL;

		if (translator)
			return error_set(
				err, -EPERM,
				"cannot put probes into PID %d: %s translates its code, and "
				"would take them for breakpoints of the program, which ends it "
				"(cprof cpu, offcpu and wall need no probes)",
				(int)tgid, translator);
	}
	return 0;
}

int translator_refuse_command(const char *command, struct error *err)
{
	for (size_t i = 0; command && i < ARRAY_LEN(commands); i++) {
		if (is_command(path_name(command), commands[i]))
			return error_set(
				err, -EPERM,
				"cannot put probes into %s: it translates the code of the "
				"program that it runs, and would take them for breakpoints of "
				"that program, which ends it (cprof cpu, offcpu and wall need "
				"no probes)",
				command);
	}
	return 0;
}
