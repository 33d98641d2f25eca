/* SPDX-License-Identifier: Apache-2.0 */
/* Asks cprof for probes: see question.h. */
#include "question.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arch/preload.h"
#include "base/sampler_question.h"

#define STEP_NS 200000
#define UNANSWERED_MAX 3 /* whoever listens is not the cprof that has started this program */

extern HIDDEN arch_probe_code question_bypassed_at, question_exec_at, question_spawn_at;

static struct {
	uint64_t magic;
	_Atomic uint64_t asked, answered;
} answers = {.magic = SAMPLER_MAGIC};
_Static_assert(sizeof(answers) == sizeof(struct sampler_answers), "cprof writes into it");

static bool asks;
static _Atomic uint32_t unanswered;

void question_init(void)
{
	asks = getenv("CPROF_HEAP_ASK") && !arch_is_on_valgrind();
}

static bool is_heard(arch_probe_code at)
{
	return asks && !arch_probe_is_idle(at) &&
	       atomic_load_explicit(&unanswered, memory_order_relaxed) < UNANSWERED_MAX;
}

bool question_is_heard(void)
{
	return is_heard(question_exec_at);
}

static uint64_t next_number(void)
{
	return atomic_fetch_add_explicit(&answers.asked, 1, memory_order_relaxed) + 1;
}

static bool is_answered(uint64_t number)
{
	return atomic_load_explicit(&answers.answered, memory_order_acquire) >= number;
}

static uint64_t now_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* nanosleep(3) would be a point at which the thread may be cancelled. */
static bool sleep_a_little(void)
{
	const struct timespec step = {.tv_nsec = STEP_NS};

	return !syscall(SYS_nanosleep, &step, NULL) || errno == EINTR;
}

static void await(uint64_t number, arch_probe_code at)
{
	const uint64_t began = now_ns();

	while (!is_answered(number)) {
		if (arch_probe_is_idle(at))
			return;
		if (now_ns() - began > SAMPLER_WAIT_NS || !sleep_a_little()) {
			atomic_fetch_add_explicit(&unanswered, 1, memory_order_relaxed);
			return;
		}
	}
	atomic_store_explicit(&unanswered, 0, memory_order_relaxed);
}

static uint64_t file_argument(int fd, bool dynamic)
{
	return (uint32_t)fd | (dynamic ? SAMPLER_FILE_DYNAMIC : 0);
}

RARE void question_bypassed(void)
{
	int saved = errno;
	uint64_t number;

	if (!is_heard(question_bypassed_at))
		return;
	number = next_number();
	PROBE3_AT(question_bypassed_at, "cprof_heap", "bypassed", (uintptr_t)&answers, number, 0);
	await(number, question_bypassed_at);
	errno = saved;
}

RARE void question_exec(int fd, bool dynamic)
{
	int saved = errno;
	uint64_t number = next_number();

	PROBE3_AT(question_exec_at, "cprof_heap", "exec", (uintptr_t)&answers, number,
		  file_argument(fd, dynamic));
	await(number, question_exec_at);
	errno = saved;
}

RARE void question_spawn(int fd, bool dynamic)
{
	int saved = errno;
	uint64_t number = next_number();

	PROBE3_AT(question_spawn_at, "cprof_heap", "spawn", (uintptr_t)&answers, number,
		  file_argument(fd, dynamic));
	await(number, question_spawn_at);
	errno = saved;
}
