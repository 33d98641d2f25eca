/* SPDX-License-Identifier: Apache-2.0 */
/* Loads files, gzipped or not: see input.h. */
#include "format/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/vec.h"

#define FILE_MAX (512u << 20)
#define INFLATED_MAX (512u << 20)
/* Profiles shrink to a tenth, and deflate's limit is about 1000. Small data may have any ratio. */
#define RATIO_MAX 250u
#define RATIO_FREE (64u << 20)
#define GZIP_WINDOW (15 + 16)
#define CHUNK_BYTES (128u << 10)

void input_release(struct input *in)
{
	free(in->data);
	*in = (struct input){0};
}

bool input_is_gzip(struct bytes d)
{
	return d.len >= 2 && d.data[0] == 0x1f && d.data[1] == 0x8b;
}

static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "not enough memory");
}

/* ---- gzip ------------------------------------------------------------------------------------ */

struct inflater {
	z_stream z;
	int fd; /* -1 if all of the data is in memory */
	u8 *chunk; /* what was read of it last */
	size_t taken; /* bytes of the file so far, or of the data */
	struct input *out;
	struct error *err;
};

static size_t inflated_max(size_t len)
{
	size_t max = len < INFLATED_MAX / RATIO_MAX ? len * RATIO_MAX : INFLATED_MAX;

	return max < RATIO_FREE ? RATIO_FREE : max;
}

/* Reads more of the file after what has not been inflated yet; at its end nothing comes. */
static int refill(struct inflater *i)
{
	ssize_t n;

	if (i->fd < 0)
		return 0;
	memmove(i->chunk, i->z.next_in, i->z.avail_in);
	i->z.next_in = i->chunk;
	do {
		n = read(i->fd, i->chunk + i->z.avail_in, CHUNK_BYTES - i->z.avail_in);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(i->err, -errno, "%s", error_reason(-errno));
	i->z.avail_in += (uInt)n;
	i->taken += (size_t)n;
	if (i->taken > FILE_MAX)
		return error_set(i->err, -EFBIG, "the file is too large");
	return 0;
}

/* Returns 1 at the end of a member, 0 before it. */
static int inflate_step(struct inflater *i)
{
	struct input *out = i->out;
	z_stream *z = &i->z;
	size_t space;
	int ret;

	if (out->len == out->cap && vec_reserve(out, out->cap ? out->cap + 1 : 65536))
		return no_memory(i->err);
	space = out->cap - out->len;
	z->next_out = out->data + out->len;
	z->avail_out = space > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)space;
	space = z->avail_out;
	ret = inflate(z, Z_NO_FLUSH);
	out->len += space - z->avail_out;
	if (ret == Z_MEM_ERROR)
		return no_memory(i->err);
	if (ret == Z_BUF_ERROR)
		return error_set(i->err, -EBADMSG, "the gzip data ends too early");
	if (ret != Z_OK && ret != Z_STREAM_END)
		return error_set(i->err, -EBADMSG, "the gzip data is damaged");
	if (out->len > inflated_max(i->taken))
		return error_set(i->err, -EFBIG,
				 "the gzip data inflates to more than a profile would");
	return ret == Z_STREAM_END;
}

static int inflate_members(struct inflater *i)
{
	for (;;) {
		int ret = i->z.avail_in < 2 ? refill(i) : 0;

		if (!ret)
			ret = inflate_step(i);
		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		ret = i->z.avail_in < 2 ? refill(i) : 0;
		/* What follows is another member, or padding, which gzip(1) also ignores. */
		if (ret || !input_is_gzip((struct bytes){i->z.next_in, i->z.avail_in}))
			return ret;
		if (inflateReset(&i->z) != Z_OK)
			return error_set(i->err, -EBADMSG, "the gzip data is damaged");
	}
}

static int inflate_all(struct inflater *i)
{
	int ret;

	if (inflateInit2(&i->z, GZIP_WINDOW) != Z_OK)
		return no_memory(i->err);
	ret = inflate_members(i);
	inflateEnd(&i->z);
	if (ret)
		input_release(i->out);
	return ret;
}

int input_inflate(struct input *in, struct bytes data, struct error *err)
{
	struct inflater i = {.z = {.next_in = (u8 *)data.data, .avail_in = (uInt)data.len},
			     .fd = -1,
			     .taken = data.len,
			     .out = in,
			     .err = err};

	*in = (struct input){0};
	if (data.len > FILE_MAX)
		return error_set(err, -EFBIG, "the file is too large");
	return inflate_all(&i);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Appends up to `most` bytes, fewer only at the end. */
static int read_some(int fd, struct input *in, size_t most)
{
	size_t end = in->len + most;

	while (in->len < end) {
		ssize_t n;

		if (in->len == in->cap && vec_reserve(in, in->cap ? in->cap + 1 : CHUNK_BYTES))
			return -ENOMEM;
		n = read(fd, in->data + in->len, in->cap < end ? in->cap - in->len : end - in->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		in->len += (size_t)n;
	}
	return 0;
}

/* The first chunk is there. */
static int inflate_file(int fd, struct input *in, struct error *err)
{
	struct input out = {0};
	struct inflater i = {.z = {.next_in = in->data, .avail_in = (uInt)in->len},
			     .fd = fd,
			     .chunk = in->data,
			     .taken = in->len,
			     .out = &out,
			     .err = err};
	int ret = inflate_all(&i);

	input_release(in);
	*in = out;
	return ret;
}

static int load_file(int fd, struct input *in, struct error *err)
{
	int ret = read_some(fd, in, CHUNK_BYTES);
	struct stat st;

	if (!ret && input_is_gzip((struct bytes){in->data, in->len}))
		return inflate_file(fd, in, err);
	/* If the size is known, one allocation is enough. */
	if (!ret && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= FILE_MAX)
		ret = vec_reserve(in, (size_t)st.st_size + 1);
	if (!ret)
		ret = read_some(fd, in, FILE_MAX);
	if (!ret && in->len > FILE_MAX)
		ret = -EFBIG;
	if (!ret)
		return 0;
	input_release(in);
	return error_set(err, ret, "%s",
			 ret == -EFBIG ? "the file is too large" : error_reason(ret));
}

int input_load(struct input *in, const char *path, struct error *err)
{
	int fd = STDIN_FILENO, ret;

	*in = (struct input){0};
	if (strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return error_set(err, -errno, "%s", error_reason(-errno));
	}
	ret = load_file(fd, in, err);
	if (fd != STDIN_FILENO)
		close(fd);
	return ret;
}
