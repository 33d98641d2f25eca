/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a kind that samples by a perf event: -e. */
#ifndef CPROF_COLLECT_EVENT_OPTIONS_H
#define CPROF_COLLECT_EVENT_OPTIONS_H

#include "base/option.h"
#include "collect/events.h"

struct event_options {
	const struct event_desc *event; /* never NULL */
};

extern const struct event_options event_defaults;
extern const struct option_row event_rows[];

#endif
