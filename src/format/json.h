/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259) out of a profile. */
#ifndef CPROF_FORMAT_JSON_H
#define CPROF_FORMAT_JSON_H

#include "format/out.h"

/* A quoted string, into an `o` of kind OUT_JSON. */
void json_string(struct out *o, const char *text);

/* ", " and so on: separates items. *first is true before the first one. */
void json_comma(struct out *o, bool *first);

#endif
