/* SPDX-License-Identifier: Apache-2.0 */
/* A program in which one address has four frames, for debug information in all its forms. */
#ifndef CPROF_TESTS_CHAIN_FIXTURE_H
#define CPROF_TESTS_CHAIN_FIXTURE_H

#include "base/types.h"

/*
 * Writes chain.c to the fixture directory and compiles it to `chain`. The symbol `mark` is an
 * address in `inner`, which is inlined into `middle`, `outer` and the function `physical`.
 */
void build_chain(const char *compiler, const char *flags);

/* Names `mark` in the file, and checks the functions and lines of all four frames. */
void check_chain(const char *file, u64 mark);

#endif
