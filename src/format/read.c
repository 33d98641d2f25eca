/* SPDX-License-Identifier: Apache-2.0 */
/* Loads files of any form that can be read: see read.h. */
#include "format/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FILE_MAX (512u << 20)
#define INFLATED_MAX (512u << 20)
/* Profiles shrink to a tenth, and deflate's limit is about 1000. Small data may have any ratio. */
#define RATIO_MAX 250u
#define RATIO_FREE (64u << 20)
#define GZIP_WINDOW (15 + 16)

struct buffer {
	u8 *data;
	size_t len, cap;
};

/* ---- gzip ------------------------------------------------------------------------------------ */

static size_t inflated_max(size_t len)
{
	size_t max = len < INFLATED_MAX / RATIO_MAX ? len * RATIO_MAX : INFLATED_MAX;

	return max < RATIO_FREE ? RATIO_FREE : max;
}

/* Returns 1 at the end of a member, 0 before it. */
static int inflate_step(z_stream *z, struct buffer *b, size_t max, struct error *err)
{
	size_t space;
	int ret;

	if (b->len == b->cap && vec_reserve(b, b->cap ? b->cap + 1 : 65536))
		return error_set(err, -ENOMEM, "not enough memory");
	space = b->cap - b->len;
	z->next_out = b->data + b->len;
	z->avail_out = space > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)space;
	space = z->avail_out;
	ret = inflate(z, Z_NO_FLUSH);
	b->len += space - z->avail_out;
	if (ret == Z_MEM_ERROR)
		return error_set(err, -ENOMEM, "not enough memory");
	if (ret == Z_BUF_ERROR || (ret == Z_OK && !z->avail_in && z->avail_out))
		return error_set(err, -EBADMSG, "the gzip data ends too early");
	if (ret != Z_OK && ret != Z_STREAM_END)
		return error_set(err, -EBADMSG, "the gzip data is damaged");
	if (b->len > max)
		return error_set(err, -EFBIG,
				 "the gzip data inflates to more than a profile would");
	return ret == Z_STREAM_END;
}

static int inflate_members(z_stream *z, struct buffer *b, struct error *err)
{
	const size_t max = inflated_max(z->avail_in);

	for (;;) {
		int ret = inflate_step(z, b, max, err);

		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		/* What follows is another member, or padding, which gzip(1) also ignores. */
		if (z->avail_in < 2 || z->next_in[0] != 0x1f || z->next_in[1] != 0x8b)
			return 0;
		if (inflateReset(z) != Z_OK)
			return error_set(err, -EBADMSG, "the gzip data is damaged");
	}
}

int gunzip(struct bytes data, u8 **out, size_t *len, struct error *err)
{
	z_stream z = {.next_in = (u8 *)data.data, .avail_in = (uInt)data.len};
	struct buffer b = {0};
	int ret;

	if (data.len > FILE_MAX)
		return error_set(err, -EFBIG, "the file is too large");
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return error_set(err, -ENOMEM, "not enough memory");
	ret = inflate_members(&z, &b, err);
	inflateEnd(&z);
	if (ret) {
		free(b.data);
		return ret;
	}
	*out = b.data;
	*len = b.len;
	return 0;
}

/* ---- telling the formats apart --------------------------------------------------------------- */

static bool is_gzip(struct bytes d)
{
	return d.len >= 2 && d.data[0] == 0x1f && d.data[1] == 0x8b;
}

/*
 * Folded text consists of lines that end in a number, without control bytes. A profile.proto begins
 * with a field header: 0x0a (sample_type, a line feed) or another byte below 0x20, which is not
 * printable text.
 */
static bool looks_folded(struct bytes d)
{
	size_t i = 0, end;

	while (i < d.len && (d.data[i] == '\n' || d.data[i] == '\r'))
		i++;
	if (i && i < d.len && d.data[i] < ' ')
		return false;
	end = i;
	while (end < d.len && end - i < 65536 && d.data[end] != '\n') {
		if (d.data[end] < ' ' && d.data[end] != '\t' && d.data[end] != '\r')
			return false;
		end++;
	}
	while (end > i && (d.data[end - 1] == '\r' || d.data[end - 1] == ' '))
		end--;
	return end > i && (d.data[i] == '#' || (d.data[end - 1] >= '0' && d.data[end - 1] <= '9'));
}

static int read_plain(struct bytes data, struct profile **out, struct error *err)
{
	if (!data.len)
		return error_set(err, -ENODATA, "the file is empty");
	if (gperftools_is_cpu(data))
		return gperftools_read_cpu(data, out, err);
	if (gperftools_is_heap(data))
		return gperftools_read_heap(data, out, err);
	if (looks_folded(data))
		return folded_read(data, out, err);
	return pprof_read(data, out, err);
}

int format_read_bytes(struct bytes data, struct profile **out, struct error *err)
{
	u8 *plain = NULL;
	size_t len = 0;
	int ret;

	if (!is_gzip(data))
		return read_plain(data, out, err);
	ret = gunzip(data, &plain, &len, err);
	if (ret)
		return ret;
	ret = read_plain((struct bytes){plain, len}, out, err);
	free(plain);
	return ret;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int read_all(int fd, struct buffer *b)
{
	for (;;) {
		ssize_t n;

		if (b->len > FILE_MAX)
			return -EFBIG;
		if (b->len == b->cap && vec_reserve(b, b->cap ? b->cap + 1 : 65536))
			return -ENOMEM;
		n = read(fd, b->data + b->len, b->cap - b->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		b->len += (size_t)n;
	}
}

static int load(const char *path, struct buffer *b)
{
	int fd = STDIN_FILENO, ret;
	struct stat st;

	if (strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return -errno;
	}
	/* If the size is known, one allocation is enough. */
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX &&
	    vec_reserve(b, (size_t)st.st_size + 1))
		ret = -ENOMEM;
	else
		ret = read_all(fd, b);
	if (fd != STDIN_FILENO)
		close(fd);
	return ret;
}

int format_read_file(const char *path, struct profile **out, struct error *err)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	struct buffer b = {0};
	struct error own = {0};
	int ret = load(path, &b);

	if (ret)
		error_set(&own, ret, "%s",
			  ret == -EFBIG ? "the file is too large" : error_reason(ret));
	else
		ret = format_read_bytes((struct bytes){b.data, b.len}, out, &own);
	free(b.data);
	if (ret)
		error_set(err, ret, "cannot read %s: %s", name,
			  own.code ? own.text : error_reason(ret));
	return ret;
}
