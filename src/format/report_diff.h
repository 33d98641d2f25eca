/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions grew and which shrank, as a table. */
#ifndef CPROF_FORMAT_REPORT_DIFF_H
#define CPROF_FORMAT_REPORT_DIFF_H

#include "format/format.h"
#include "view/compare.h"

struct diff_print {
	u32 top; /* rows; 0: all */
	u32 width; /* 0: unlimited */
	bool color, full_names, by_cum;
};

int diff_write(const struct compare *c, const struct diff_print *o,
	       const struct sink *to) MUST_CHECK;

#endif
