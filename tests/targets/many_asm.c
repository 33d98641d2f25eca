/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has 2 MiB of functions in assembly without call frame information, beside as many that have some,
 * and runs 250 of them, each for a moment and then all of them again and again. Each is called
 * below a frame with an array of which hardly anything is used, as encoders of video have it, so
 * pages between the frames are not there.
 */
#include "target.h"

#define FUNCTIONS 131072
#define USED 250
#define FUNCTION_BYTES 16
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

#define BODY               \
	"	push %rbx\n"     \
	"	sub $16, %rsp\n" \
	"	call *%rsi\n"    \
	"	add $16, %rsp\n" \
	"	pop %rbx\n"      \
	"	ret\n"

extern const char many[]; /* FUNCTIONS functions, each of FUNCTION_BYTES */

__asm__(".text\n"
	".p2align 4\n"
	".type with_cfi, @function\n"
	"with_cfi:\n"
	".rept " TEXT(FUNCTIONS) "\n"
				 "	.cfi_startproc\n"
				 "	ret\n"
				 "	.p2align 4\n"
				 "	.cfi_endproc\n"
				 ".endr\n"
				 ".size with_cfi, .-with_cfi\n"
				 "many:\n"
				 ".rept " TEXT(FUNCTIONS) "\n" BODY "	.p2align 4\n"
							  ".endr\n"
							  /* Their addresses are in the data. */
							  ".data\n"
							  ".p2align 3\n"
							  ".set at, 0\n"
							  ".rept " TEXT(
								  FUNCTIONS) "\n"
									     "	.quad many + at\n"
									     ".set at, at + 16\n"
									     ".endr\n"
									     ".text\n");

NOINLINE void many_bottom(long iterations)
{
	TARGET_SPIN(iterations);
	NO_TAIL_CALL();
}

NOINLINE void many_large(long iterations, const char *function)
{
	char unused[24576];

	__asm__ volatile("" : : "r"(unused) : "memory");
	((void (*)(long, void (*)(long)))(unsigned long)function)(iterations, many_bottom);
	__asm__ volatile("" : : "r"(unused) : "memory");
}

static void run(long iterations)
{
	for (long i = 0; i < USED && !target_stop; i++)
		many_large(iterations, many + (i * 509 + 100) % FUNCTIONS * FUNCTION_BYTES);
}

int main(void)
{
	target_ready();
	for (int i = 0; i < 20 && !target_stop; i++) /* so that all are seen within a second */
		run(200000);
	while (!target_stop)
		run(1000000);
	return 0;
}
