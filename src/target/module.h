/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module: one file that is mapped executable in some target (or the kernel, the vdso, memory without
 * a file). Opened while the process lives and kept open, so that naming can wait until it is gone.
 */
#ifndef CPROF_TARGET_MODULE_H
#define CPROF_TARGET_MODULE_H

#include <sys/types.h>

#include "base/bpf_shared.h"
#include "base/target_root.h"
#include "base/types.h"
#include "elf/elf_file.h"
#include "target/maps.h"

enum module_kind {
	MODULE_KIND_FILE,
	MODULE_KIND_KERNEL,
	MODULE_KIND_VDSO,
	MODULE_KIND_JIT, /* executable memory without a file, of one process */
	MODULE_KIND_NONE, /* addresses that belong to nothing, and the marks of cut stacks */
};

struct module {
	enum module_kind kind;
	char *path; /* as the target sees it; "[vdso]", "[kernel.kallsyms]", "//anon" */
	pid_t tgid; /* a process that maps it (JIT: the process it belongs to) */
	struct inner_pid inner; /* its number in its own PID namespace: names the perf map */
	struct target_root root; /* of that process, for debug files and perf maps */
	struct elf_file *elf; /* NULL for KERNEL, JIT, NONE and files that are not ELF */
	struct build_id build_id;
	u64 start, end, offset; /* one place where it is mapped, for the profile's mapping table */
	u64 inode; /* as /proc/PID/maps shows the file; 0: no file */
	u32 dev_major, dev_minor;
	bool unread; /* the file's file system did not answer */
};

/*
 * The file behind a mapping of `tgid`: see mapped_file.h, also for the errors. A file that is not an ELF file
 * still gives a module, without .elf; so does one that did not answer in time (.unread). `readers` (may be NULL)
 * must outlive the module. -ENOEXEC: no file is mapped there.
 */
int module_open_entry(struct readers *readers, pid_t tgid, const struct map_entry *e,
		      struct module **out) MUST_CHECK;
/* The same for who has not read the maps. */
int module_open_mapped(struct readers *readers, pid_t tgid, u64 start, u64 end,
		       struct module **out) MUST_CHECK;
/* A file of this machine, for addresses of a process that is gone. -ENOENT, -ENOEXEC (no ELF), ... */
int module_open_file(struct readers *readers, const char *path, struct module **out) MUST_CHECK;
int module_new_special(enum module_kind kind, struct readers *readers, pid_t tgid,
		       struct module **out) MUST_CHECK; /* vdso: ours, from memory */
void module_free(struct module *m);

#endif
