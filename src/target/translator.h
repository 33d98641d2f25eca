/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognizes translators: programs that do not let the processor execute another program's code,
 * but read it and execute a translation. They are valgrind, qemu-user, DynamoRIO, Pin, box64 and
 * FEX. They would read a breakpoint as the program's own, which ends in SIGTRAP, so no probe may be
 * set in them.
 */
#ifndef CPROF_TARGET_TRANSLATOR_H
#define CPROF_TARGET_TRANSLATOR_H

#include "base/error.h"
#include "target/maps.h"

/* Returns 0, or -EPERM with `err` set if the process of these mappings is run by a translator. */
int translator_refuse_process(pid_t tgid, const map_vec *maps, struct error *err) MUST_CHECK;
/* Does the same for a command, by its name; 0 for NULL. */
int translator_refuse_command(const char *command, struct error *err) MUST_CHECK;

#endif
