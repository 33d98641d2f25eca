/* SPDX-License-Identifier: Apache-2.0 */
/* bench_rows FILE [RUNS] measures how fast a file's call frame information becomes rows, in the
 * median run. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "unwind/rows.h"

#define RUNS_MAX 101

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Does one run from the open file to finished tables. Returns the number of rows, or a negative
 * errno. */
static long build(int fd, struct rule_set *set)
{
	struct elf_file *f = NULL;
	struct rows *rows = NULL;
	long n;
	int err = elf_file_open(fd, &f);

	if (!err)
		err = rows_build(f, NULL, set, &rows);
	n = err ? err : (long)rows->nrows;
	rows_free(rows);
	elf_file_free(f);
	return n;
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[2]) : 5, fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	struct unwind_rule *rules = calloc(UNWIND_MAX_RULES, sizeof(*rules));
	double seconds[RUNS_MAX];
	struct rule_set *set;
	struct rusage usage;
	long rows = 0;

	if (fd < 0 || !rules || runs < 1 || runs > RUNS_MAX) {
		fprintf(stderr, "usage: bench_rows FILE [RUNS]\n");
		return 2;
	}
	for (int i = 0; i < runs && rows >= 0; i++) {
		double begin;

		memset(rules, 0, UNWIND_MAX_RULES * sizeof(*rules));
		if (rule_set_new(rules, UNWIND_MAX_RULES, &set))
			return 1;
		begin = now();
		rows = build(fd, set);
		seconds[i] = now() - begin;
		rule_set_free(set);
	}
	if (rows < 0) {
		fprintf(stderr, "bench_rows: %s: %s\n", argv[1], strerror((int)-rows));
		return 1;
	}
	qsort(seconds, (size_t)runs, sizeof(*seconds), by_value);
	getrusage(RUSAGE_SELF, &usage);
	printf("  %-28s %9ld rows in %.3f s: %.2f million rows/s, peak %ld MB\n",
	       strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1], rows, seconds[runs / 2],
	       (double)rows / seconds[runs / 2] / 1e6, usage.ru_maxrss / 1024);
	close(fd);
	free(rules);
	return 0;
}
