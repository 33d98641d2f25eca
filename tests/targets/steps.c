/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps SITUATION does something that is awkward to unwind between two int3 instructions in main().
 * The replay tests step through it instruction by instruction and unwind at each one.
 */
#include "target.h"

#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/wait.h>

#define MARK() __asm__ volatile("int3" ::: "memory")

static volatile int sink;

static NOINLINE void touch(volatile char *memory)
{
	memory[0] = 1;
}

/* ---- plain calls, thirty deep, with frames of all sizes ---- */

static NOINLINE int leaf(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return a + b * c - d + e * f - g + h + sink;
}

static NOINLINE int ladder(int n)
{
	char buf[8 + n * 24];
	int result;

	touch(buf);
	if (n == 0)
		return leaf(1, 2, 3, 4, 5, 6, 7, 8);
	result = ladder(n - 1) + buf[0];
	NO_TAIL_CALL();
	return result;
}

static void do_calls(void)
{
	sink = ladder(28);
}

/* ---- signals ---- */

static NOINLINE void in_handler(void)
{
	sink = ladder(2);
}

static NOINLINE void on_signal(int number UNUSED)
{
	in_handler();
	NO_TAIL_CALL();
}

static void do_signal(void)
{
	raise(SIGUSR1);
	NO_TAIL_CALL();
}

/* ---- realigned frames, alloca, large frames ---- */

static NOINLINE int large_frame(void)
{
	volatile char buf[100000];

	buf[0] = 1;
	buf[sizeof(buf) - 1] = 2;
	return ladder(2) + buf[0];
}

static NOINLINE int aligned_alloca(int n)
{
	char aligned[64] __attribute__((aligned(64)));
	char *buf = alloca(n);

	touch(aligned);
	touch(buf);
	return large_frame() + aligned[0];
}

static NOINLINE int aligned_many(int a, int b, int c, int d, int e, int f, int g, int h)
{
	char aligned[128] __attribute__((aligned(128)));

	touch(aligned);
	return aligned_alloca(100 + h) + aligned[0] + leaf(a, b, c, d, e, f, g, h);
}

static void do_frames(void)
{
	sink = aligned_many(1, 2, 3, 4, 5, 6, 7, 8);
}

/* ---- the C library: PLT entries (bound at the first call), callbacks, hand-written code ---- */

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void do_libc(void)
{
	int numbers[] = {5, 3, 9, 1, 7, 2};
	char text[200], other[200];

	for (int i = 0; i < 2; i++) {
		qsort(numbers, 6, sizeof(numbers[0]), compare);
		snprintf(text, sizeof(text), "%d %s %.3f", numbers[2], "text", 3.25);
		memset(other, 'x', sizeof(other));
		memmove(other + 3, text, strlen(text) + 1);
		sink = strcmp(text, other + 3) + (strchr(text, '.') != NULL);
		free(realloc(malloc(100), 100000));
	}
}

/* ---- the vdso ---- */

static void do_vdso(void)
{
	struct timespec ts;

	for (int i = 0; i < 3; i++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
		sink = (int)time(NULL);
	}
}

/* ---- jumps across frames ---- */

static jmp_buf back;

static NOINLINE void jump_out(int n)
{
	char buf[n];

	touch(buf);
	longjmp(back, 1);
}

static NOINLINE void do_longjmp(void)
{
	if (!setjmp(back))
		jump_out(300);
	sink = ladder(1);
}

/* ---- vfork keeps its return address in a register ---- */

static void do_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

/* ---- threads ---- */

static void *thread_main(void *arg UNUSED)
{
	sink = ladder(2);
	return NULL;
}

static void do_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_main, NULL);
	pthread_join(thread, NULL);
}

/* ---- deep recursion, with the marks at the bottom ---- */

static NOINLINE int recurse(int n)
{
	int result;

	if (n == 0) {
		MARK();
		return 1;
	}
	result = recurse(n - 1) + 1;
	NO_TAIL_CALL();
	return result;
}

static const struct situation {
	const char *name;
	void (*run)(void);
} situations[] = {
	{"calls", do_calls},     {"signal", do_signal}, {"altstack", do_signal},
	{"frames", do_frames},   {"libc", do_libc},     {"vdso", do_vdso},
	{"longjmp", do_longjmp}, {"vfork", do_vfork},   {"thread", do_thread},
};

static void catch_signal(int flags)
{
	static char alternate[64 << 10];
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	void (*run)(void) = NULL;

	alarm(TARGET_SECONDS);
	if (argc > 2 && !strcmp(name, "recurse")) {
		sink = recurse(atoi(argv[2]));
		return 0;
	}
	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
		if (!strcmp(name, situations[i].name))
			run = situations[i].run;
	}
	if (!run)
		return 2;
	catch_signal(strcmp(name, "altstack") ? 0 : SA_ONSTACK);
	MARK();
	run();
	MARK();
	return 0;
}
