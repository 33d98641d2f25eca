/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of paths. */
#ifndef CPROF_BASE_PATH_H
#define CPROF_BASE_PATH_H

#include <string.h>

/* Returns what stands behind the last slash, or all of it if nothing does. */
static inline const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

#endif
