/* SPDX-License-Identifier: Apache-2.0 */
/* Handles BPF objects of any kind: see skeleton.h. */
#include "collect/session/skeleton.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/session/map_empty.h"

int skeleton_load(struct skeleton *s)
{
	return bpf_object__load_skeleton(s->skeleton);
}

void skeleton_free(struct skeleton *s)
{
	if (!s)
		return;
	bpf_object__destroy_skeleton(s->skeleton);
	free(s);
}

bool skeleton_is_loaded(const struct skeleton *s)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, s->obj) {
		if (bpf_program__fd(prog) >= 0)
			return true;
	}
	return false;
}

/* ---- settings -------------------------------------------------------------------------------- */

static bool is_read_only(const struct bpf_map *map)
{
	return bpf_map__is_internal(map) && bpf_map__map_flags(map) & BPF_F_RDONLY_PROG;
}

static bool is_variables(const struct bpf_map *map)
{
	return bpf_map__is_internal(map) && !is_read_only(map);
}

/* libbpf takes a map that it does not change, and up to 1.2 returns its memory as const. */
static void *contents(const struct bpf_map *map, size_t *size)
{
	return (void *)bpf_map__initial_value((struct bpf_map *)map, size);
}

static int append(byte_vec *out, const void *data, size_t size)
{
	if (vec_reserve(out, out->len + size))
		return -ENOMEM;
	memcpy(out->data + out->len, data, size);
	out->len += size;
	return 0;
}

static int append_map(const struct bpf_map *map, byte_vec *out)
{
	const u32 chosen[] = {bpf_map__max_entries(map), bpf_map__map_flags(map)};
	size_t size;
	const void *data = is_read_only(map) ? contents(map, &size) : NULL;
	int err = append(out, chosen, sizeof(chosen));

	return data && !err ? append(out, data, size) : err;
}

static int append_program(const struct bpf_program *prog, byte_vec *out)
{
	const u32 chosen[] = {bpf_program__autoload(prog), bpf_program__expected_attach_type(prog)};

	return append(out, chosen, sizeof(chosen));
}

int skeleton_settings(const struct skeleton *s, byte_vec *out)
{
	struct bpf_program *prog;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, s->obj) {
		if (!err)
			err = append_map(map, out);
	}
	bpf_object__for_each_program(prog, s->obj) {
		if (!err)
			err = append_program(prog, out);
	}
	return err;
}

static int copy_map_settings(const struct bpf_map *from, struct bpf_map *to)
{
	const void *data;
	size_t size;
	int err;

	if (is_variables(from))
		return 0;
	if (!is_read_only(from)) {
		err = bpf_map__set_max_entries(to, bpf_map__max_entries(from));
		return err ? err : bpf_map__set_map_flags(to, bpf_map__map_flags(from));
	}
	data = contents(from, &size);
	return data ? bpf_map__set_initial_value(to, data, size) : -EINVAL;
}

int skeleton_copy_settings(const struct skeleton *from, struct skeleton *to)
{
	struct bpf_program *p = NULL, *q = NULL;
	struct bpf_map *m = NULL, *n = NULL;
	int err = 0;

	while (!err && (m = bpf_object__next_map(from->obj, m))) {
		n = bpf_object__next_map(to->obj, n);
		err = n ? copy_map_settings(m, n) : -EINVAL;
	}
	while (!err && (p = bpf_object__next_program(from->obj, p))) {
		q = bpf_object__next_program(to->obj, q);
		err = q ? bpf_program__set_autoload(q, bpf_program__autoload(p)) : -EINVAL;
		if (!err)
			err = bpf_program__set_expected_attach_type(
				q, bpf_program__expected_attach_type(p));
	}
	return err;
}

void skeleton_copy_variables(const struct skeleton *opened, struct skeleton *loaded)
{
	struct bpf_map *m = NULL, *n = NULL;
	size_t size, room;

	while ((m = bpf_object__next_map(opened->obj, m)) &&
	       (n = bpf_object__next_map(loaded->obj, n))) {
		const void *data = is_variables(m) ? contents(m, &size) : NULL;
		void *at = data ? contents(n, &room) : NULL;

		if (at && size == room)
			memcpy(at, data, size);
	}
}

/* ---- emptying -------------------------------------------------------------------------------- */

/* Runs an iterator that writes nothing. */
static int run_iterator(const struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1, err = 0;
	char byte;
	ssize_t got = -1;

	while (fd >= 0 &&
	       ((got = read(fd, &byte, sizeof(byte))) > 0 || (got < 0 && errno == EAGAIN)))
		;
	if (got < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

static int forget_threads(const struct skeleton *s)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(s->obj, FORGET_THREADS);

	return prog && bpf_program__fd(prog) >= 0 ? run_iterator(prog) : -ENOTSUP;
}

int skeleton_empty(struct skeleton *s, bool (*is_shared)(const char *map))
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, s->obj) {
		if (err || bpf_map__is_internal(map) || is_shared(bpf_map__name(map)))
			continue;
		err = bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE ? forget_threads(s)
								      : map_empty(map);
	}
	return err;
}
