/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What recording verbs share: the command line, the recording with its progress line, the output
 * and the closing summary. The kind decides what is recorded, and how.
 */
#ifndef CPROF_CMD_RECORD_H
#define CPROF_CMD_RECORD_H

#include "record/kinds.h"
#include "verbs.h"

/* Runs a recording verb, from its command line to its exit status (exit_codes.h). */
int record_main(const struct verb_spec *verb, int argc, char **argv);

#endif
