/* SPDX-License-Identifier: Apache-2.0 */
/* Parses -e: see event_options.h. */
#include "collect/event_options.h"

#include <errno.h>

const struct event_options event_defaults = {.event = event_table};

static int set_event(void *options, const char *value, struct error *err)
{
	struct event_options *o = options;
	const struct event_desc *e = event_by_name(value);
	char names[256];

	if (!e) {
		event_names(names, sizeof(names), false);
		return error_set(err, -EINVAL, "unknown event \"%.*s\": one of %s", OPTION_SHOWN,
				 value, names);
	}
	o->event = e;
	return 0;
}

static const char *event_at(u32 index, const char **summary)
{
	*summary = event_table[index].summary;
	return event_table[index].name;
}

const struct option_row event_rows[] = {
	{.letter = 'e',
	 .name = "event",
	 .value = "EVENT",
	 .help = "what to count (default cpu-clock; see below)",
	 .group = OPTION_GROUP_SAMPLING,
	 .set = set_event,
	 .value_at = event_at,
	 .values_title = "Events"},
	{0},
};
