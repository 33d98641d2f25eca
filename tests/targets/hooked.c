/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooked HOW is a process whose code in memory differs from its files, or whose mappings appear and
 * disappear. "jump": it has put jumps to its own functions over the beginnings of malloc, free and
 * pthread_mutex_lock, as hooking libraries and live patches do, and calls them all the time.
 * "maps": a thread maps the C library's code again and again, below the first mapping. On SIGTERM
 * it prints how many calls there were, and how many of them arrived.
 */
#include "target.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#define MAPPINGS 40
#define MAPPED (1 << 20)

static char pool[4096];
static volatile long calls, arrived;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *hook_malloc(size_t size)
{
	arrived++;
	return pool + size % 1000;
}

static void hook_free(void *block UNUSED)
{
	arrived++;
}

static int hook_lock(pthread_mutex_t *mutex UNUSED)
{
	arrived++;
	return 0;
}

/* jmp *0(%rip), and the address */
static void hook(const char *name, void *to)
{
	unsigned char code[14] = {0xff, 0x25};
	char *function = dlsym(RTLD_DEFAULT, name);
	char *page = (char *)((uintptr_t)function & ~4095ul);

	memcpy(code + 6, &to, sizeof(to));
	if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		exit(1);
	memcpy(function, code, sizeof(code));
	mprotect(page, 8192, PROT_READ | PROT_EXEC);
}

static void *map(void *path)
{
	int fd = open(path, O_RDONLY);
	void *mapped[MAPPINGS];

	while (!target_stop) {
		for (int i = 0; i < MAPPINGS; i++)
			mapped[i] = mmap(NULL, MAPPED, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		for (int i = 0; i < MAPPINGS; i++)
			munmap(mapped[i], MAPPED);
	}
	return NULL;
}

/* The calls go through pointers, so the compiler cannot know what is called. */
static void *(*volatile get)(size_t) = malloc;
static void (*volatile put)(void *) = free;
static int (*volatile take)(pthread_mutex_t *) = pthread_mutex_lock;
static int (*volatile give)(pthread_mutex_t *) = pthread_mutex_unlock;

static void call_all(int hooked)
{
	take(&lock);
	put(get(100));
	if (!hooked)
		give(&lock);
	calls += 3;
}

int main(int argc, char **argv)
{
	int jumps = argc > 1 && !strcmp(argv[1], "jump");
	struct timespec pause = {.tv_nsec = 1000000};
	pthread_t thread;
	Dl_info libc;

	dladdr(dlsym(RTLD_DEFAULT, "malloc"), &libc);
	if (!jumps)
		pthread_create(&thread, NULL, map, (void *)libc.dli_fname);
	target_ready();
	if (jumps) {
		hook("malloc", hook_malloc);
		hook("free", hook_free);
		hook("pthread_mutex_lock", hook_lock);
	}
	if (write(STDOUT_FILENO, "begun\n", 6) < 0)
		return 1;
	while (!target_stop) {
		for (int i = 0; i < 100; i++)
			call_all(jumps);
		nanosleep(&pause, NULL);
	}
	dprintf(STDOUT_FILENO, "calls %ld\narrived %ld\n", calls, arrived);
	_exit(0);
}
