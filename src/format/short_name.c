/* SPDX-License-Identifier: Apache-2.0 */
/* Shortens names for tables: see short_name.h. */
#include "format/short_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/utf8.h"

#define DOTS "..."

/*
 * Finds the '(' of a parameter list that ends the name, perhaps before qualifiers ("const", "&&",
 * "[clone ...]"). It is NULL for `(anonymous namespace)::f` and Go's `main.(*T).Method`, where the
 * name continues.
 */
static char *parameters(char *name)
{
	char *close = strrchr(name, ')'), *at = close;
	int depth = 0;

	if (!close || (close[1] && close[1] != ' ' && close[1] != '&' && close[1] != '['))
		return NULL;
	for (; at >= name; at--) {
		depth += (*at == ')') - (*at == '(');
		if (!depth)
			break;
	}
	if (at <= name || !strncmp(at + 1, "anonymous namespace", 19))
		return NULL;
	/* In operator() without a parameter list, the parentheses are part of the name. */
	if (at - name >= 8 && !strncmp(at - 8, "operator", 8) && at + 1 == close)
		return NULL;
	return at;
}

static void drop_parameters(char *name)
{
	char *open = parameters(name);

	if (open)
		*open = '\0';
}

/* Returns whether the '<' at `at` opens arguments, which it does after an identifier or "::", but
 * not in operator<. */
static bool opens_arguments(const char *name, const char *at)
{
	static const char op[] = "operator";
	const size_t len = sizeof(op) - 1;

	if (at == name || (!isalnum((unsigned char)at[-1]) && at[-1] != '_' && at[-1] != ':'))
		return false;
	return (size_t)(at - name) < len || strncmp(at - len, op, len) != 0;
}

/* Returns the '>' that closes the '<' at `at`; NULL if the name is not balanced. */
static const char *closing(const char *at)
{
	int depth = 0;

	for (; *at; at++) {
		if (*at == '<')
			depth++;
		else if (*at == '>' && at[-1] != '-' && !--depth)
			return at;
	}
	return NULL;
}

static void drop_arguments(char *name)
{
	char *to = name;
	const char *from = name;

	while (*from) {
		const char *end = *from == '<' && opens_arguments(name, to) ? closing(from) : NULL;

		if (end && end - from > (ptrdiff_t)sizeof(DOTS)) {
			memcpy(to, "<" DOTS ">", sizeof(DOTS) + 1);
			to += sizeof(DOTS) + 1;
			from = end + 1;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* Returns the position after the first "::" that is outside of any brackets and has a qualifier
 * before it; NULL if there is none. */
static char *past_qualifier(char *name)
{
	int depth = 0;

	for (char *at = name; *at; at++) {
		if (*at == '<' || *at == '(' || *at == '{')
			depth++;
		else if (*at == '>' || *at == ')' || *at == '}')
			depth--;
		else if (*at == ' ' && !depth)
			return NULL; /* "operator bool" and "f() const" are not plain paths */
		else if (!depth && at[0] == ':' && at[1] == ':')
			return at > name && at[2] ? at + 2 : NULL;
	}
	return NULL;
}

/* Removes leading namespaces, as long as the function keeps one qualifier, which is its class. */
static void drop_namespaces(char *name, size_t columns)
{
	char *kept = name, *next = past_qualifier(name);

	while (next && utf8_length(kept) > columns && past_qualifier(next)) {
		kept = next;
		next = past_qualifier(kept);
	}
	memmove(name, kept, strlen(kept) + 1);
}

static char *character(char *s, size_t number)
{
	while (*s && number--)
		s += utf8_char(s) ? utf8_char(s) : 1;
	return s;
}

/* It keeps more of the end than of the beginning, because the function's own name is at the end. */
static void drop_middle(char *name, size_t columns)
{
	size_t dots = sizeof(DOTS) - 1, len = utf8_length(name), head, tail;
	char *cut, *rest;

	if (len <= columns)
		return;
	if (columns <= dots + 2) {
		*character(name, columns) = '\0';
		return;
	}
	head = (columns - dots) / 3;
	tail = columns - dots - head;
	cut = character(name, head);
	rest = character(name, len - tail);
	memmove(cut + dots, rest, strlen(rest) + 1);
	memcpy(cut, DOTS, dots);
}

void short_name(const char *name, size_t columns, char *out, size_t size)
{
	escape_text(name, out, size);
	if (!columns || utf8_length(out) <= columns)
		return;
	drop_parameters(out);
	if (utf8_length(out) > columns)
		drop_arguments(out);
	drop_namespaces(out, columns);
	drop_middle(out, columns);
}
