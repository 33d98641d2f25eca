/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of a file that a reader fills in: see served_file.h. */
#include "base/served_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* This reserves addresses and not memory; only the fetched parts of a file occupy any. */
#define SIZE_MAX_SERVED (16ull << 30)

struct served_file {
	struct reader_link *link;
	u32 number;
	int memory; /* until the reader has it; -1 after that */
	u64 size;
	u8 *image;
	u8 *have; /* one flag per block */
	pthread_mutex_t lock;
	char path[READERS_PATH_MAX];
};

/* The memory must not shrink, so that reading the image cannot raise SIGBUS. */
static int make_memory(u64 size)
{
	int fd = memfd_create("cprof-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)size) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	close(fd);
	return -errno;
}

static int map_image(struct served_file *f)
{
	void *image;

	f->have = calloc(f->size / SERVED_BLOCK + 1, sizeof(*f->have));
	if (!f->have)
		return -ENOMEM;
	f->memory = make_memory(f->size);
	if (f->memory < 0)
		return f->memory;
	if (!f->size)
		return 0;
	image = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->memory, 0);
	if (image == MAP_FAILED)
		return -errno;
	f->image = image;
	return 0;
}

int served_file_new(struct reader_link *link, u32 number, u64 size, const char *path,
		    struct served_file **out)
{
	struct served_file *f = calloc(1, sizeof(*f));
	int err = size > SIZE_MAX_SERVED ? -EFBIG : 0;

	if (!f) {
		reader_link_close(link, number);
		return -ENOMEM;
	}
	f->link = link;
	f->number = number;
	f->memory = -1;
	f->size = size;
	strncpy(f->path, path, sizeof(f->path) - 1);
	pthread_mutex_init(&f->lock, NULL);
	if (!err)
		err = map_image(f);
	if (err)
		served_file_free(f);
	else
		*out = f;
	return err;
}

void served_file_free(struct served_file *f)
{
	reader_link_close(f->link, f->number);
	if (f->image)
		munmap(f->image, f->size);
	if (f->memory >= 0)
		close(f->memory);
	pthread_mutex_destroy(&f->lock);
	free(f->have);
	free(f);
}

struct bytes served_file_image(const struct served_file *f)
{
	return (struct bytes){f->image, f->size};
}

static int fetch_blocks(struct served_file *f, u64 first, u64 end)
{
	u64 at = first * SERVED_BLOCK, stop = end * SERVED_BLOCK;
	int err;

	if (stop > f->size)
		stop = f->size;
	err = reader_link_fetch(f->link, f->number, f->memory, at, stop - at, f->path);
	if (err)
		return err;
	memset(f->have + first, 1, end - first);
	if (f->memory >= 0)
		close(f->memory);
	f->memory = -1;
	return 0;
}

int served_file_fetch(struct served_file *f, u64 at, u64 len)
{
	u64 block, end;
	int err = 0;

	if (at > f->size || len > f->size - at)
		return -EINVAL;
	if (!len)
		return 0;
	end = (at + len - 1) / SERVED_BLOCK + 1;
	pthread_mutex_lock(&f->lock);
	for (block = at / SERVED_BLOCK; block < end && !err;) {
		u64 first = block;

		while (block < end && !f->have[block])
			block++;
		if (block > first)
			err = fetch_blocks(f, first, block);
		else
			block++;
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}
