/* SPDX-License-Identifier: Apache-2.0 */
/* The files behind mappings: deleted, replaced, and of processes that are gone. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child_fixture.h"
#include "target/mapped_file.h"

#define SIZE 4096

/* A file with one letter in it, which this process maps. */
struct mapped {
	char dir[32], path[64], old[64];
	u8 *at;
};

static void write_letter(const char *path, int letter)
{
	char text[SIZE];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	memset(text, letter, sizeof(text));
	CHECK_INT(write(fd, text, sizeof(text)), SIZE);
	close(fd);
}

static void map_file(struct mapped *m)
{
	int fd;

	snprintf(m->dir, sizeof(m->dir), "/tmp/unit.XXXXXX");
	CHECK(mkdtemp(m->dir) != NULL);
	snprintf(m->path, sizeof(m->path), "%s/file", m->dir);
	snprintf(m->old, sizeof(m->old), "%s/old", m->dir);
	write_letter(m->path, 'a');
	fd = open(m->path, O_RDONLY | O_CLOEXEC);
	m->at = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(m->at != MAP_FAILED);
	close(fd);
}

static void clean_up(struct mapped *m)
{
	unlink(m->path);
	rmdir(m->dir);
}

/* Copies the entry, without its path. */
static struct map_entry entry_of(const struct mapped *m)
{
	struct map_entry found = {0};
	map_vec maps = {0};

	CHECK_INT(maps_read(getpid(), &maps), 0);
	vec_for_each(&maps, e) {
		if (e->start == (u64)(uintptr_t)m->at)
			found = *e;
	}
	CHECK(found.inode);
	found.path = (char *)m->path;
	maps_release(&maps);
	return found;
}

/* Returns the first letter of what is opened, or the error. */
static int letter_of(pid_t tgid, const struct target_root *root, const struct map_entry *e)
{
	struct input_file in;
	int err = mapped_file_open(tgid, root, e, &in);
	u8 letter;

	if (err)
		return err;
	CHECK_INT(input_file_read(&in, &letter, 1, 0), 1);
	input_file_close(&in);
	return letter;
}

TEST(mapped_file, a_deleted_and_a_replaced_file_are_still_opened)
{
	struct target_root none = TARGET_ROOT_NONE;
	struct map_entry e;
	struct mapped m;

	map_file(&m);
	e = entry_of(&m);
	CHECK_INT(letter_of(getpid(), &none, &e), 'a');
	unlink(m.path);
	CHECK_INT(letter_of(getpid(), &none, &e), 'a');
	write_letter(m.path, 'b');
	CHECK_INT(letter_of(getpid(), &none, &e), 'a');
	clean_up(&m);
}

TEST(mapped_file, once_it_is_unmapped_its_path_serves_while_it_is_the_same_file)
{
	struct target_root ours;
	struct map_entry e;
	struct mapped m;

	map_file(&m);
	e = entry_of(&m);
	munmap(m.at, SIZE);
	CHECK_INT(target_root_ours(&ours), 0);
	CHECK_INT(letter_of(getpid(), &ours, &e), 'a');
	/* The old file stays, so that the new one cannot get its inode. */
	CHECK_INT(rename(m.path, m.old), 0);
	write_letter(m.path, 'b');
	CHECK_INT(letter_of(getpid(), &ours, &e), -ESTALE);
	unlink(m.path);
	CHECK_INT(letter_of(getpid(), &ours, &e), -ESTALE);
	unlink(m.old);
	target_root_release(&ours);
	clean_up(&m);
}

static void end_at_once(int ready, const void *arg)
{
	child_ready(ready);
}

TEST(mapped_file, of_a_process_that_is_gone_nothing_is_opened)
{
	struct target_root none = TARGET_ROOT_NONE;
	pid_t gone = child_start(end_at_once, NULL);
	struct map_entry e;
	struct mapped m;

	map_file(&m);
	e = entry_of(&m);
	child_end(gone);
	CHECK_INT(letter_of(gone, &none, &e), -ESRCH);
	clean_up(&m);
}

TEST(mapped_file, the_path_of_a_mapping)
{
	const struct map_entry e = {.start = 0x7f0012345000, .end = 0x7f0012347000};
	char path[MAPPED_FILE_PATH_SIZE];

	mapped_file_path(42, &e, path);
	CHECK_STR(path, "/proc/42/map_files/7f0012345000-7f0012347000");
}
