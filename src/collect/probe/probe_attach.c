/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches programs to many places: see probe_attach.h. */
#include "collect/probe/probe_attach.h"

#include <errno.h>

#include "base/error.h"

static bool is_over(int err)
{
	return err == -ENOENT || err == -ESRCH;
}

static bool is_refusal(int err)
{
	return err == -ENOTSUP || err == -EINVAL;
}

static int attach(struct attach_target *t, int prog_fd, enum uprobe_type type, bool links,
		  const struct uprobe_place *places, u32 n)
{
	int err = uprobe_pins_attach(t->pins, prog_fd, type, links, t->path, t->tgid, places, n,
				     t->links);

	if (!err)
		t->attached += n;
	return err;
}

int attach_places(struct attach_target *t, int prog_fd, enum uprobe_type type, bool links,
		  const uprobe_places *places)
{
	int err = 0;

	if (places->len)
		err = attach(t, prog_fd, type, links, places->data, (u32)places->len);
	if (!err || is_over(err))
		return err;
	err = 0;
	vec_for_each(places, place) {
		int one = attach(t, prog_fd, type, links, place, 1);

		if (is_over(one))
			return one;
		if (one)
			log_warn(t->log, "the kernel refuses a probe at %s+%#llx: %s", t->path,
				 (unsigned long long)place->offset, error_reason(one));
		if (one && !is_refusal(one))
			err = one;
	}
	return err;
}
