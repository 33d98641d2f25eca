/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts names by what they may cost, and uses a process for the costly ones: see demangler.h. */
#include "symbol/demangler.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/helper_process.h"
#include "symbol/demangle.h"

/* The longest names of real programs take some milliseconds. */
#define NAME_CPU_NS 200000000ull
#define NAME_TIME_NS (5 * NSEC_PER_SEC) /* if the machine is too busy to give the process a CPU */
#define ALL_CPU_NS (5 * NSEC_PER_SEC)
#define GIVE_UPS_MAX 8u
#define MEMORY_MAX (256ull << 20) /* in addition to what the process shares with cprof */
/*
 * Each back reference at most doubles the work, which starts at the name's length. A pack expansion
 * searches all of that again.
 */
#define PLAIN_LENGTH 1024u
#define PLAIN_REFERENCES 8u
#define PLAIN_REFERENCES_IN_PACKS 2u

struct demangler {
	struct helper_process process;
	u32 give_ups;
};

int demangler_new(struct demangler **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void demangler_free(struct demangler *d)
{
	if (!d)
		return;
	helper_process_end(&d->process, true);
	free(d);
}

/* ---- what a name may cost -------------------------------------------------------------------- */

/*
 * Counts substitutions and template parameters ("S_", "S1A_", "T0_": Itanium C++ ABI 5.1.10), or
 * Rust's back references ("B_", "B3a_"). The same letters inside of identifiers are counted as
 * well, which costs no more than a message to the process.
 */
static size_t references(const char *raw)
{
	const char *letters = raw[1] == 'R' ? "B" : "ST";
	size_t n = 0;

	for (const char *at = strpbrk(raw + 2, letters); at; at = strpbrk(at + 1, letters))
		n += at[1] == '_' || isdigit((unsigned char)at[1]) ||
		     isupper((unsigned char)at[1]) || *letters == 'B';
	return n;
}

static bool has_packs(const char *raw)
{
	return strstr(raw, "Dp") || strstr(raw, "sp") || strstr(raw, "sP") || strstr(raw, "sZ");
}

/*
 * Returns whether the name has identifiers in Punycode ("u5caf_5sa", Rust RFC 2603). libiberty
 * decodes them in memory that it leaks when the name is malformed or too long.
 */
static bool has_punycode(const char *raw)
{
	for (const char *at = strchr(raw, 'u'); at; at = strchr(at + 1, 'u')) {
		if (isdigit((unsigned char)at[1]))
			return true;
	}
	return false;
}

bool demangler_is_costly(const char *raw)
{
	size_t len = strnlen(raw, DEMANGLE_MAX_INPUT);

	/* demangle_name() does not try those that are longer. */
	if (!demangle_is_mangled(raw) || len == DEMANGLE_MAX_INPUT)
		return false;
	if (raw[1] == 'D' || len > PLAIN_LENGTH || (raw[1] == 'R' && has_punycode(raw)))
		return true;
	return references(raw) > (has_packs(raw) ? PLAIN_REFERENCES_IN_PACKS : PLAIN_REFERENCES);
}

/* ---- the process ----------------------------------------------------------------------------- */

/* A request is a name, and the answer is a byte, which is 1 if a name to show follows. */
static void serve(void *arg, int sock)
{
	char raw[DEMANGLE_MAX_INPUT + 1], answer[1 + DEMANGLE_MAX_OUTPUT];
	ssize_t len;

	(void)arg;
	/* libiberty ends the process when an allocation fails. */
	helper_process_limit_memory(MEMORY_MAX);
	helper_process_allow_stack(DEMANGLE_STACK);
	while ((len = recv(sock, raw, sizeof(raw) - 1, 0)) > 0) {
		char *shown;
		size_t n;

		raw[len] = '\0';
		shown = demangle_long_name(raw);
		n = shown ? strnlen(shown, DEMANGLE_MAX_OUTPUT) : 0;
		answer[0] = shown != NULL;
		if (n)
			memcpy(answer + 1, shown, n);
		free(shown);
		if (send(sock, answer, 1 + n, MSG_NOSIGNAL) < 0)
			break;
	}
}

static bool ask(struct demangler *d, const char *raw, char **shown)
{
	char answer[1 + DEMANGLE_MAX_OUTPUT];
	ssize_t got;

	if (send(d->process.sock, raw, strlen(raw), MSG_NOSIGNAL) < 0 ||
	    !helper_process_answers(&d->process, NAME_CPU_NS, NAME_TIME_NS))
		return false;
	got = recv(d->process.sock, answer, sizeof(answer), MSG_DONTWAIT);
	if (got <= 0)
		return false;
	*shown = answer[0] ? strndup(answer + 1, (size_t)got - 1) : NULL;
	return true;
}

static void give_up(struct demangler *d)
{
	helper_process_end(&d->process, true);
	d->give_ups++;
}

char *demangler_name(struct demangler *d, const char *raw, bool *gave_up)
{
	char *shown = NULL;

	*gave_up = false;
	if (!demangler_is_costly(raw))
		return demangle_name(raw);
	*gave_up = true;
	if (d->give_ups >= GIVE_UPS_MAX || helper_process_cpu(&d->process) > ALL_CPU_NS ||
	    helper_process_start(&d->process, HELPER_CLOSES_FILES, serve, NULL))
		return NULL;
	if (ask(d, raw, &shown))
		*gave_up = false;
	else
		give_up(d);
	return shown;
}

struct helper_cost demangler_end(struct demangler *d)
{
	helper_process_end(&d->process, true);
	return d->process.cost;
}
