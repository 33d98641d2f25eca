/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlopen DIR [SECONDS] loads a library SECONDS after "ready", works in it, and unloads it. Then it
 * does the same with another build with other frames, mostly at the very same addresses, and so on
 * in turn. All times are CPU time, so that both get an equal part of a recording on a busy machine.
 */
#include "target.h"

#include <dlfcn.h>

static NOINLINE void use_library(const char *dir, const char *file, const char *function)
{
	double until = target_clock(CLOCK_PROCESS_CPUTIME_ID) + 0.4;
	void (*burn)(long);
	void *library;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	library = dlopen(path, RTLD_NOW);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	*(void **)&burn = dlsym(library, function);
	fprintf(stderr, "%s at %p\n", function, (void *)burn);
	while (target_clock(CLOCK_PROCESS_CPUTIME_ID) < until)
		burn(1000000);
	dlclose(library);
}

int main(int argc, char **argv)
{
	double after = argc > 2 ? atof(argv[2]) : 1;
	const char *dir = argc > 1 ? argv[1] : ".";
	double until;

	target_ready();
	until = target_clock(CLOCK_PROCESS_CPUTIME_ID) + after;
	while (target_clock(CLOCK_PROCESS_CPUTIME_ID) < until)
		TARGET_SPIN(1000000);
	while (!target_stop) {
		use_library(dir, "libburn1.so", "library_one");
		use_library(dir, "libburn2.so", "library_two");
	}
	return 0;
}
