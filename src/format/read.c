/* SPDX-License-Identifier: Apache-2.0 */
/* Loads files of any form that can be read: see read.h. */
#include "format/read.h"

#include <errno.h>
#include <string.h>

#include "format/input.h"

/* ---- telling the formats apart --------------------------------------------------------------- */

#define TEXT_LOOKED_AT (64u << 10)
#define CONTROLS_MAX 16 /* in text, fewer than one of so many bytes is a control */

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
	struct input plain;
	int ret;

	if (!input_is_gzip(data))
		return read_plain(data, notes, out, err);
	ret = input_inflate(&plain, data, err);
	if (ret)
		return ret;
	ret = read_plain((struct bytes){plain.data, plain.len}, notes, out, err);
	input_release(&plain);
	return ret;
}

int format_read_file(const char *path, struct read_notes *notes, struct profile **out,
		     struct error *err)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	struct error own = {0};
	struct input in;
	int ret = input_load(&in, path, &own);

	if (!ret)
		ret = read_plain((struct bytes){in.data, in.len}, notes, out, &own);
	input_release(&in);
	if (ret)
		error_set(err, ret, "cannot read %s: %s", name,
			  own.code ? own.text : error_reason(ret));
	return ret;
}
