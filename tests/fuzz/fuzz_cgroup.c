/* SPDX-License-Identifier: Apache-2.0 */
/* Names containers and units by hostile texts of /proc/PID/cgroup. */
#include <stdlib.h>
#include <string.h>

#include "target/container.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct process_place place;
	u8 *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	place_parse((struct bytes){text, size}, &place);
	if (strlen(place.container) >= sizeof(place.container) ||
	    strlen(place.unit) >= sizeof(place.unit))
		abort();
	free(text);
	return 0;
}
