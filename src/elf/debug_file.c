/* SPDX-License-Identifier: Apache-2.0 */
/* Tries the places where a separate debug file may be, and checks that it is the right one. */
#include "elf/debug_file.h"

#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/regular_file.h"

#define DEBUG_DIR "/usr/lib/debug"
#define MINI_MAX (256u << 20)
#define MINI_MEMORY_MAX (96ull << 20) /* the memory of the decoder; the xz preset -9 needs 65 MiB */
/* xz can reach 7000:1, while symbol tables reach some 10:1. The budget's minimum lets small
 * sections unpack at any ratio. */
#define MINI_RATIO_MAX 64u
#define MINI_ALWAYS (16u << 20)
#define MINI_PIECE (4u << 20)
#define MINI_STEPS 6 /* nanoseconds a byte */
#define CRC_CHUNK (64u << 10)
/* A file may be sparse, so this bounds the bytes that are read for its checksum. */
#define CRC_MAX (1ull << 30)

/* Describes which debug file is acceptable. */
struct wanted {
	struct elf_file *of; /* the file that it belongs to, whose budget pays for reading it */
	struct build_id id; /* if len is 0, the CRC decides */
	u32 crc;
	const struct target_root *root;
};

/* ---- checking a candidate -------------------------------------------------------------------- */

static bool crc_fits(const struct wanted *w, struct input_file *in)
{
	struct budget *budget = elf_file_budget(w->of);
	u8 *chunk = malloc(CRC_CHUNK);
	uLong crc = crc32(0, NULL, 0);
	ssize_t got = -1;
	u64 at = 0;

	if (in->size > CRC_MAX) {
		free(chunk);
		return false;
	}
	while (chunk && budget_look(budget, BUDGET_SECTIONS, CRC_CHUNK / 2) &&
	       (got = input_file_read(in, chunk, CRC_CHUNK, at)) > 0) {
		crc = crc32(crc, chunk, (uInt)got);
		at += (u64)got;
	}
	free(chunk);
	return got == 0 && crc == w->crc;
}

static bool id_fits(const struct build_id *have, const struct build_id *want)
{
	return have->len == want->len && !memcmp(have->data, want->data, want->len);
}

/* This check is needed because a debuglink may lead back to the stripped file itself. */
static bool tells_something(struct elf_file *f)
{
	static const char *const sections[] = {".debug_info", ".symtab", ".debug_frame"};
	struct elf_section s;

	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (!elf_file_section_header(f, sections[i], &s))
			return true;
	return false;
}

/* Takes over the input. */
static bool try_open(const struct wanted *w, struct input_file *in, struct elf_file **out)
{
	if (!w->id.len && !crc_fits(w, in)) {
		input_file_close(in);
		return false;
	}
	if (elf_file_open_input(in, out))
		return false;
	elf_file_share_budget(*out, w->of);
	if ((!w->id.len || id_fits(elf_file_build_id(*out), &w->id)) && tells_something(*out))
		return true;
	elf_file_free(*out);
	*out = NULL;
	return false;
}

/* Package managers put files there. The names come from ELF files and may contain "..". */
static bool is_debug_package(const char *path)
{
	return !strncmp(path, DEBUG_DIR "/", sizeof(DEBUG_DIR)) && !strstr(path, "/../");
}

/* Tries the target's own view first, and then ours, because the host of a container may have the
 * debug packages. */
static bool try_path(const struct wanted *w, struct elf_file **out, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
static bool try_path(const struct wanted *w, struct elf_file **out, const char *fmt, ...)
{
	struct input_file in;
	char path[PATH_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(path))
		return false;
	if (!target_root_input(w->root, path, TARGET_PATH_LINKS, &in) && try_open(w, &in, out))
		return true;
	/* A path that the target chose is only tried inside the target. */
	return is_debug_package(path) && !regular_file_input(w->root->readers, path, &in) &&
	       try_open(w, &in, out);
}

/* ---- places ---------------------------------------------------------------------------------- */

static bool try_build_id(const struct wanted *w, struct elf_file **out)
{
	char hex[2 * BUILD_ID_MAX + 1];

	if (w->id.len < 2)
		return false;
	build_id_format(&w->id, hex, sizeof(hex));
	return try_path(w, out, DEBUG_DIR "/.build-id/%.2s/%s.debug", hex, hex + 2);
}

/* Returns the length of the directory part of an absolute path, without the last slash; -1 for any
 * other path. */
static int directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return path[0] == '/' && slash - path < PATH_MAX ? (int)(slash - path) : -1;
}

