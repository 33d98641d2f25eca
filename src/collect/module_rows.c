/* SPDX-License-Identifier: Apache-2.0 */
/* From a module to its rows: see module_rows.h. */
#include "collect/module_rows.h"

#include <errno.h>

#include "elf/debug_file.h"

int module_rows_build(const struct module *m, struct rule_set *set, struct rows **out)
{
	struct elf_file *debug = NULL;
	struct rows *better;
	int code;

	if (!m->elf)
		return -ENOEXEC;
	code = rows_build(m->elf, NULL, set, out);
	/* .debug_frame may lie in a separate file, which is only worth a look where there is no table. */
	if (code || !(*out)->frame_pointers || debug_file_find(m->elf, m->path, &m->root, &debug))
		return code;
	if (!rows_build(m->elf, debug, set, &better)) {
		rows_free(*out);
		*out = better;
	}
	elf_file_free(debug);
	return 0;
}
