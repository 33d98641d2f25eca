/* SPDX-License-Identifier: Apache-2.0 */
/* Shows a written page to the user who typed the command, who need not be the one cprof runs as. */
#ifndef CPROF_CMD_BROWSER_H
#define CPROF_CMD_BROWSER_H

#include "terminal.h"

/*
 * Starts xdg-open on the file if there is a display, under sudo and pkexec as the user behind them
 * (browsers refuse root, and nothing of the desktop should run as root). It prints where the page
 * is in any case; that it could not be shown is not a failure.
 */
void browser_open(struct terminal *t, const char *path);

#endif
