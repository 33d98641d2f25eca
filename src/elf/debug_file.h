/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the debug information of a module: in the file itself, in a separate file found by build id
 * or .gnu_debuglink (GDB manual, "Separate Debug Files"), or in .gnu_debugdata (minidebuginfo, an
 * xz-compressed ELF with only a .symtab).
 */
#ifndef CPROF_ELF_DEBUG_FILE_H
#define CPROF_ELF_DEBUG_FILE_H

#include "base/target_root.h"
#include "elf/elf_file.h"

/*
 * Looks for the separate debug file of `f`:
 *   /usr/lib/debug/.build-id/ab/cdef.debug, then the debuglink's name in the module's own
 *   directory,
 *   in its .debug subdirectory and below /usr/lib/debug.
 * Each is tried inside the target's root with the rights of its user (target_root.h), and those
 * below /usr/lib/debug also in our own root. `path` is the module's path as the target sees it. A
 * file is accepted only if its build id matches (or the debuglink's CRC, if `f` has no build id).
 * It is read on the budget of `f`, which must outlive it. Returns 0, -ENOENT, or another negative
 * errno.
 */
int debug_file_find(struct elf_file *f, const char *path, const struct target_root *root,
		    struct elf_file **out) MUST_CHECK;

/*
 * Opens the ELF inside .gnu_debugdata. At most 256 MiB are unpacked, and at most 64 times the
 * section. Returns 0, -ENOENT, -EBADMSG, -E2BIG (budget) or -ENOMEM.
 */
int debug_file_mini(struct elf_file *f, struct elf_file **out) MUST_CHECK;

/* Finds DWARF's supplementary file (dwz, .gnu_debugaltlink) in the same places. Returns 0 or
 * -ENOENT. */
int debug_file_alt(struct elf_file *f, const char *path, const struct target_root *root,
		   struct elf_file **out) MUST_CHECK;

/* Gives the build ID in .gnu_debugaltlink; false if there is none. */
bool debug_file_alt_id(struct elf_file *f, struct build_id *id);

/* Writes the path in .gnu_debugaltlink, or "" if there is none. */
void debug_file_alt_name(struct elf_file *f, char *out, size_t size);

#endif
