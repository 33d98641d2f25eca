/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module: one file that is mapped executable in some target (or the kernel, the vdso, memory
 * without a file). It is opened while the process lives and kept open, so that it can be symbolized
 * after the process is gone.
 */
#ifndef CPROF_TARGET_MODULE_H
#define CPROF_TARGET_MODULE_H

#include <sys/types.h>

#include "base/bpf_shared.h"
#include "base/target_root.h"
#include "base/types.h"
#include "elf/elf_file.h"
#include "target/runtime.h"
#include "target/maps.h"

enum module_kind {
	MODULE_KIND_FILE,
	MODULE_KIND_KERNEL,
	MODULE_KIND_VDSO,
	MODULE_KIND_JIT, /* executable memory without a file, of one process */
	MODULE_KIND_NONE, /* addresses that belong to no module, and the marks of cut stacks */
};

struct module {
	enum module_kind kind;
	u64 id; /* no other module of this process ever has the same; 0 if it has none */
	char *path; /* as the target sees it; "[vdso]", "[kernel.kallsyms]", "//anon" */
	pid_t tgid; /* a process that maps it; for JIT, the process that it belongs to */
	/* its number in its own PID namespace, which the name of the perf map contains */
	struct inner_pid inner;
	struct target_root root; /* root of that process, for debug files and perf maps */
	struct elf_file *elf; /* NULL for KERNEL, JIT, NONE and files that are not ELF */
	/* A file that is not ELF stays open, because its inode must not be reused for another file
	 * meanwhile. */
	struct input_file plain;
	struct runtime runtime; /* of JIT: what generates the code */
	/* its debug file and the supplementary one (dwz), if they were downloaded; else NULL */
	struct elf_file *debug, *debug_alt;
	struct build_id build_id;
	/* one of the places where it is mapped, for the profile's mapping table */
	u64 start, end, offset;
	u64 inode; /* as /proc/PID/maps shows the file; 0 if there is none */
	u32 dev_major, dev_minor;
	bool unread; /* the file's file system did not answer */
	bool closed; /* .elf, .plain and .root have been closed: see module_reopen() */
};

/*
 * Opens the file behind a mapping of `tgid`; errors are those of mapped_file.h. A file that is not
 * an ELF file still gives a module, but without .elf, and so does one that did not answer in time
 * (.unread). `readers` (may be NULL) must outlive the module. Returns -ENOEXEC if no file is mapped
 * there.
 */
int module_open_entry(struct readers *readers, pid_t tgid, const struct map_entry *e,
		      struct module **out) MUST_CHECK;
/* Does the same for callers that have not read the maps. */
int module_open_mapped(struct readers *readers, pid_t tgid, u64 start, u64 end,
		       struct module **out) MUST_CHECK;
/* Opens a file of this machine, for addresses of a process that is gone. Returns -ENOENT, -ENOEXEC
 * (not an ELF file) or another negative errno. */
int module_open_file(struct readers *readers, const char *path, struct module **out) MUST_CHECK;
int module_new_special(enum module_kind kind, struct readers *readers, pid_t tgid,
		       struct module **out) MUST_CHECK; /* opens our own vdso, from memory */
/*
 * Opens the ELF file of a closed module again if it is still at its path below our own root. Its
 * device, inode and build id must be the same. Else the module stays as it is.
 */
void module_reopen(struct module *m);
/*
 * Returns whether the module is memory that only looks like a file (memfd_create(2), /dev/zero,
 * POSIX and System V shared memory) and is not an ELF file, which is how runtimes keep code that
 * they generate. It may be mapped at several places, and its code is known by its addresses.
 */
bool module_is_generated(const struct module *m);
/* Returns whether a path of a mapping is that of such memory. */
bool module_path_is_memory(const char *path);
/* Returns the same of a file that has not been opened; it is true as well if it cannot be read. */
bool module_entry_is_generated(pid_t tgid, const struct map_entry *e);

void module_free(struct module *m);

#endif
