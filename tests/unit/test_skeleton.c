/* SPDX-License-Identifier: Apache-2.0 */
/* A used BPF object is emptied until nothing distinguishes it from one that was just loaded. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bpf_shared.h"
#include "collect/features.h"
#include "collect/session/module_maps.h"
#include "collect/session/skeleton.h"
#include "cpu.skel.h"
#include "heap.skel.h"
#include "holds.skel.h"
#include "unit.h"
#include "wait.skel.h"

#define FILLED 2000u /* entries of a hash map; more than one batch */

SKELETON_OPEN(open_cpu, cpu_bpf)
SKELETON_OPEN(open_wait, wait_bpf)
SKELETON_OPEN(open_holds, holds_bpf)
SKELETON_OPEN(open_heap, heap_bpf)

static bool none_is_shared(const char *map)
{
	return false;
}

static size_t words(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* Has space for a value of each CPU. */
static size_t value_bytes(const struct bpf_map *map)
{
	bool percpu = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;

	return words(bpf_map__value_size(map)) * (percpu ? (size_t)libbpf_num_possible_cpus() : 1);
}

static bool is_array(const struct bpf_map *map)
{
	return bpf_map__type(map) == BPF_MAP_TYPE_ARRAY ||
	       bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static bool is_internal_or_outer(const struct bpf_map *map)
{
	return bpf_map__is_internal(map) || bpf_map__type(map) == BPF_MAP_TYPE_ARRAY_OF_MAPS;
}

/* Writes into the first entries of a map; returns how many. */
static u32 fill(const struct bpf_map *map)
{
	u8 *key = calloc(1, words(bpf_map__key_size(map)) + 8), *value = malloc(value_bytes(map));
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	u32 n = bpf_map__max_entries(map), done = 0;

	CHECK(key && value && self >= 0);
	memset(value, 0xa5, value_bytes(map));
	if (bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE)
		n = 1;
	for (u32 i = 0; i < n && i < FILLED; i++) {
		memcpy(key, bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE ? &self : (int *)&i,
		       sizeof(i));
		CHECK_INT(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
		done++;
	}
	close(self);
	free(key);
	free(value);
	return done;
}

static bool is_zero(const u8 *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static void check_empty(const struct bpf_map *map)
{
	u8 *key = calloc(1, words(bpf_map__key_size(map)) + 8), *value = malloc(value_bytes(map));
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), fd = bpf_map__fd(map);

	CHECK(key && value && self >= 0);
	if (is_array(map)) {
		for (u32 i = 0; i < bpf_map__max_entries(map); i++) {
			CHECK_INT(bpf_map_lookup_elem(fd, &i, value), 0);
			CHECK(is_zero(value, value_bytes(map)));
		}
	} else if (bpf_map__type(map) == BPF_MAP_TYPE_HASH) {
		CHECK_INT(bpf_map_get_next_key(fd, NULL, key), -ENOENT);
	} else if (bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE) {
		CHECK_INT(bpf_map_lookup_elem(fd, &self, value), -ENOENT);
	}
	close(self);
	free(key);
	free(value);
}

static void check_emptying(skeleton_open_fn open, void (*choose)(void *skel))
{
	struct skeleton *s = open();
	struct bpf_map *map;
	u32 filled = 0;

	CHECK(s);
	choose(s);
	if (skeleton_load(s))
		unit_skip("BPF programs cannot be loaded");
	CHECK(skeleton_is_loaded(s));
	bpf_object__for_each_map(map, s->obj) {
		if (!is_internal_or_outer(map) && bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF)
			filled += fill(map);
	}
	CHECK(filled > 4 * FILLED);
	CHECK_INT(skeleton_empty(s, module_maps_is_shared), 0);
	bpf_object__for_each_map(map, s->obj) {
		if (!is_internal_or_outer(map) && !module_maps_is_shared(bpf_map__name(map)))
			check_empty(map);
	}
	/* A map of an unknown type is not taken for an empty one. */
	CHECK_INT(skeleton_empty(s, none_is_shared), -ENOTSUP);
	skeleton_free(s);
}

static void choose_all(void *skel)
{
}

/* These depend on how they will be attached. */
static void choose_entries(void *skel)
{
	struct heap_bpf *heap = skel;

	bpf_program__set_autoload(heap->progs.on_session, false);
	bpf_program__set_autoload(heap->progs.list_returns, false);
}

TEST(skeleton, of_cpu_is_emptied)
{
	check_emptying(open_cpu, choose_all);
}

TEST(skeleton, of_waits_is_emptied)
{
	check_emptying(open_wait, choose_all);
}

TEST(skeleton, of_holds_is_emptied)
{
	check_emptying(open_holds, choose_all);
}

TEST(skeleton, of_heap_is_emptied)
{
	check_emptying(open_heap, choose_entries);
}

static bool same_settings(const struct skeleton *a, const struct skeleton *b)
{
	byte_vec x = {0}, y = {0};
	bool same;

	CHECK_INT(skeleton_settings(a, &x), 0);
	CHECK_INT(skeleton_settings(b, &y), 0);
	same = x.len == y.len && !memcmp(x.data, y.data, x.len);
	vec_release(&x);
	vec_release(&y);
	return same;
}

TEST(skeleton, settings_tell_objects_apart_and_can_be_copied)
{
	struct wait_bpf *a = open_wait(), *b = open_wait(), *c;
	struct skeleton *sa = (void *)a, *sb = (void *)b;

	CHECK(a && b && same_settings(sa, sb));
	/* read-only data */
	b->rodata->settings.user = !a->rodata->settings.user;
	CHECK(!same_settings(sa, sb));
	b->rodata->settings.user = a->rodata->settings.user;
	CHECK(same_settings(sa, sb));
	/* the size of a map */
	CHECK_INT(bpf_map__set_max_entries(a->maps.counts_a, 2048), 0);
	CHECK(!same_settings(sa, sb));
	CHECK_INT(bpf_map__set_max_entries(b->maps.counts_a, 2048), 0);
	/* its flags */
	CHECK_INT(bpf_map__set_map_flags(a->maps.counts_a, BPF_F_NO_PREALLOC), 0);
	CHECK(!same_settings(sa, sb));
	CHECK_INT(bpf_map__set_map_flags(b->maps.counts_a, BPF_F_NO_PREALLOC), 0);
	/* the choice of programs */
	CHECK_INT(bpf_program__set_autoload(a->progs.on_tick, false), 0);
	CHECK(!same_settings(sa, sb));
	CHECK_INT(bpf_program__set_autoload(b->progs.on_tick, false), 0);
	CHECK(same_settings(sa, sb));
	if (skeleton_load(sa))
		unit_skip("BPF programs cannot be loaded");
	CHECK(same_settings(sa, sb)); /* loading changes none of them */
	c = open_wait();
	CHECK(c && !same_settings(sa, (void *)c));
	CHECK_INT(skeleton_copy_settings(sa, (void *)c), 0);
	CHECK(same_settings(sa, (void *)c));
	/* Variables are no settings. */
	a->bss->control.live_targets = 77;
	a->data->begun = 5;
	CHECK(same_settings(sa, sb));
	skeleton_copy_variables(sb, sa);
	CHECK_INT(a->bss->control.live_targets, 0);
	CHECK(a->data->begun == ~0ull);
	skeleton_free(sa);
	skeleton_free(sb);
	skeleton_free((void *)c);
}
