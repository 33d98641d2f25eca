/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses /proc/PID/maps, which has one mapping a line (proc(5), fs/proc/task_mmu.c show_map_vma):
 *
 *   7f0c8a000000-7f0c8a028000 r-xp 00028000 fe:01 1310743    /usr/lib/x86_64-linux-gnu/libc.so.6
 *
 * The kernel prints everything up to the path. The path is whatever the file's owner named it.
 */
#include "target/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "target/process.h"

#define MAPS_TEXT_MAX (64u << 20)

static int hex_digit(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static u64 take_number(struct cursor *c, unsigned int base)
{
	u64 value = 0;
	unsigned int digits = 0;

	for (; !c->bad && c->pos < c->end; c->pos++, digits++) {
		int digit = hex_digit(*c->pos);

		if (digit < 0 || (unsigned int)digit >= base)
			break;
		if (__builtin_mul_overflow(value, (u64)base, &value) ||
		    __builtin_add_overflow(value, (u64)digit, &value))
			c->bad = true;
	}
	c->bad |= !digits;
	return value;
}

static void expect(struct cursor *c, u8 want)
{
	c->bad |= cursor_u8(c) != want;
}

static bool take_flag(struct cursor *c, u8 set, u8 unset)
{
	u8 have = cursor_u8(c);

	c->bad |= have != set && have != unset;
	return have == set;
}

/* seq_path() writes newlines as \\012 and nothing else in octal, so a backslash stays what it
 * is. */
static char *take_path(struct cursor *c)
{
	size_t len = cursor_left(c), used = 0;
	char *path = malloc(len + 1);

	if (!path)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && !memcmp(c->pos + i, "\\012", 4)) {
			path[used++] = '\n';
			i += 3;
		} else {
			path[used++] = (char)c->pos[i];
		}
	}
	path[used] = '\0';
	return path;
}

static bool cut_suffix(char *text, const char *suffix)
{
	size_t len = strlen(text), cut = strlen(suffix);

	if (len < cut || strcmp(text + len - cut, suffix) != 0)
		return false;
	text[len - cut] = '\0';
	return true;
}

/* Returns 1 if the line is a mapping, 0 if not, or -ENOMEM. */
static int parse_line(struct bytes line, struct map_entry *e)
{
	struct cursor c = cursor_over(line);

	memset(e, 0, sizeof(*e));
	e->start = take_number(&c, 16);
	expect(&c, '-');
	e->end = take_number(&c, 16);
	expect(&c, ' ');
	e->readable = take_flag(&c, 'r', '-');
	e->writable = take_flag(&c, 'w', '-');
	e->executable = take_flag(&c, 'x', '-');
	e->shared = take_flag(&c, 's', 'p');
	expect(&c, ' ');
	e->offset = take_number(&c, 16);
	expect(&c, ' ');
	e->dev_major = (u32)take_number(&c, 16);
	expect(&c, ':');
	e->dev_minor = (u32)take_number(&c, 16);
	expect(&c, ' ');
	e->inode = take_number(&c, 10);
	if (c.bad || e->start >= e->end || memchr(line.data, '\0', line.len))
		return 0;
	while (c.pos < c.end && *c.pos == ' ')
		c.pos++;
	e->path = take_path(&c);
	if (!e->path)
		return -ENOMEM;
	e->deleted = cut_suffix(e->path, " (deleted)");
	return 1;
}

int maps_parse(struct bytes text, map_vec *out)
{
	const u8 *pos = text.data, *end = text.data + text.len;

	while (pos < end) {
		const u8 *newline = memchr(pos, '\n', (size_t)(end - pos));
		const u8 *stop = newline ? newline : end;
		struct map_entry e;
		int result = parse_line((struct bytes){pos, (size_t)(stop - pos)}, &e);

		if (result < 0)
			return result;
		if (result && vec_push(out, e)) {
			free(e.path);
			return -ENOMEM;
		}
		pos = newline ? newline + 1 : end;
	}
	return 0;
}

typedef VEC(u8) text_vec;

static int read_all(int fd, text_vec *text)
{
	while (text->len < MAPS_TEXT_MAX) {
		ssize_t got;

		if (vec_reserve(text, text->len + 65536))
			return -ENOMEM;
		got = read(fd, text->data + text->len, text->cap - text->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return 0;
		text->len += (size_t)got;
	}
	/* The text was cut, and the rest of its last line might parse as something else. */
	while (text->len && text->data[text->len - 1] != '\n')
		text->len--;
	return 0;
}

int maps_read(pid_t tgid, map_vec *out)
{
	char path[PROCESS_PATH_MAX];
	text_vec text = {0};
	int fd, result;

	process_path(tgid, "maps", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	result = read_all(fd, &text);
	close(fd);
	if (!result)
		result = maps_parse((struct bytes){text.data, text.len}, out);
	vec_release(&text);
	return result;
}

bool map_is_same_file(const struct map_entry *a, const struct map_entry *b)
{
	return a->inode && a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor;
}

bool maps_in_main_stack(pid_t tgid, u64 address)
{
	map_vec maps = {0};
	bool found = false;

	if (!maps_read(tgid, &maps))
		vec_for_each(&maps, e)
			found |= address >= e->start && address < e->end &&
				 !strcmp(e->path, "[stack]");
	maps_release(&maps);
	return found;
}

void maps_release(map_vec *v)
{
	vec_for_each(v, e)
		free(e->path);
	vec_release(v);
}
