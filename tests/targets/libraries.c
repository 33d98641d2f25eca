/* SPDX-License-Identifier: Apache-2.0 */
/* libraries DIR opens every library there, and then computes, allocates, locks and sleeps in
 * turn. */
#include "target.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void open_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (strstr(e->d_name, ".so") && !dlopen(path, RTLD_NOW)) {
			fprintf(stderr, "%s\n", dlerror());
			exit(1);
		}
	}
	if (d)
		closedir(d);
}

static NOINLINE void one_round(void)
{
	void *block = malloc(100);

	__asm__ volatile("" ::"r"(block) : "memory");
	free(block);
	pthread_mutex_lock(&lock);
	TARGET_SPIN(1000000);
	pthread_mutex_unlock(&lock);
	usleep(500);
}

int main(int argc, char **argv)
{
	open_all(argc > 1 ? argv[1] : ".");
	target_ready();
	while (!target_stop)
		one_round();
	return 0;
}
