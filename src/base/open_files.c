/* SPDX-License-Identifier: Apache-2.0 */
/* Raises RLIMIT_NOFILE: see open_files.h. */
#include "base/open_files.h"

#include <sys/resource.h>

void open_files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
