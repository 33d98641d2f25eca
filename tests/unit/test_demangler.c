/* SPDX-License-Identifier: Apache-2.0 */
/* Names that would keep libiberty busy forever, or make it fill the memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "symbol/demangle.h"
#include "symbol/demangler.h"
#include "unit.h"

static void substitution(char *out, size_t size, int n)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (n < 36)
		snprintf(out, size, "S%c_", digits[n]);
	else
		snprintf(out, size, "S%c%c_", digits[n / 36], digits[n % 36]);
}

/* f<(C<A, B<A, A>, B<B<A, A>, B<A, A>>, ...>)...>: a search for packs goes into each pair twice. */
static void write_pack(char *out, size_t size, int levels)
{
	size_t len = (size_t)snprintf(out, size, "_Z1fIDp1CI1A1BIS1_S1_E");

	for (int i = 0; i < levels; i++) {
		char part[8];

		substitution(part, sizeof(part), 3 + i);
		len += (size_t)snprintf(out + len, size - len, "S2_I%s%sE", part, part);
	}
	snprintf(out + len, size - len, "EEvv");
}

/* A tuple of two tuples of two tuples..., the second one each time a reference to the first. */
static void write_tuples(char *out, size_t size, int levels)
{
	size_t len = (size_t)snprintf(out, size, "_D1a1fF"), start = len;

	for (int i = 0; i < levels; i++)
		len += (size_t)snprintf(out + len, size - len, "B2");
	len += (size_t)snprintf(out + len, size - len, "i");
	for (int i = levels; i > 0; i--) {
		size_t back = len - (start + 2 * (size_t)i);

		len += (size_t)snprintf(out + len, size - len, "Q");
		if (back >= 26)
			len += (size_t)snprintf(out + len, size - len, "%c",
						'A' + (char)(back / 26));
		len += (size_t)snprintf(out + len, size - len, "%c", 'a' + (char)(back % 26));
	}
	snprintf(out + len, size - len, "Zv");
}

/* Each "F" may continue the class before it, or begin another type. */
static void write_choices(char *out, size_t size, int levels)
{
	size_t len = (size_t)snprintf(out, size, "_D1a1fF");

	for (int i = 0; i < levels; i++)
		len += (size_t)snprintf(out + len, size - len, "C1aF");
	snprintf(out + len, size - len, "Zv");
}

static void check_same(struct demangler *d, const char *raw)
{
	bool gave_up;
	char *here = demangle_name(raw), *there = demangler_name(d, raw, &gave_up);

	CHECK(!gave_up);
	CHECK_STR(there, here);
	free(here);
	free(there);
}

static void check_given_up(struct demangler *d, const char *raw)
{
	bool gave_up = false;

	CHECK(demangler_is_costly(raw));
	CHECK(!demangler_name(d, raw, &gave_up));
	CHECK(gave_up);
}

TEST(demangler, names_are_those_of_demangle_name)
{
	struct demangler *d;
	char raw[512];

	CHECK_INT(demangler_new(&d), 0);
	check_same(d, "main");
	check_same(d, "_ZN4shop5priceEi");
	CHECK(!demangler_is_costly("_ZN4shop5priceEi"));
	CHECK(!demangler_is_costly("_ZNSt6vectorIiSaIiEE9push_backEOi"));
	write_pack(raw, sizeof(raw), 6);
	CHECK(demangler_is_costly(raw));
	check_same(d, raw);
	write_tuples(raw, sizeof(raw), 4);
	CHECK(demangler_is_costly(raw));
	check_same(d, raw);
	check_same(d, "_D1a1fFZv.part.0");
	/* libiberty leaks a piece of memory here. */
	CHECK(demangler_is_costly("_RINTCu3std0mimemmmmmmB_"));
	check_same(d, "_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y");
	demangler_free(d);
}

TEST(demangler, endless_names_are_given_up)
{
	struct rusage children;
	struct demangler *d;
	char raw[2048];

	CHECK_INT(demangler_new(&d), 0);
	write_pack(raw, sizeof(raw), 60);
	check_given_up(d, raw);
	write_tuples(raw, sizeof(raw), 60);
	check_given_up(d, raw);
	write_choices(raw, sizeof(raw), 100);
	check_given_up(d, raw);
	/* The following names are demangled. */
	write_pack(raw, sizeof(raw), 6);
	check_same(d, raw);
	demangler_free(d);
	getrusage(RUSAGE_CHILDREN, &children);
	CHECK(children.ru_utime.tv_sec < 5);
	CHECK(children.ru_maxrss < 1 << 20); /* KiB */
}

TEST(demangler, many_endless_names_cost_seconds)
{
	struct rusage children;
	struct demangler *d;
	char raw[2048];

	CHECK_INT(demangler_new(&d), 0);
	for (int i = 0; i < 300; i++) {
		write_pack(raw, sizeof(raw), 50 + i % 30);
		check_given_up(d, raw);
	}
	write_tuples(raw, sizeof(raw), 4);
	check_given_up(d, raw);
	demangler_free(d);
	getrusage(RUSAGE_CHILDREN, &children);
	CHECK(children.ru_utime.tv_sec + children.ru_stime.tv_sec < 8);
}

/* libiberty by itself refuses C++ names of more than a kilobyte, as too deep. */
TEST(demangler, long_names)
{
	enum { PARTS = 1000 };
	static char raw[PARTS * 12 + 8], want[PARTS * 12];
	size_t in = 0, out = 0;
	struct demangler *d;
	bool gave_up;
	char *name;

	in += (size_t)sprintf(raw, "_ZN");
	for (int i = 0; i < PARTS; i++) {
		in += (size_t)sprintf(raw + in, "9part_%04d", i);
		out += (size_t)sprintf(want + out, "%spart_%04d", i ? "::" : "", i);
	}
	sprintf(raw + in, "Ev");
	CHECK_INT(demangler_new(&d), 0);
	name = demangler_name(d, raw, &gave_up);
	CHECK(!gave_up);
	CHECK_STR(name, want);
	CHECK_INT(strlen(name), PARTS * 11 - 2);
	free(name);
	demangler_free(d);
}

/* Each level of a pointer takes a frame of the stack. */
TEST(demangler, deep_names_end)
{
	static char raw[60000];
	struct demangler *d;
	bool gave_up;
	char *name;

	memset(raw, 'P', sizeof(raw) - 1);
	memcpy(raw, "_Z1f", 4);
	raw[sizeof(raw) - 2] = 'i';
	CHECK_INT(demangler_new(&d), 0);
	name = demangler_name(d, raw, &gave_up);
	CHECK(gave_up || !strcmp(name, "f"));
	free(name);
	demangler_free(d);
}
