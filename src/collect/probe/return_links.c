/* SPDX-License-Identifier: Apache-2.0 */
/* Finds return probes of others at the same places: see return_links.h. */
#include "collect/probe/return_links.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "base/bpf_shared.h"

#define AT_ONCE 256

typedef VEC(struct return_link) return_links;

static int read_all(int fd, return_links *out)
{
	ssize_t got;
	int err = 0;

	do {
		err = vec_reserve(out, out->len + AT_ONCE);
		if (err)
			return err;
		got = read(fd, out->data + out->len, AT_ONCE * sizeof(*out->data));
		if (got > 0)
			out->len += (size_t)got / sizeof(*out->data);
	} while (got > 0 || (got < 0 && errno == EAGAIN));
	return got < 0 ? -errno : 0;
}

static int list_all(int list_fd, return_links *out)
{
	int link = bpf_link_create(list_fd, 0, BPF_TRACE_ITER, NULL), fd, err;

	if (link < 0)
		return link;
	fd = bpf_iter_create(link);
	err = fd < 0 ? fd : read_all(fd, out);
	if (fd >= 0)
		close(fd);
	close(link);
	return err;
}

static u32 program_number(int fd)
{
	struct bpf_prog_info info = {0};
	u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static bool is_ours(const struct return_link *r, const struct uprobe_link *links, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (r->link == links[i].id)
			return true;
	}
	return false;
}

static bool meets_older(const return_links *all, const struct return_link *mine, u32 program,
			pid_t tgid)
{
	vec_for_each(all, r) {
		if (r->inode == mine->inode && r->offset == mine->offset && r->link < mine->link &&
		    r->program != program && (pid_t)r->tgid.nr != tgid)
			return true;
	}
	return false;
}

int return_links_older(int list_fd, int program_fd, pid_t tgid, const struct uprobe_link *links,
		       size_t n)
{
	u32 program = program_number(program_fd);
	return_links all = {0};
	int err = list_all(list_fd, &all);

	vec_for_each(&all, r) {
		if (!err && is_ours(r, links, n) && meets_older(&all, r, program, tgid))
			err = 1;
	}
	vec_release(&all);
	return err;
}

static bool is_place(const struct return_link *r, const struct map_entry *e,
		     const struct uprobe_place *places, size_t n)
{
	if (r->number != e->inode || r->dev_major != e->dev_major || r->dev_minor != e->dev_minor)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (r->offset == places[i].offset)
			return true;
	}
	return false;
}

int return_links_at(int list_fd, int program_fd, pid_t tgid, const struct map_entry *e,
		    const struct uprobe_place *places, size_t n)
{
	u32 program = program_number(program_fd);
	return_links all = {0};
	int err = list_all(list_fd, &all);

	vec_for_each(&all, r) {
		if (!err && r->program != program && (pid_t)r->tgid.nr != tgid &&
		    is_place(r, e, places, n))
			err = 1;
	}
	vec_release(&all);
	return err;
}
