/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON (RFC 8259). */
#ifndef CPROF_FORMAT_JSON_H
#define CPROF_FORMAT_JSON_H

#include "format/out.h"

/* Writes a quoted string into an `o` of kind OUT_JSON. */
void json_string(struct out *o, const char *text);

/* Writes the separator between items. *first is true before the first one. */
void json_comma(struct out *o, bool *first);

#endif
