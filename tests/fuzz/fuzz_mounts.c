/* SPDX-License-Identifier: Apache-2.0 */
/* Parses any text as /proc/PID/mountinfo, most of which is chosen by whoever mounts. */
#include <stdlib.h>
#include <string.h>

#include "base/mounts.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct mounts m = {0};

	if (mounts_parse((struct bytes){data, size}, NULL, &m))
		abort();
	vec_for_each(&m.points, p) {
		if (!p->path || p->dirs || strlen(p->path) > size)
			abort();
		(void)mounts_path_is_local(&m, p->path);
	}
	mounts_release(&m);
	return 0;
}
