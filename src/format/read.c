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

#define TEXT_LOOKED_AT (64u << 10)
#define CONTROLS_MAX 16 /* in text, fewer than one of so many bytes is a control */

static bool is_gzip(struct bytes d)
{
	return d.len >= 2 && d.data[0] == 0x1f && d.data[1] == 0x8b;
}

/* A profile.proto is full of small numbers, and of the byte 0 for its first string. */
static bool is_text(struct bytes d)
{
	size_t len = d.len < TEXT_LOOKED_AT ? d.len : TEXT_LOOKED_AT, controls = 0;

	for (size_t i = 0; i < len; i++) {
		if (!d.data[i])
			return false;
		controls += d.data[i] < ' ' && !strchr("\t\n\r", d.data[i]);
	}
	return len && controls * CONTROLS_MAX < len;
}

/* Returns whether a field header of the message Profile comes first. */
static bool is_pprof(struct bytes d)
{
	u32 field = d.len ? d.data[0] >> 3 : 0, type = d.len ? d.data[0] & 7 : 0;

	return field >= 1 && field <= 15 && (type == 0 || type == 2);
}

static const struct kind_of_file {
	const char *name;
	profile_recognizer *is;
	profile_reader *read;
} kinds_of_file[] = {
	{"a CPU profile of gperftools", gperftools_is_cpu, gperftools_read_cpu},
	{"a heap profile of gperftools or Go", heap_text_is, heap_text_read},
	{"a heap profile of jemalloc", jemalloc_is, jemalloc_read},
	{"a profile of a Java agent", java_text_is, java_text_read},
	{"a contention profile", contention_text_is, contention_text_read},
	{"a list of threads (threadz)", threadz_is, threadz_read},
	{"a text profile of Go", counts_text_is, counts_text_read},
	{"text", is_text, folded_read},
	{"a pprof profile", is_pprof, pprof_read},
};

/* Files that users take for profiles. Text may also be folded stacks that begin so. */
static const struct other_file {
	const char *magic;
	size_t len;
	bool text;
	const char *name, *next;
} other_files[] = {
#define BINARY(magic_) (magic_), sizeof(magic_) - 1, false
#define TEXT(magic_) (magic_), sizeof(magic_) - 1, true
	{BINARY("PERFILE2"), "a recording of perf",
	 "perf script | stackcollapse-perf.pl makes folded stacks of it"},
	{BINARY("FLR\0"), "a recording of Java Flight Recorder",
	 "jfrconv of async-profiler makes folded stacks of it"},
	{BINARY("\x7f"
		"ELF"),
	 "a program or a library", "cprof cpu -- PROGRAM records a profile"},
	{BINARY("\xff\xfe"), "UTF-16 text", "iconv -f UTF-16 -t UTF-8 makes UTF-8 of it"},
	{BINARY("\xfe\xff"), "UTF-16 text", "iconv -f UTF-16 -t UTF-8 makes UTF-8 of it"},
	{TEXT("goroutine "), "a dump of the stacks of goroutines (?debug=2)",
	 "get it with ?debug=1"},
	{TEXT("<"), "a page or a picture", "convert the profile that it was made of"},
	{TEXT("{"), "JSON", "convert the profile that it was made of"},
};

/* Returns 0 if it is not one of these. */
static int other_file(struct bytes data, bool text, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(other_files); i++) {
		const struct other_file *f = &other_files[i];

		if (f->text == text && data.len >= f->len && !memcmp(data.data, f->magic, f->len))
			return error_set(err, -EBADMSG, "this is %s, which cprof does not read: %s",
					 f->name, f->next);
	}
	return 0;
}

/* Editors and shells put this mark in front of UTF-8. */
static struct bytes without_mark(struct bytes d)
{
	if (d.len >= 3 && !memcmp(d.data, "\xef\xbb\xbf", 3))
		return (struct bytes){d.data + 3, d.len - 3};
	return d;
}

static int read_as(const struct kind_of_file *kind, struct bytes data, struct read_notes *notes,
		   struct profile **out, struct error *err)
{
	struct error own = {0};
	int ret = kind->read(data, notes, out, &own);

	if (ret == -EBADMSG && kind->read == folded_read && other_file(data, true, err))
		return ret;
	if (ret)
		error_set(err, ret, "this is %s, but %s", kind->name,
			  own.code ? own.text : error_reason(ret));
	return ret;
}

static int read_plain(struct bytes data, struct read_notes *notes, struct profile **out,
		      struct error *err)
{
	data = without_mark(data);
	if (!data.len)
		return error_set(err, -ENODATA, "the file is empty");
	if (other_file(data, false, err))
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_LEN(kinds_of_file); i++) {
		if (kinds_of_file[i].is(data))
			return read_as(&kinds_of_file[i], data, notes, out, err);
	}
	return error_set(err, -EBADMSG, "this is none of the formats that cprof reads");
}

int format_read_bytes(struct bytes data, struct read_notes *notes, struct profile **out,
		      struct error *err)
{
	u8 *plain = NULL;
	size_t len = 0;
	int ret;

	if (!is_gzip(data))
		return read_plain(data, notes, out, err);
	ret = gunzip(data, &plain, &len, err);
	if (ret)
		return ret;
	ret = read_plain((struct bytes){plain, len}, notes, out, err);
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

int format_read_file(const char *path, struct read_notes *notes, struct profile **out,
		     struct error *err)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	struct buffer b = {0};
	struct error own = {0};
	int ret = load(path, &b);

	if (ret)
		error_set(&own, ret, "%s",
			  ret == -EFBIG ? "the file is too large" : error_reason(ret));
	else
		ret = format_read_bytes((struct bytes){b.data, b.len}, notes, out, &own);
	free(b.data);
	if (ret)
		error_set(err, ret, "cannot read %s: %s", name,
			  own.code ? own.text : error_reason(ret));
	return ret;
}
