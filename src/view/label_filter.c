/* SPDX-License-Identifier: Apache-2.0 */
/* Selects samples by their labels: see label_filter.h. */
#include "view/label_filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/expression.h"

static string_id find_string(const struct profile *p, const char *text, size_t len)
{
	for (size_t i = 0; i < p->strings.len; i++) {
		if (!strncmp(p->strings.data[i], text, len) && !p->strings.data[i][len])
			return (string_id)i;
	}
	return UINT32_MAX;
}

static int compile(struct label_filter *f, const char *option, struct error *err)
{
	char whole[EXPRESSION_MAX + 8], reason[128];
	const char *text = f->pattern;
	int code;

	if (!f->found_anywhere) {
		/* Anything may be meant as a text or with wildcards, so what is not an expression
		 * is not an error. */
		if (!strpbrk(text, "*?[.^$|(+{\\") || strlen(text) > EXPRESSION_MAX)
			return 0;
		snprintf(whole, sizeof(whole), "^(%s)$", text);
		f->has_regex = !expression_compile(&f->regex, whole);
		return 0;
	}
	code = expression_compile(&f->regex, text);
	f->has_regex = !code;
	if (!code)
		return 0;
	if (code == REG_ESPACE)
		snprintf(reason, sizeof(reason), "too large");
	else
		regerror(code, &f->regex, reason, sizeof(reason));
	return error_set(err, -EINVAL, "--label \"%.200s\": %s", option, reason);
}

int label_filter_init(struct label_filter *f, const struct profile *p, const char *text,
		      struct error *err)
{
	size_t key = strcspn(text, "=~");

	*f = (struct label_filter){.p = p, .key = find_string(p, text, key)};
	f->known = calloc(p->strings.len + 1, 1);
	if (!f->known)
		return -ENOMEM;
	if (text[key])
		f->pattern = text + key + 1;
	f->found_anywhere = text[key] == '~';
	return f->pattern ? compile(f, text, err) : 0;
}

void label_filter_release(struct label_filter *f)
{
	if (f->has_regex)
		regfree(&f->regex);
	free(f->known);
	*f = (struct label_filter){0};
}

static bool text_matches(const struct label_filter *f, const char *text)
{
	if (f->has_regex && !regexec(&f->regex, text, 0, NULL, 0))
		return true;
	return !f->found_anywhere && (!strcmp(text, f->pattern) || !fnmatch(f->pattern, text, 0));
}

static bool value_matches(const struct label_filter *f, const struct profile_label *l)
{
	char number[32];

	if (!l->str) {
		snprintf(number, sizeof(number), "%lld", (long long)l->num);
		return text_matches(f, number);
	}
	if (!f->known[l->str])
		f->known[l->str] = text_matches(f, profile_text(f->p, l->str)) ? 2 : 1;
	return f->known[l->str] == 2;
}

bool label_filter_matches(const struct label_filter *f, const struct profile_sample *s)
{
	for (u32 i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &f->p->labels.data[s->first_label + i];

		if (l->key == f->key && (!f->pattern || value_matches(f, l)))
			return true;
	}
	return false;
}
