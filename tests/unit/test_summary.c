/* SPDX-License-Identifier: Apache-2.0 */
/* The closing lines for given counts, word by word. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../cmd/summary.h"
#include "collect/heap/heap_summary.h"
#include "record/losses.h"
#include "fixture.h"
#include "unit.h"

struct bench {
	struct collect_stats stats;
	struct symbolize_stats names;
	struct options options;
	struct lines kind;
	char *text; /* what was printed */
	char *lines[8];
	size_t nlines;
};

static int redirect_stderr(void)
{
	int saved = dup(STDERR_FILENO), fd;

	fd = open(fixture_path("said"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(saved >= 0 && fd >= 0);
	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	return saved;
}

static void split(struct bench *b, char *text, size_t len)
{
	char *save = NULL;

	b->text = calloc(1, len + 1);
	CHECK(b->text);
	memcpy(b->text, text, len);
	for (char *line = strtok_r(b->text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		CHECK(b->nlines < ARRAY_LEN(b->lines));
		b->lines[b->nlines++] = line;
	}
}

static void print(struct bench *b)
{
	struct summary sum = {.stats = &b->stats,
			      .names = &b->names,
			      .kind = &b->kind,
			      .elapsed_ns = 2460000000,
			      .frequency = 499};
	struct terminal term;
	size_t len;
	char *text;
	int saved;

	fixture_dir();
	saved = redirect_stderr();
	b->options.color = OPTION_COLOR_NEVER;
	terminal_init(&term, &b->options);
	summary_print(&term, &sum);
	fflush(stderr);
	CHECK(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	text = (char *)fixture_read(fixture_path("said"), &len);
	split(b, text, len);
	free(text);
}

TEST(summary, losses_are_summed_and_named)
{
	struct collect_stats s = {0}, one = {0}, none = {.samples = 7};
	char out[LOSSES_SIZE];

	collect_stats_lose(&s, "ring buffer full", 10);
	collect_stats_lose(&s, "nothing at all", 0);
	collect_stats_lose(&s, "interrupted another sample", 3);
	losses_text(&s, out, sizeof(out));
	CHECK_STR(out, "13 (ring buffer full 10, interrupted another sample 3)");
	collect_stats_lose(&s, "count table full", UINT64_MAX - 13);
	losses_text(&s, out, sizeof(out));
	CHECK_STR(out, "18446744073709551615 (ring buffer full 10, interrupted another sample 3, "
		       "count table full 18446744073709551602)");
	collect_stats_lose(&one, "count table full", 1);
	losses_text(&one, out, sizeof(out));
	CHECK_STR(out, "1 (count table full 1)");
	losses_text(&none, out, sizeof(out));
	CHECK_STR(out, "0");
	losses_text(&s, out, 8);
	CHECK_INT(strlen(out), 7);
}

TEST(summary, all_whole_takes_two_lines)
{
	struct bench b = {.stats = {.samples = 1227, .ends = {[STACK_WHOLE] = 1227}},
			  .names = {.addresses = 80, .named = 79}};
	long mb;
	double cpu;

	print(&b);
	CHECK_INT(b.nlines, 2);
	CHECK_STR(b.lines[0], "cprof: 1227 samples in 2.5 s at 499 Hz; lost 0; 100.0% of stacks "
			      "whole; 98.8% of 80 addresses named");
	CHECK_INT(sscanf(b.lines[1], "cprof: cost: %lf s of CPU, %ld MB of memory", &cpu, &mb), 2);
	CHECK(mb > 0 && cpu >= 0);
	CHECK(!strstr(b.lines[1], "per sample"));
	free(b.text);
}

TEST(summary, cuts_are_listed_and_displace_the_note)
{
	struct bench b = {
		.stats = {.samples = 1000,
			  .losses = {{"ring buffer full", 2}},
			  .nlosses = 1,
			  .kernel_ns = 2500000,
			  .ends = {[STACK_WHOLE] = 990, [STACK_TOO_DEEP] = 4, [STACK_NO_ROW] = 6}},
		.names = {.addresses = 3, .named = 2, .note = "install more"}};
	char *cost;

	print(&b);
	CHECK_INT(b.nlines, 3);
	CHECK_STR(b.lines[0], "cprof: 1000 samples in 2.5 s at 499 Hz; lost 2 (ring buffer full "
			      "2); 99.0% of stacks whole; 66.7% of 3 addresses named");
	CHECK_STR(b.lines[1], "cprof: cut stacks: deeper than 1024 frames 4, no unwind row for the "
			      "address 6");
	cost = strstr(b.lines[2], " of memory");
	CHECK_STR(cost, " of memory, 2.5 us per sample in the kernel");
	free(b.text);
}

TEST(summary, the_note_takes_the_free_line)
{
	struct bench b = {.stats = {.samples = 1, .ends = {[STACK_WHOLE] = 1}},
			  .names = {.addresses = 1, .note = "debug symbols: install libc6-dbg"}};

	print(&b);
	CHECK_INT(b.nlines, 3);
	CHECK_STR(b.lines[1], "cprof: debug symbols: install libc6-dbg");
	free(b.text);
}

TEST(summary, lines_of_the_kind_displace_the_note)
{
	struct bench b = {.stats = {.samples = 1, .ends = {[STACK_WHOLE] = 1}},
			  .names = {.addresses = 1, .note = "debug symbols: install libc6-dbg"}};
	const struct heap_stats heap = {.allocs = 10,
					.frees = 4,
					.probes = 6,
					.slowdown = 0.0312,
					.unknown = 0.25,
					.dropped = 2,
					.declined = 1};

	heap_summary(&(struct heap_stats){0}, &b.kind);
	CHECK_INT(b.kind.text.len, 0);
	heap_summary(&heap, &b.kind);
	print(&b);
	CHECK_INT(b.nlines, 4);
	CHECK_STR(b.lines[1],
		  "cprof: 10 allocations, 4 frees (25.0% of blocks allocated before), 6 probes: "
		  "they slowed the target by about 3.1%; 2 sampled blocks lost: --max-live "
		  "reached");
	CHECK_STR(b.lines[2],
		  "cprof: 1 allocations were left out: the thread had not returned from "
		  "another one, on another stack");
	lines_release(&b.kind);
	free(b.text);
}

TEST(summary, nothing_sampled_divides_by_nothing)
{
	struct bench b = {.stats = {.kernel_ns = 5}};

	print(&b);
	CHECK_INT(b.nlines, 2);
	CHECK_STR(b.lines[0], "cprof: 0 samples in 2.5 s at 499 Hz; lost 0; 100.0% of stacks "
			      "whole; 100.0% of 0 addresses named");
	free(b.text);
}

TEST(summary, every_reason_at_its_longest_fits_a_line)
{
	struct bench b = {.stats = {.samples = 1}};

	for (u32 i = 0; i < STACK_END_COUNT; i++)
		b.stats.ends[i] = 999999;
	print(&b);
	CHECK_INT(b.nlines, 3);
	CHECK_STR(b.lines[1] + strlen(b.lines[1]) - strlen("in the middle of a stack 999999"),
		  "in the middle of a stack 999999");
	free(b.text);
}

TEST(summary, hidden_kernel_names_are_a_warning)
{
	struct bench b = {.stats = {.samples = 1}, .names = {.kernel_hidden = 9}};

	print(&b);
	CHECK_INT(b.nlines, 3);
	CHECK_STR(b.lines[1],
		  "cprof: warning: kernel functions have no names: kernel.kptr_restrict "
		  "hides them (sysctl kernel.kptr_restrict=0)");
	free(b.text);
}

TEST(summary, quiet_says_nothing)
{
	struct bench b = {.stats = {.samples = 1, .ends = {[STACK_NO_ROW] = 1}},
			  .names = {.kernel_hidden = 1, .note = "n"},
			  .options = {.quiet = true}};

	print(&b);
	CHECK_INT(b.nlines, 0);
	free(b.text);
}
