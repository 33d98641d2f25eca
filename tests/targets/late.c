/* SPDX-License-Identifier: Apache-2.0 */
/* late LIBRARY FUNCTION opens the library some time after "ready", and from then on runs that
 * function of it. */
#include "target.h"

#include <dlfcn.h>

#define BEFORE 0.3 /* in seconds of CPU time */

int main(int argc, char **argv)
{
	double until;
	void *library;
	char *(*function)(void);

	target_ready();
	until = target_clock(CLOCK_PROCESS_CPUTIME_ID) + BEFORE;
	while (target_clock(CLOCK_PROCESS_CPUTIME_ID) < until)
		TARGET_SPIN(1000000);
	library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
	*(void **)&function = library ? dlsym(library, argc > 2 ? argv[2] : "") : NULL;
	if (!function) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	while (!target_stop)
		free(function());
	return 0;
}
