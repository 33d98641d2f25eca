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

/* Returns whether cprof acts as the owner or group of its program file, because of the set-user-ID
 * or set-group-ID bit. */
bool invoker_is_set_id(void);

/*
 * Drops the capabilities of the program file, if it has any, for the rest of this process. The
 * process must not have other threads. Returns 0 or a negative errno.
 */
int invoker_drop_capabilities(void) MUST_CHECK;

#endif
