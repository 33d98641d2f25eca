/* SPDX-License-Identifier: Apache-2.0 */
/* Creates the BPF maps that all recordings share: see module_maps.h. */
#include "collect/session/module_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int array(const char *name, size_t value, u32 entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(u32), (u32)value, entries, &opts);

	return fd < 0 ? -errno : fd;
}

static int array_of_chunks(void)
{
	int like = array("unwind_pages", sizeof(struct unwind_page), TABLE_CHUNK_PAGES), fd;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = (u32)like);

	if (like < 0)
		return like;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "table_chunks", sizeof(u32), sizeof(u32),
			    TABLE_MAX_CHUNKS, &opts);
	fd = fd < 0 ? -errno : fd;
	close(like);
	return fd;
}

static int hash(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "modules", sizeof(u64), sizeof(u32),
				MODULE_SLOTS, NULL);

	return fd < 0 ? -errno : fd;
}

static int moved_hash(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "moved_ranges", sizeof(struct moved_key),
				sizeof(struct moved_range), MOVED_RANGES, NULL);

	return fd < 0 ? -errno : fd;
}

static int first_error(const struct module_maps *m)
{
	const int fds[] = {m->tables.chunks_fd, m->tables.rules_fd, m->tables.modules_fd,
			   m->modules_fd,       m->moved_fd,        m->state_fd};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] < 0)
			return fds[i];
	}
	return 0;
}

int module_maps_open(struct module_maps *out)
{
	struct module_maps m = MODULE_MAPS_NONE;
	void *state;
	int err;

	m.tables.chunks_fd = array_of_chunks();
	m.tables.rules_fd = array("rules", sizeof(struct unwind_rule), UNWIND_MAX_RULES);
	m.tables.modules_fd = array("module_tables", sizeof(struct module_table), MODULE_SLOTS);
	m.modules_fd = hash();
	m.moved_fd = moved_hash();
	m.state_fd = array("module_states", sizeof(struct modules_state), 1);
	err = first_error(&m);
	if (!err)
		err = program_barrier_init(&m.barrier);
	if (!err) {
		state = mmap(NULL, sizeof(*m.state), PROT_READ | PROT_WRITE, MAP_SHARED, m.state_fd,
			     0);
		if (state == MAP_FAILED)
			err = -errno;
		else
			m.state = state;
	}
	if (err)
		module_maps_close(&m);
	*out = m;
	return err;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void module_maps_close(struct module_maps *m)
{
	if (m->state)
		munmap(m->state, sizeof(*m->state));
	close_one(m->tables.chunks_fd);
	close_one(m->tables.rules_fd);
	close_one(m->tables.modules_fd);
	close_one(m->modules_fd);
	close_one(m->moved_fd);
	close_one(m->state_fd);
	program_barrier_release(&m->barrier);
	*m = MODULE_MAPS_NONE;
}

enum { CHUNKS, RULES, TABLES, MODULES, MOVED, STATE, MAPS };

static const char *const names[MAPS] = {
	[CHUNKS] = "table_chunks", [RULES] = "rules",        [TABLES] = "module_tables",
	[MODULES] = "modules",     [MOVED] = "moved_ranges", [STATE] = "module_states",
};

bool module_maps_is_shared(const char *map)
{
	for (u32 i = 0; i < MAPS; i++) {
		if (!strcmp(map, names[i]))
			return true;
	}
	return false;
}

int module_maps_use(const struct module_maps *m, struct bpf_object *obj)
{
	const int fds[MAPS] = {
		[CHUNKS] = m->tables.chunks_fd,  [RULES] = m->tables.rules_fd,
		[TABLES] = m->tables.modules_fd, [MODULES] = m->modules_fd,
		[MOVED] = m->moved_fd,           [STATE] = m->state_fd,
	};

	for (u32 i = 0; i < MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, names[i]);
		int err = map ? bpf_map__reuse_fd(map, fds[i]) : -ENOENT;

		if (err)
			return err;
	}
	return 0;
}

void module_maps_wait_programs(const struct module_maps *m)
{
	if (m->state && program_barrier_wait(&m->barrier))
		usleep(20000); /* programs run for microseconds */
}
