/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options: what each type accepts, and what it says about the rest. */
#include "unit.h"

#include <errno.h>

#include "base/option.h"

struct sample {
	bool on, off;
	u32 count, number;
	u64 bytes;
	int choice;
	const char *text;
};

#define ROW(type_, member_, ...)                                                                \
	{                                                                                       \
		.type = OPTION_##type_, .offset = offsetof(struct sample, member_), __VA_ARGS__ \
	}

TEST(option, durations)
{
	static const struct {
		const char *text;
		u64 ns;
	} right[] = {
		{"0", 0},
		{"5", 5000000000},
		{"5s", 5000000000},
		{"500ms", 500000000},
		{"2m", 120000000000},
		{"1h", 3600000000000},
		{"0.5", 500000000},
		{"1.5m", 90000000000},
		{"366m", 21960000000000},
	};
	static const char *const wrong[] = {"",
					    "s",
					    "5x",
					    "-5",
					    "+5",
					    " 5",
					    "5 s",
					    "5s5",
					    "0x5",
					    "1e3",
					    "1.",
					    ".5",
					    "1..5",
					    "5ss",
					    "9999999999999999999999",
					    "18446744073709551616",
					    "8785h",
					    "5S",
					    "1.0000000001",
					    "inf",
					    "nan"};
	u64 ns;

	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		CHECK(duration_parse(right[i].text, &ns));
		CHECK_INT(ns, right[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (duration_parse(wrong[i], &ns))
			unit_fail(__FILE__, __LINE__, "\"%s\" was taken for %llu ns", wrong[i],
				  (unsigned long long)ns);
	}
}

TEST(option, numbers_keep_to_their_range)
{
	const struct option_row row =
		ROW(NUMBER, number, .min = 2, .max = 5, .expects = "a number from 2 to 5");
	static const char *const wrong[] = {"1", "6", "", "3x", " 3", "-3", "99999999999999999999"};
	struct sample s = {.number = 77};
	struct error err = {0};

	CHECK_INT(option_set(&row, &s, "2", &err), 0);
	CHECK_INT(s.number, 2);
	CHECK_INT(option_set(&row, &s, "5", &err), 0);
	CHECK_INT(s.number, 5);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK_INT(option_set(&row, &s, wrong[i], &err), -EINVAL);
	CHECK_INT(s.number, 5);
	CHECK_STR(err.text, "\"99999999999999999999\" is not a number from 2 to 5");
}

TEST(option, bytes_take_units)
{
	const struct option_row row =
		ROW(BYTES, bytes, .min = 1, .max = 1ull << 40, .expects = "a size");
	static const char *const wrong[] = {"0", "1025G", "1T", "1kk", "k", "1.5M"};
	struct sample s = {0};
	struct error err = {0};

	CHECK_INT(option_set(&row, &s, "7", &err), 0);
	CHECK_INT(s.bytes, 7);
	CHECK_INT(option_set(&row, &s, "512k", &err), 0);
	CHECK_INT(s.bytes, 512 << 10);
	CHECK_INT(option_set(&row, &s, "1024G", &err), 0);
	CHECK_INT(s.bytes, 1ll << 40);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK_INT(option_set(&row, &s, wrong[i], &err), -EINVAL);
}

TEST(option, choices_count_from_the_first)
{
	const struct option_row row =
		ROW(CHOICE, choice, .value = "one|two|three", .min = 10, .expects = "word");
	struct sample s = {0};
	struct error err = {0};

	CHECK_INT(option_set(&row, &s, "three", &err), 0);
	CHECK_INT(s.choice, 12);
	CHECK_INT(option_set(&row, &s, "tw", &err), -EINVAL);
	CHECK_INT(option_set(&row, &s, "", &err), -EINVAL);
	CHECK_STR(err.text, "unknown word \"\": one of one, two, three");
}

TEST(option, flags_counts_and_texts)
{
	const struct option_row on = ROW(ON, on), off = ROW(OFF, off), count = ROW(COUNT, count),
				text = ROW(TEXT, text, .min = 1, .expects = "it needs a name");
	struct sample s = {.off = true};
	struct error err = {0};

	CHECK(!option_set(&on, &s, NULL, &err) && !option_set(&off, &s, NULL, &err));
	CHECK(s.on && !s.off);
	CHECK(!option_set(&count, &s, NULL, &err) && !option_set(&count, &s, NULL, &err));
	CHECK_INT(s.count, 2);
	CHECK_INT(option_set(&text, &s, "x", &err), 0);
	CHECK_STR(s.text, "x");
	CHECK_INT(option_set(&text, &s, "", &err), -EINVAL);
	CHECK_STR(err.text, "it needs a name");
}
