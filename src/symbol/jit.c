/* SPDX-License-Identifier: Apache-2.0 */
/* Reads perf maps: files in a world-writable directory, written by the program that is profiled. */
#include "symbol/jit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/vec.h"
#include "symbol/text_file.h"

struct jit_entry {
	u64 start, end;
	const char *name; /* into text; its place there is also the order of the lines */
};

typedef VEC(struct jit_entry) entry_vec;

struct jit_map {
	entry_vec entries; /* sorted, without overlap */
	char *text;
	bool cut;
};

/* A hex number up to `stop`, which must follow it; "0x" is tolerated. */
static bool parse_hex(char **at, char stop, u64 *value)
{
	char *p = *at, *start;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	start = p;
	for (*value = 0;; p++) {
		unsigned digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned)(*p - '0');
		else if ((*p | 32) >= 'a' && (*p | 32) <= 'f')
			digit = (unsigned)((*p | 32) - 'a') + 10;
		else
			break;
		if (*value >> 60)
			return false;
		*value = *value << 4 | digit;
	}
	if (p == start || *p != stop)
		return false;
	*at = p + 1;
	return true;
}

/* `line` ends at a NUL. */
static int add_line(entry_vec *entries, char *line)
{
	struct jit_entry e;
	u64 size;

	if (!parse_hex(&line, ' ', &e.start) || !parse_hex(&line, ' ', &size) || !size)
		return 0;
	if (__builtin_add_overflow(e.start, size, &e.end) || !line[0])
		return 0;
	e.name = line;
	return vec_push(entries, e);
}

/* By start; of equal starts the later line first, since it is the one to be kept. */
static int compare(const void *a, const void *b)
{
	const struct jit_entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->name > y->name ? -1 : x->name < y->name;
}

/* The entries that are open at the sweep's place, as a heap: the latest line is on top. */
static void heap_push(entry_vec *heap, struct jit_entry e)
{
	size_t at = heap->len++;

	for (; at && heap->data[(at - 1) / 2].name < e.name; at = (at - 1) / 2)
		heap->data[at] = heap->data[(at - 1) / 2];
	heap->data[at] = e;
}

static void heap_pop(entry_vec *heap)
{
	struct jit_entry e = heap->data[--heap->len];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < heap->len) {
		if (child + 1 < heap->len && heap->data[child + 1].name > heap->data[child].name)
			child++;
		if (heap->data[child].name < e.name)
			break;
		heap->data[at] = heap->data[child];
		at = child;
	}
	heap->data[at] = e;
}

/* Gives [from, to) to the latest of the open entries that reach there. */
static int emit_until(entry_vec *heap, entry_vec *out, u64 from, u64 to)
{
	while (heap->len && from < to) {
		struct jit_entry piece = heap->data[0];

		if (piece.end <= from) {
			heap_pop(heap);
			continue;
		}
		piece.start = from;
		if (piece.end > to)
			piece.end = to;
		if (vec_push(out, piece))
			return -ENOMEM;
		from = piece.end;
	}
	return 0;
}

/* Cuts overlapping entries so that at each place the last line wins: a sweep in O(n log n). */
static int resolve_overlaps(entry_vec *in, entry_vec *out)
{
	entry_vec heap = {0};
	int err;

	if (!in->len)
		return 0;
	err = vec_reserve(&heap, in->len);
	qsort(in->data, in->len, sizeof(*in->data), compare);
	for (size_t i = 0; i < in->len && !err; i++) {
		u64 next = i + 1 < in->len ? in->data[i + 1].start : UINT64_MAX;

		heap_push(&heap, in->data[i]);
		err = emit_until(&heap, out, in->data[i].start, next);
	}
	vec_release(&heap);
	return err;
}

int jit_map_parse(char *text, size_t len, struct jit_map **out)
{
	struct jit_map *map = calloc(1, sizeof(*map));
	char *end = text + len;
	entry_vec all = {0};
	int err = map ? 0 : -ENOMEM;

	for (char *line = text; line < end && !err;) {
		char *stop = memchr(line, '\n', (size_t)(end - line));

		if (!stop)
			break; /* still being written, or cut */
		*stop = 0;
		err = add_line(&all, line);
		line = stop + 1;
	}
	if (!err)
		err = resolve_overlaps(&all, &map->entries);
	vec_release(&all);
	if (err) {
		jit_map_free(map);
		free(text);
		return err;
	}
	map->text = text;
	*out = map;
	return 0;
}

static int open_map(int root_fd, pid_t ns_pid)
{
	struct open_how how = {
		/* O_NONBLOCK: a FIFO must not make us wait for a writer. */
		.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "tmp/perf-%d.map", (int)ns_pid);
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -EPERM : -errno;
	return fd;
}

int jit_map_read(int root_fd, pid_t ns_pid, uid_t uid, struct jit_map **out)
{
	struct text_file file;
	struct stat st;
	int fd, err;

	fd = root_fd < 0 ? -ENOENT : open_map(root_fd, ns_pid);
	if (fd < 0)
		return fd;
	err = fstat(fd, &st) ? -errno : 0;
	if (!err && (!S_ISREG(st.st_mode) || (st.st_uid && st.st_uid != uid)))
		err = -EPERM;
	if (!err)
		err = text_file_read(fd, JIT_MAP_MAX, &file);
	close(fd);
	if (!err)
		err = jit_map_parse(file.text, file.len, out);
	if (!err)
		(*out)->cut = file.cut;
	return err;
}

void jit_map_free(struct jit_map *map)
{
	if (!map)
		return;
	vec_release(&map->entries);
	free(map->text);
	free(map);
}

bool jit_map_is_cut(const struct jit_map *map)
{
	return map->cut;
}

const char *jit_map_find(const struct jit_map *map, u64 address)
{
	size_t lo = 0, hi = map->entries.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (map->entries.data[mid].start <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || address >= map->entries.data[lo - 1].end)
		return NULL;
	return map->entries.data[lo - 1].name;
}
