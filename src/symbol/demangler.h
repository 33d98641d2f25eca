/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Demangles names that anybody may have made up. A hundred bytes can keep libiberty busy for years,
 * or make it fill the memory: names refer back to their own parts, so each reference may double the
 * work, and D's grammar is tried in two ways at each level. libiberty cannot be stopped in the
 * middle of that. So a forked process demangles a name that could do so, and is ended if it takes
 * too long. Most names need no process.
 */
#ifndef CPROF_SYMBOL_DEMANGLER_H
#define CPROF_SYMBOL_DEMANGLER_H

#include "base/helper_process.h"

struct demangler;

int demangler_new(struct demangler **out) MUST_CHECK;
void demangler_free(struct demangler *d); /* NULL is allowed */

/*
 * Does what demangle_name() does: returns the name to show, to be freed, or NULL if that is `raw`
 * itself. *gave_up says that it is `raw` because the work would take too long. After some seconds
 * of work, or some names that had to be given up, every name that could take long is.
 */
char *demangler_name(struct demangler *d, const char *raw, bool *gave_up) MUST_CHECK;

/* Ends the process. Another one is forked when it is needed. */
struct helper_cost demangler_end(struct demangler *d);

/* Returns whether a name is left to the process. */
bool demangler_is_costly(const char *raw);

#endif