/* Returns the borrowed name in .gnu_debuglink, and its CRC. */
static const char *debuglink(struct elf_file *f, u32 *crc)
{
	struct elf_section s;
	const char *name;
	struct cursor c;
	size_t used;

	if (elf_file_section(f, ".gnu_debuglink", &s))
		return NULL;
	c = cursor_over(s.data);
	name = cursor_string(&c);
	used = s.data.len - cursor_left(&c);
	cursor_take(&c, (4 - used % 4) % 4);
	*crc = cursor_u32(&c);
	if (c.bad || !*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return NULL;
	return name;
}

int debug_file_find(struct elf_file *f, const char *path, const struct target_root *root,
		    struct elf_file **out)
{
	struct wanted w = {.of = f, .id = *elf_file_build_id(f), .root = root};
	const char *name;
	int dir;

	*out = NULL;
	if (try_build_id(&w, out))
		return 0;
	name = debuglink(f, &w.crc);
	dir = path ? directory_length(path) : -1;
	if (!name || dir < 0)
		return -ENOENT;
	if (try_path(&w, out, "%.*s/%s", dir, path, name) ||
	    try_path(&w, out, "%.*s/.debug/%s", dir, path, name) ||
	    try_path(&w, out, DEBUG_DIR "%.*s/%s", dir, path, name))
		return 0;
	return -ENOENT;
}

/* Returns the borrowed name in .gnu_debugaltlink, or NULL; a build ID follows it at the cursor. */
static const char *alt_link(struct elf_file *f, struct cursor *c)
{
	struct elf_section s;
	const char *name;

	if (elf_file_section(f, ".gnu_debugaltlink", &s))
		return NULL;
	*c = cursor_over(s.data);
	name = cursor_string(c);
	return name && *name ? name : NULL;
}

void debug_file_alt_name(struct elf_file *f, char *out, size_t size)
{
	struct cursor c;
	const char *name = alt_link(f, &c);

	snprintf(out, size, "%s", name ? name : "");
}

bool debug_file_alt_id(struct elf_file *f, struct build_id *id)
{
	struct cursor c;

	if (!alt_link(f, &c) || cursor_left(&c) < 2 || cursor_left(&c) > BUILD_ID_MAX)
		return false;
	id->len = (u8)cursor_left(&c);
	memcpy(id->data, c.pos, id->len);
	return true;
}

int debug_file_alt(struct elf_file *f, const char *path, const struct target_root *root,
		   struct elf_file **out)
{
	struct wanted w = {.of = f, .root = root};
	const char *name, *tail;
	struct cursor c;
	int dir;

	*out = NULL;
	name = alt_link(f, &c);
	if (!name || !debug_file_alt_id(f, &w.id))
		return -ENOENT;
	if (try_build_id(&w, out))
		return 0;
	dir = path ? directory_length(path) : -1;
	if (name[0] == '/' ? try_path(&w, out, "%s", name)
			   : dir >= 0 && try_path(&w, out, "%.*s/%s", dir, path, name))
		return 0;
	/* Relative names are relative to the debug file, whose place the caller may not know. */
	tail = strstr(name, "/.dwz/");
	return tail && try_path(&w, out, DEBUG_DIR "%s", tail) ? 0 : -ENOENT;
}

/* ---- minidebuginfo --------------------------------------------------------------------------- */

static int mini_error(lzma_ret ret)
{
	if (ret == LZMA_MEMLIMIT_ERROR)
		return -E2BIG;
	return ret == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static size_t mini_max(size_t packed)
{
	size_t max = packed < MINI_MAX / MINI_RATIO_MAX ? packed * MINI_RATIO_MAX : MINI_MAX;

	return max < MINI_ALWAYS ? MINI_ALWAYS : max;
}

/* Fills the buffer in pieces that take a tenth of a second at most, so that the budget can be
 * checked. */
static lzma_ret unpack_some(lzma_stream *stream, struct budget *budget)
{
	size_t space = stream->avail_out;
	lzma_ret ret = LZMA_OK;

	while (ret == LZMA_OK && space) {
		size_t piece = space < MINI_PIECE ? space : MINI_PIECE;

		if (!budget_look(budget, BUDGET_SECTIONS, MINI_STEPS * piece))
			return LZMA_MEMLIMIT_ERROR;
		stream->avail_out = piece;
		ret = lzma_code(stream, LZMA_FINISH);
		space -= piece - stream->avail_out;
	}
	return ret;
}

/* Unpacks into a buffer that doubles as needed. */
static int unpack(lzma_stream *stream, struct budget *budget, u8 **data, size_t *len)
{
	size_t cap = 1u << 20, max = mini_max(stream->avail_in);
	lzma_ret ret = LZMA_OK;
	u8 *grown;

	for (*data = NULL; ret == LZMA_OK; cap *= 2) {
		size_t done = stream->total_out;

		if (cap > max)
			return -EBADMSG;
		if (!budget_reserve(budget, BUDGET_SECTIONS, cap - done))
			return -E2BIG;
		grown = realloc(*data, cap);
		if (!grown)
			return -ENOMEM;
		*data = grown;
		stream->next_out = grown + done;
		stream->avail_out = cap - done;
		ret = unpack_some(stream, budget);
	}
	*len = stream->total_out;
	return ret == LZMA_STREAM_END ? 0 : mini_error(ret);
}

int debug_file_mini(struct elf_file *f, struct elf_file **out)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	struct elf_section s;
	u8 *data = NULL;
	lzma_ret ret;
	size_t len;
	int err;

	*out = NULL;
	err = elf_file_section(f, ".gnu_debugdata", &s);
	if (err)
		return err;
	ret = lzma_stream_decoder(&stream, MINI_MEMORY_MAX, 0);
	if (ret != LZMA_OK)
		return mini_error(ret);
	stream.next_in = s.data.data;
	stream.avail_in = s.data.len;
	err = unpack(&stream, elf_file_budget(f), &data, &len);
	lzma_end(&stream);
	if (err)
		free(data);
	else
		err = elf_file_adopt_memory(data, len, out);
	if (!err)
		elf_file_share_budget(*out, f);
	return err == -ENOEXEC || err == -ENOTSUP ? -EBADMSG : err;
}
