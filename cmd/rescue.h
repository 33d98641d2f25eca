/* SPDX-License-Identifier: Apache-2.0 */
/* A profile that cannot be written where it should go is saved elsewhere: what was recorded cannot be recorded again. */
#ifndef CPROF_CMD_RESCUE_H
#define CPROF_CMD_RESCUE_H

#include "base/error.h"
#include "profile/profile.h"

/*
 * After a failed write, whose error is `failed`: writes a pprof file that only this user may read to $TMPDIR, /var/tmp or
 * /tmp, and adds to the error's text where it is. `name` is the beginning of the file's. Where the reader of a pipe
 * went away, nobody wants the profile.
 */
void rescue_profile(const struct profile *p, const char *name, struct error *failed);

#endif
