/* SPDX-License-Identifier: Apache-2.0 */
/* Shows which functions grew and which shrank, as a table. */
#ifndef CPROF_FORMAT_REPORT_DIFF_H
#define CPROF_FORMAT_REPORT_DIFF_H

#include "format/format.h"
#include "view/compare.h"

struct diff_print {
	u32 top; /* number of rows; 0 for all */
	u32 width; /* 0 for no limit */
	bool color, full_names, by_cum;
};

int diff_write(const struct compare *c, const struct diff_print *o,
	       const struct sink *to) MUST_CHECK;

#endif
