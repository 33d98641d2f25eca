/* SPDX-License-Identifier: Apache-2.0 */
/* The user who started cprof, also when sudo or pkexec made a root process of it. */
#ifndef CPROF_BASE_INVOKER_H
#define CPROF_BASE_INVOKER_H

#include <sys/types.h>

#include "base/types.h"

/* The user behind sudo or pkexec, by the variables that they set; the real user without them. */
uid_t invoker_uid(void);

/* Whether what `owner` set up may lead cprof: root, the effective user and the invoker. */
bool invoker_trusts(uid_t owner);

#endif
