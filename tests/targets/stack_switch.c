/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `stack_switch WHERE HOW` runs a function on another stack, as runtimes with coroutines do. WHERE
 * says whether that stack lies "above" or "below" the thread's own, and HOW whether the frame that
 * changes stacks is marked as that of a "signal" or is "plain".
 */
#include "target.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

#define STACK_SIZE (1 << 20)

/* Each function gets the top of the stack, the function to call there, and its argument. */
#define SWITCH(name, mark)                                        \
	".globl " name "\n.type " name ", @function\n" name ":\n" \
	".cfi_startproc\n" mark "push %rbp\n"                     \
	".cfi_def_cfa_offset 16\n"                                \
	".cfi_offset %rbp, -16\n"                                 \
	"mov %rsp, %rbp\n"                                        \
	".cfi_def_cfa_register %rbp\n"                            \
	"mov %rdi, %rsp\n"                                        \
	"mov %rdx, %rdi\n"                                        \
	"call *%rsi\n"                                            \
	"mov %rbp, %rsp\n"                                        \
	"pop %rbp\n"                                              \
	".cfi_def_cfa %rsp, 8\n"                                  \
	"ret\n"                                                   \
	".cfi_endproc\n"                                          \
	".size " name ", .-" name "\n"
__asm__(".text\n" SWITCH("run_plain", "") SWITCH("run_marked", ".cfi_signal_frame\n"));

typedef long function(long);
long run_plain(void *top, function *run, long arg);
long run_marked(void *top, function *run, long arg);

static long (*run_on)(void *, function *, long) = run_plain;
static char *top;

static NOINLINE long work_there(long n)
{
	TARGET_SPIN(20000);
	return n + 1;
}

static NOINLINE long on_other_stack(long n)
{
	return work_there(n) + 1;
}

static NOINLINE long request(long n)
{
	return run_on(top, on_other_stack, n) + 1;
}

static void *worker(void *unused UNUSED)
{
	while (!target_stop)
		(void)request(1);
	return NULL;
}

int main(int argc, char **argv)
{
	bool above = argc > 1 && !strcmp(argv[1], "above");
	pthread_attr_t attr;
	pthread_t t;
	char *area = mmap(NULL, 3 * STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (area == MAP_FAILED)
		return 1;
	if (argc > 2 && !strcmp(argv[2], "signal"))
		run_on = run_marked;
	top = area + (above ? 3 : 1) * STACK_SIZE;
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, area + (above ? 0 : 2 * STACK_SIZE), STACK_SIZE);
	target_ready();
	if (pthread_create(&t, &attr, worker, NULL))
		return 1;
	pthread_join(t, NULL);
	return 0;
}
