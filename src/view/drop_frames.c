/* SPDX-License-Identifier: Apache-2.0 */
/* Matches a profile's own expressions in a helper process: see drop_frames.h. */
#include "view/drop_frames.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/helper_process.h"

#define DROP_MAX 2048u
/*
 * glibc's matcher keeps every state it has ever met, at worst one per byte of text, each as large
 * as the expression is long. So it is recompiled after this much text.
 */
#define DROP_TEXT (16u << 10)
/* A million names and an expression of a hundred alternatives take a second. */
#define MATCH_CPU_NS 3000000000ull
#define MATCH_MEMORY (256ull << 20)

enum { UNKNOWN, KEPT, DROPPED }; /* in the process; it leaves 1 for DROPPED, and 0 for the others */

struct matching {
	const struct profile *p;
	u8 *names; /* for each string; shared with the process */
};

/* The name without its parameters, as drop_frames expects it. */
static void plain_name(const char *name, char *out, size_t size)
{
	static const char *const parts[] = {"(anonymous namespace)", "operator()"};
	size_t len = 0;

	name += *name == '.';
	while (*name && *name != '(' && len + 24 < size) {
		size_t step = 1;

		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			if (!strncmp(name, parts[i], strlen(parts[i])))
				step = strlen(parts[i]);
		}
		memcpy(out + len, name, step);
		len += step;
		name += step;
		if (!strncmp(name, parts[0], strlen(parts[0]))) {
			memcpy(out + len, parts[0], strlen(parts[0]));
			len += strlen(parts[0]);
			name += strlen(parts[0]);
		}
	}
	out[len] = '\0';
}

struct safe_regex {
	const char *text; /* from the file */
	regex_t regex;
	bool valid;
	size_t fed; /* bytes of text matched since it was compiled */
};

/* The expression comes from the file and must not make the compiler explode, so counts and
 * references are not allowed. */
static bool safe_regex_init(struct safe_regex *x, const char *text)
{
	char whole[DROP_MAX + 8];

	*x = (struct safe_regex){.text = text};

	if (!*text || strlen(text) > DROP_MAX || strchr(text, '{'))
		return false;
	for (const char *c = text; *c; c++) {
		if (c[0] == '\\' && c[1] >= '0' && c[1] <= '9')
			return false;
	}
	snprintf(whole, sizeof(whole), "^(%s)$", text);
	x->valid = !regcomp(&x->regex, whole, REG_EXTENDED | REG_NOSUB);
	return x->valid;
}

static void safe_regex_release(struct safe_regex *x)
{
	if (x->valid)
		regfree(&x->regex);
}

static bool safe_regex_matches(struct safe_regex *x, const char *name)
{
	size_t len = strlen(name);

	if (x->valid && x->fed + len > DROP_TEXT) {
		safe_regex_release(x);
		safe_regex_init(x, x->text);
	}
	x->fed += len;
	return x->valid && !regexec(&x->regex, name, 0, NULL, 0);
}

/* ---- the process ----------------------------------------------------------------------------- */

static void match_names(const struct matching *m, struct safe_regex *drop, struct safe_regex *keep)
{
	char plain[1024];

	vec_for_each(&m->p->functions, f) {
		u8 *name = &m->names[f->name];

		if (*name != UNKNOWN)
			continue;
		plain_name(profile_text(m->p, f->name), plain, sizeof(plain));
		*name = *plain && safe_regex_matches(drop, plain) &&
					!safe_regex_matches(keep, plain)
				? DROPPED
				: KEPT;
	}
}

/* The answer is one byte, which is 1 if the expression is valid. If there is no answer, matching
 * did not end. */
static void serve(void *arg, int sock)
{
	const struct matching *m = arg;
	struct safe_regex drop, keep;
	u8 valid;

	helper_process_limit_memory(MATCH_MEMORY);
	safe_regex_init(&keep, profile_text(m->p, m->p->keep_frames));
	valid = safe_regex_init(&drop, profile_text(m->p, m->p->drop_frames));
	if (valid)
		match_names(m, &drop, &keep);
	for (size_t i = 0; i < m->p->strings.len; i++)
		m->names[i] = m->names[i] == DROPPED;
	while (send(sock, &valid, sizeof(valid), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
	safe_regex_release(&drop);
	safe_regex_release(&keep);
}

static bool match(struct matching *m)
{
	struct helper_process process = {0};
	u8 valid = 0;

	/* If there are as many processes as allowed, nothing is dropped. */
	if (helper_process_start(&process, HELPER_CLOSES_FILES, serve, m))
		return false;
	if (!helper_process_answers(&process, MATCH_CPU_NS, 0) ||
	    recv(process.sock, &valid, sizeof(valid), 0) != sizeof(valid))
		valid = 0;
	helper_process_end(&process, true);
	return valid;
}

int drop_frames_find(const struct profile *p, const u8 **out)
{
	struct matching m = {.p = p};

	*out = NULL;
	m.names = mmap(NULL, p->strings.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	if (m.names == MAP_FAILED)
		return -errno;
	if (match(&m))
		*out = m.names;
	else
		drop_frames_release(p, m.names);
	return 0;
}

void drop_frames_release(const struct profile *p, const u8 *dropped)
{
	if (dropped)
		munmap((void *)(uintptr_t)dropped, p->strings.len);
}
