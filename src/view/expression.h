/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles regular expressions that a user gives (POSIX extended ones, regex(7)) within bounds.
 * glibc's compiler recurses for each parenthesis until the stack ends. It also repeats what has a
 * count that many times, and nested counts until the memory ends.
 */
#ifndef CPROF_VIEW_EXPRESSION_H
#define CPROF_VIEW_EXPRESSION_H

#include <regex.h>

#include "base/types.h"

#define EXPRESSION_MAX 4096u /* bytes */
#define EXPRESSION_REPEATS_MAX 10000u /* the product of all counts */

/* Does what regcomp() does with REG_EXTENDED | REG_NOSUB. Returns REG_ESPACE if the expression is
 * too large. */
int expression_compile(regex_t *out, const char *text) MUST_CHECK;

#endif
