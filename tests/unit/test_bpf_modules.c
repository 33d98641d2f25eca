/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files in real BPF maps: what the kernel is told about each one, and how often it may
 * ask. */
#include "unit.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/session/bpf_modules.h"
#include "target/maps.h"
#include "target/pid_space.h"

struct fixture {
	struct bpf_modules_env env;
	struct bpf_modules *b;
};

static int make_map(enum bpf_map_type type, u32 key, u32 value, u32 entries, u32 flags, int like)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags, .inner_map_fd = (u32)like);
	int fd = bpf_map_create(type, "test", key, value, entries, &opts);

	if (fd < 0 && (errno == EPERM || errno == ENOSYS))
		unit_skip("BPF maps need root");
	CHECK(fd >= 0);
	return fd;
}

static int mapped_array(u32 value, u32 entries)
{
	return make_map(BPF_MAP_TYPE_ARRAY, 4, value, entries, BPF_F_MMAPABLE, 0);
}

static void setup(struct fixture *f)
{
	int chunk = mapped_array(sizeof(struct unwind_page), TABLE_CHUNK_PAGES);

	f->env = (struct bpf_modules_env){
		.maps = {.chunks_fd = make_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, TABLE_MAX_CHUNKS,
					       0, chunk),
			 .rules_fd = mapped_array(sizeof(struct unwind_rule), UNWIND_MAX_RULES),
			 .modules_fd = mapped_array(sizeof(struct module_table), MODULE_SLOTS)},
		.modules_fd = make_map(BPF_MAP_TYPE_HASH, 8, 4, 64, 0, 0),
	};
	close(chunk);
	CHECK_INT(bpf_modules_new(&f->env, &f->b), 0);
}

static void teardown(struct fixture *f)
{
	bpf_modules_free(f->b);
	close(f->env.maps.chunks_fd);
	close(f->env.maps.rules_fd);
	close(f->env.maps.modules_fd);
	close(f->env.modules_fd);
}

/* This is the mapping of this program's code as the kernel's record describes it. */
static struct map_entry our_code(map_vec *maps)
{
	CHECK_INT(maps_read(getpid(), maps), 0);
	vec_for_each(maps, e) {
		if (e->start <= (u64)(uintptr_t)our_code && (u64)(uintptr_t)our_code < e->end)
			return *e;
	}
	unit_fail(__FILE__, __LINE__, "no mapping of our own code");
}

static void record(struct fixture *f, pid_t tgid, const struct map_entry *e, u64 token)
{
	const struct module_record r = {.kind = RECORD_MODULE,
					.tgid = pid_to_proc(tgid),
					.inode = token,
					.start = e->start,
					.end = e->end,
					.offset = e->offset};
	u32 loading = 0;

	CHECK_INT(bpf_map_update_elem(f->env.modules_fd, &token, &loading, BPF_ANY), 0);
	bpf_modules_record(f->b, &r);
}

/* It is -1 if the kernel would send a request. */
static int number_seen(struct fixture *f, u64 token)
{
	u32 number;

	return bpf_map_lookup_elem(f->env.modules_fd, &token, &number) ? -1 : (int)number;
}

TEST(bpf_modules, a_file_has_one_number_whoever_asks)
{
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);
	struct module_table mt;
	struct fixture f;
	u32 number;

	setup(&f);
	record(&f, getpid(), &e, 42);
	CHECK(bpf_modules_wait(f.b));
	number = (u32)number_seen(&f, 42);
	CHECK(number >= MODULE_FIRST_FILE && number < MODULE_MAX);
	CHECK_INT(bpf_map_lookup_elem(f.env.maps.modules_fd, &number, &mt), 0);
	CHECK_INT(mt.has_table, 1);
	/* An overlay shows the kernel another inode than maps does. */
	record(&f, getpid(), &e, 43);
	CHECK(bpf_modules_wait(f.b));
	CHECK_INT(number_seen(&f, 43), number);
	CHECK_INT(bpf_modules_number(f.b, getpid(), &e), number);
	CHECK_INT(bpf_modules_count(f.b), 1);
	CHECK(!bpf_modules_wait(f.b));
	teardown(&f);
	maps_release(&maps);
}

TEST(bpf_modules, a_stack_asks_once)
{
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);
	struct fixture f;

	setup(&f);
	CHECK_INT(bpf_modules_number(f.b, getpid(), &e), -EAGAIN);
	CHECK_INT(bpf_modules_number(f.b, getpid(), &e), -EAGAIN);
	/* The kernel reports it meanwhile. */
	record(&f, getpid(), &e, 42);
	CHECK(bpf_modules_wait(f.b));
	CHECK(bpf_modules_number(f.b, getpid(), &e) >= MODULE_FIRST_FILE);
	CHECK_INT(number_seen(&f, 42), bpf_modules_number(f.b, getpid(), &e));
	teardown(&f);
	maps_release(&maps);
}

static pid_t dead_process(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
	return pid;
}

/* For a file that appears and disappears with its processes the kernel may send requests, but not
 * for each of its samples. */
TEST(bpf_modules, what_is_gone_is_asked_for_less_and_less)
{
	map_vec maps = {0};
	struct map_entry e = our_code(&maps);
	pid_t gone = dead_process();
	int asked = 0, unknown = 0;
	struct fixture f;

	setup(&f);
	for (int i = 0; i < 200; i++) {
		if (number_seen(&f, 42) < 0) {
			record(&f, gone, &e, 42);
			bpf_modules_wait(f.b);
			asked++;
		}
		unknown += number_seen(&f, 42) == MODULE_UNKNOWN;
		bpf_modules_take(f.b);
		usleep(1000);
	}
	CHECK(asked >= 4 && asked < 50);
	CHECK(unknown >= 1);
	teardown(&f);
	maps_release(&maps);
}

/* A file that a user's file system hides even from root, or that is no longer a file, is not tried
 * again for a second. */
TEST(bpf_modules, what_cannot_be_opened_is_not_tried_at_each_sample)
{
	struct map_entry e = {.start = 4096,
			      .end = 8192,
			      .inode = 77,
			      .executable = true,
			      .path = (char *)"not a path"};
	struct fixture f;

	setup(&f);
	CHECK_INT(bpf_modules_number(f.b, getpid(), &e), -EAGAIN);
	CHECK(bpf_modules_wait(f.b));
	for (int i = 0; i < 1000; i++)
		CHECK_INT(bpf_modules_number(f.b, getpid(), &e), -ENOENT);
	CHECK(!bpf_modules_wait(f.b));
	teardown(&f);
}
