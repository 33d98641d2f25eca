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
};

/*
 * Opens the file that `tgid` maps at [start, end) through /proc/PID/map_files (works for deleted and
 * replaced files and across mount namespaces; needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), else by
 * path inside its root when device and inode still fit. A file that is no ELF still gives a module,
 * without .elf. -ESRCH, -EACCES, -ESTALE (another file lies there now), -ENOEXEC (no file is mapped
 * there), -EINVAL (not a regular file)...
 */
int module_open_mapped(pid_t tgid, u64 start, u64 end, struct module **out) MUST_CHECK;
/* The same for who has read the maps already, once for all modules. */
int module_open_entry(pid_t tgid, const struct map_entry *e, struct module **out) MUST_CHECK;
/* A file of this machine, for addresses of a process that is gone. As above; -ENOENT, -ENOEXEC (no ELF). */
int module_open_file(const char *path, struct module **out) MUST_CHECK;
int module_new_special(enum module_kind kind, pid_t tgid,
		       struct module **out) MUST_CHECK; /* vdso: ours, from memory */
void module_free(struct module *m);

#endif
