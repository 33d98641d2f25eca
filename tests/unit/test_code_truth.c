/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is found in code must be what its call frame information says, or nothing. The files are
 * those of the machine that the tests run on. `make check-rows` compares more of them, and larger
 * ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code_truth.h"
#include "unit.h"

static void print(const char *path, const char *how, const struct code_truth *t)
{
	printf("# %s, %s: %llu functions, %llu whose CFI contradicts their code; instructions: "
	       "%llu equal, %llu given up, %llu wrong, %llu with another frame pointer\n",
	       path, how, (unsigned long long)t->functions, (unsigned long long)t->contradicting,
	       (unsigned long long)t->equal, (unsigned long long)t->given_up,
	       (unsigned long long)t->wrong, (unsigned long long)t->wrong_fp);
	if (t->wrong + t->wrong_fp)
		printf("# such as at %llx\n", (unsigned long long)t->wrong_at);
}

/* At most `wrong` of a million instructions may be wrong. */
static void check_functions(const char *path, u64 wrong)
{
	struct code_truth t = code_truth_compare(path, CODE_KNOWS_FUNCTIONS);

	print(path, "functions known", &t);
	CHECK(t.wrong * 1000000 <= wrong * t.equal);
	CHECK_INT(t.wrong_fp, 0);
	CHECK(t.equal * 100 >= (t.equal + t.given_up) * 80);
	CHECK(t.contradicting * 100 <= t.functions);
}

/* Without an FDE, guesses have to be made where functions begin that nothing names. */
static void check_file(const char *path)
{
	struct code_truth t = code_truth_compare(path, CODE_KNOWS_SYMBOLS);

	print(path, "symbols known", &t);
	CHECK(t.wrong * 200 <= t.equal);
	CHECK(t.equal * 100 >= (t.equal + t.given_up) * 75);
}

TEST(code_truth, functions_of_libc_are_right_or_given_up)
{
	check_functions("/lib/x86_64-linux-gnu/libc.so.6", 0);
}

TEST(code_truth, functions_of_bash_are_right_or_given_up)
{
	check_functions("/bin/bash", 0);
}

TEST(code_truth, functions_of_libstdcxx_are_right_or_given_up)
{
	check_functions("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 0);
}

/* Where only the middle of each function is met, next to the same is found, and a function is not
 * followed again and again. */
static void check_met(const char *path)
{
	struct code_truth whole = code_truth_compare(path, CODE_KNOWS_SYMBOLS);
	struct code_truth met = code_truth_compare(path, CODE_IS_MET);

	print(path, "met", &met);
	CHECK(met.equal * 100 >= whole.equal * 95);
	CHECK((met.wrong + met.wrong_fp) * 200 <= met.equal);
	CHECK(met.decoded < 3 * (met.equal + met.given_up));
}

TEST(code_truth, functions_of_libc_that_are_met)
{
	check_met("/lib/x86_64-linux-gnu/libc.so.6");
}

TEST(code_truth, functions_of_bash_that_are_met)
{
	check_met("/bin/bash");
}

TEST(code_truth, libc_without_fdes_is_mostly_found)
{
	check_file("/lib/x86_64-linux-gnu/libc.so.6");
}

TEST(code_truth, bash_without_fdes_is_mostly_found)
{
	check_file("/bin/bash");
}

/*
 * A list of files, for `make check-rows`. In libLLVM, 7 of 11.7 million instructions are wrong.
 * They are in one function, where a table's end is not known, because the compiler knew all values
 * of the switch. An entry behind its end is taken for one of its own, and leads into the middle of
 * an instruction that nothing else has reached, from which there is code that makes sense.
 */
TEST(code_truth, functions_of_other_files_are_right_or_given_up)
{
	const char *list = getenv("CODE_TRUTH_FILES");
	char *copy = strdup(list ? list : "/lib/x86_64-linux-gnu/libm.so.6"), *left = copy;

	CHECK(copy);
	for (char *path; (path = strsep(&left, " "));)
		if (*path)
			check_functions(path, 1);
	free(copy);
}
