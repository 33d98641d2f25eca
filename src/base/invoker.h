/* SPDX-License-Identifier: Apache-2.0 */
/* Identifies the user who started cprof, also if sudo or pkexec made it a root process. */
#ifndef CPROF_BASE_INVOKER_H
#define CPROF_BASE_INVOKER_H

#include <sys/types.h>

#include "base/types.h"

/* Returns the user behind sudo or pkexec from the variables that they set, or the real user without
 * them. */
uid_t invoker_uid(void);

/* Returns whether cprof may follow what `owner` set up. It may for root, the effective user and the
 * invoker. */
bool invoker_trusts(uid_t owner);

/* Returns whether the program file's owner or group, by its set-user-ID bits, is who cprof acts as. */
bool invoker_is_set_id(void);

/*
 * Gives up the capabilities that the program file has, if any, for all that this process does from
 * now on. It must have no other threads. Returns 0 or a negative errno.
 */
int invoker_drop_capabilities(void) MUST_CHECK;

#endif
