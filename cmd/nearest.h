/* SPDX-License-Identifier: Apache-2.0 */
/* Implements "did you mean": how far a misspelt word is from one that exists. */
#ifndef CPROF_CMD_NEAREST_H
#define CPROF_CMD_NEAREST_H

#include "base/types.h"

/* Counts the letters to insert, delete or replace, and the neighbours to swap, to turn one word
 * into the other. */
u32 word_distance(const char *a, const char *b);
/* Returns whether a word at this distance is worth suggesting. */
bool word_is_near(const char *typed, u32 distance);

#endif
