/* SPDX-License-Identifier: Apache-2.0 */
/* Turns linkage names into names as written in the source, within bounds of time and size. */
#include "symbol/demangle.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

struct output {
	jmp_buf full; /* the only way to leave libiberty before it has finished */
	size_t len;
	char text[DEMANGLE_MAX_OUTPUT];
};

static void output_add(const char *text, size_t len, void *arg)
{
	struct output *out = arg;

	if (len >= sizeof(out->text) - out->len)
		longjmp(out->full, 1);
	if (len)
		memcpy(out->text + out->len, text, len);
	out->len += len;
}

/*
 * Rust's v0 names count the lifetimes of a "for<...>" in base 62 ("FG" or "DG", digits, "_").
 * libiberty iterates over all of them even if it prints none, so 11 digits would take 60 years. No
 * program has 62 of them.
 */
static bool counts_too_far(const char *raw)
{
	for (const char *at = strchr(raw, 'G'); at; at = strchr(at + 1, 'G')) {
		size_t digits = 0;

		if (at == raw || (at[-1] != 'F' && at[-1] != 'D'))
			continue;
		while (isalnum((unsigned char)at[1 + digits]))
			digits++;
		if (digits > 1 && at[1 + digits] == '_')
			return true;
	}
	return false;
}

/* The callback forms of libiberty keep their state on the stack, so leaving them early is safe. */
static bool demangle_into(struct output *out, const char *raw, int limit)
{
	if (setjmp(out->full))
		return false;
	out->len = 0;
	if (!strncmp(raw, "_R", 2) && counts_too_far(raw))
		return false;
	if (rust_demangle_callback(raw, DMGL_ANSI, output_add, out))
		return true;
	out->len = 0;
	return cplus_demangle_v3_callback(raw, DMGL_ANSI | limit, output_add, out);
}

static char *demangle_d(const char *raw)
{
	char *name = dlang_demangle(raw, DMGL_ANSI);

	if (name && strlen(name) >= DEMANGLE_MAX_OUTPUT) {
		free(name);
		return NULL;
	}
	return name;
}

bool demangle_is_mangled(const char *raw)
{
	return !strncmp(raw, "_Z", 2) || !strncmp(raw, "_R", 2) || !strncmp(raw, "_D", 2);
}

static size_t digits_before(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[len - 1 - n] >= '0' && text[len - 1 - n] <= '9')
		n++;
	return n;
}

static bool ends_with(const char *text, size_t len, const char *tail)
{
	size_t n = strlen(tail);

	return len > n && !memcmp(text + len - n, tail, n);
}

/* Returns the length of `raw` without one suffix that gcc or LLVM gives to clones; `len` if there
 * is none. */
static size_t without_clone_suffix(const char *raw, size_t len)
{
	static const char *const numbered[] = {".part.",     ".isra.", ".constprop.",
					       ".lto_priv.", ".cold.", ".llvm."};
	static const char *const plain[] = {".cold", ".localalias"};
	size_t stem = len - digits_before(raw, len);

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (ends_with(raw, len, plain[i]))
			return len - strlen(plain[i]);
	}
	for (size_t i = 0; stem < len && i < ARRAY_LEN(numbered); i++) {
		if (ends_with(raw, stem, numbered[i]))
			return stem - strlen(numbered[i]);
	}
	return len;
}

static char *strip_clone(const char *raw)
{
	size_t full = strlen(raw), len = full, shorter;

	while ((shorter = without_clone_suffix(raw, len)) < len)
		len = shorter;
	return len < full ? strndup(raw, len) : NULL;
}

/* `limit` is 0, or DMGL_NO_RECURSE_LIMIT to accept C++ names of more than a kilobyte. */
static char *demangle_with(const char *raw, int limit)
{
	char *base, *name = NULL;
	struct output out;

	if (strnlen(raw, DEMANGLE_MAX_INPUT) == DEMANGLE_MAX_INPUT)
		return NULL;
	base = strip_clone(raw);
	if (!demangle_is_mangled(raw))
		return base;
	if (raw[1] == 'D')
		name = demangle_d(base ? base : raw);
	else if (demangle_into(&out, base ? base : raw, limit) && out.len)
		name = strndup(out.text, out.len);
	if (!name)
		return base;
	free(base);
	return name;
}

char *demangle_name(const char *raw)
{
	return demangle_with(raw, 0);
}

char *demangle_long_name(const char *raw)
{
	return demangle_with(raw, DMGL_NO_RECURSE_LIMIT);
}
