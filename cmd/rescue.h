/* SPDX-License-Identifier: Apache-2.0 */
/* Saves a profile elsewhere if it cannot be written to its destination, because what was recorded
 * cannot be recorded again. */
#ifndef CPROF_CMD_RESCUE_H
#define CPROF_CMD_RESCUE_H

#include "base/error.h"
#include "profile/profile.h"

/*
 * Call it after a failed write, whose error is `failed`. It writes a pprof file that only this user
 * may read to $TMPDIR, /var/tmp or /tmp, and adds its path to the text of the error. `name` is the
 * beginning of the file's name. If the reader of a pipe went away, nobody wants the profile.
 */
void rescue_profile(const struct profile *p, const char *name, struct error *failed);

#endif
