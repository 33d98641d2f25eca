/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests: write TEST(area, what_is_expected) { ... CHECK(...); } in any file of this directory.
 * Each case runs in a separate process, so that a crash is one failed case and not the end of the
 * run.
 */
#ifndef CPROF_TESTS_UNIT_H
#define CPROF_TESTS_UNIT_H

#include <stdbool.h>
#include <stddef.h>

/* Says whether a sanitizer checks the program, as gcc and clang define it. */
#if defined(__SANITIZE_ADDRESS__)
#define UNIT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_SANITIZED 1
#endif
#endif

struct unit_case {
	const char *area, *name;
	void (*run)(void);
};

#define TEST(area_, name_)                                                               \
	static void test_##area_##_##name_(void);                                        \
	static const struct unit_case case_##area_##_##name_ = {#area_, #name_,          \
								test_##area_##_##name_}; \
	static const struct unit_case *const entry_##area_##_##name_                     \
		__attribute__((used, section("unit_cases"))) = &case_##area_##_##name_;  \
	static void test_##area_##_##name_(void)

/* Fails the case, with the place; it never returns. */
void unit_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
/* Ends the case as skipped, with the reason. */
void unit_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

void unit_check_int(const char *file, int line, const char *what, long long have, long long want);
void unit_check_str(const char *file, int line, const char *what, const char *have,
		    const char *want);

#define CHECK(condition)                                                           \
	do {                                                                       \
		if (!(condition))                                                  \
			unit_fail(__FILE__, __LINE__, "not true: %s", #condition); \
	} while (0)
#define CHECK_INT(have, want) \
	unit_check_int(__FILE__, __LINE__, #have, (long long)(have), (long long)(want))
#define CHECK_STR(have, want) unit_check_str(__FILE__, __LINE__, #have, have, want)

#endif
