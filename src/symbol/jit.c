/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads perf maps, which are files in a world-writable directory, written by the profiled program.
 * A map may have hundreds of megabytes, of which a profile needs a few names. So it is read once
 * from beginning to end, recording for each address the position of the last line that covers it,
 * and then the names at these positions are read.
 */
#include "symbol/jit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sorted.h"

#define LINE_MAX_BYTES (64u << 10)
#define LINE_USUAL_BYTES 1024u /* is read first; few lines are longer */
#define BYTE_STEPS 3
#define NAME_STEPS 2000 /* a name costs a system call */
#define HEX_DIGITS 16
#define LINE_HEAD_MAX (2 * (2 + HEX_DIGITS + 1)) /* "0xSTART 0xSIZE " */

struct jit_names {
	size_t n;
	char **name; /* neighbours with the same line share one */
	/*
	 * A tree over the addresses, with the leaves at [n, 2n) and the parent of i at i / 2. A
	 * node holds where the last line begins that covers everything below it, as a file offset
	 * plus one; 0 for none. So a line costs O(log n) however many addresses it covers.
	 */
	u64 *last;
	bool cut;
};

struct lines {
	struct input_file *in;
	struct budget *budget;
	u64 at; /* file offset of data[0] */
	size_t used, len;
	bool skipping; /* inside a line that was too long */
	bool cut;
	char data[LINE_MAX_BYTES];
};

struct range {
	u64 start, end;
	char *name;
};

/* Parses a hex number up to `stop`, which must follow it; "0x" is accepted. */
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
		*value = *value << 4 | digit;
	}
	if (p == start || p - start > HEX_DIGITS || *p != stop)
		return false;
	*at = p + 1;
	return true;
}

/* `line` ends at a NUL. */
static bool parse_line(char *line, struct range *r)
{
	u64 size;

	if (!parse_hex(&line, ' ', &r->start) || !parse_hex(&line, ' ', &size) || !size)
		return false;
	r->name = line;
	return !__builtin_add_overflow(r->start, size, &r->end) && line[0];
}

/* ---- where the last lines are ---------------------------------------------------------------- */

/* Makes space after the unused bytes and fills it. Returns the bytes read, 0 at the end, or an
 * error. */
static int lines_fill(struct lines *l)
{
	int got;

	if (!l->used && l->len == sizeof(l->data)) {
		l->skipping = true;
		l->used = l->len;
	}
	memmove(l->data, l->data + l->used, l->len - l->used);
	l->at += l->used;
	l->len -= l->used;
	l->used = 0;
	if (l->at + l->len >= JIT_MAP_MAX) {
		l->cut = true;
		return 0;
	}
	if (!budget_look(l->budget, BUDGET_NAMES, BYTE_STEPS * sizeof(l->data)))
		return -E2BIG;
	got = (int)input_file_read(l->in, l->data + l->len, sizeof(l->data) - l->len,
				   l->at + l->len);
	if (got > 0)
		l->len += (size_t)got;
	return got;
}

/*
 * Gives the next whole line, ended by a NUL, and where it begins in the file. A line without a
 * newline is still being written, or was cut. Returns 1, 0 at the end, or an error.
 */
static int lines_next(struct lines *l, char **line, u64 *offset)
{
	for (;;) {
		char *start = l->data + l->used, *stop = memchr(start, '\n', l->len - l->used);
		int got;
		bool skipped;

		if (!stop) {
			got = lines_fill(l);
			if (got <= 0)
				return got;
			continue;
		}
		*stop = '\0';
		*line = start;
		*offset = l->at + l->used;
		l->used = (size_t)(stop + 1 - l->data);
		skipped = l->skipping;
		l->skipping = false;
		if (!skipped)
			return 1;
	}
}

static void mark(struct jit_names *m, const u64 *addresses, const struct range *r, u64 offset)
{
	size_t lo = m->n + sorted_from(addresses, m->n, r->start);
	size_t hi = m->n + sorted_from(addresses, m->n, r->end);

	for (; lo < hi; lo /= 2, hi /= 2) {
		if (lo & 1)
			m->last[lo++] = offset + 1;
		if (hi & 1)
			m->last[--hi] = offset + 1;
	}
}

static u64 last_line_of(const struct jit_names *m, size_t i)
{
	u64 last = 0;

	for (i += m->n; i; i /= 2)
		last = m->last[i] > last ? m->last[i] : last;
	return last;
}

static int mark_lines(struct jit_names *m, struct input_file *in, struct budget *budget,
		      const u64 *addresses)
{
	struct lines *l = calloc(1, sizeof(*l));
	struct range r;
	char *line;
	u64 offset;
	int more;

	if (!l)
		return -ENOMEM;
	l->in = in;
	l->budget = budget;
	while ((more = lines_next(l, &line, &offset)) > 0) {
		if (parse_line(line, &r))
			mark(m, addresses, &r, offset);
	}
	m->cut = l->cut;
	free(l);
	return more;
}

/* ---- their names ----------------------------------------------------------------------------- */

/* The file may have been rewritten since; then the address stays without a name. */
static int read_name(struct input_file *in, u64 offset, u64 address, char **name)
{
	char line[LINE_HEAD_MAX + JIT_NAME_MAX];
	ssize_t got = input_file_read(in, line, LINE_USUAL_BYTES, offset);
	struct range r;

	if (got == LINE_USUAL_BYTES && !memchr(line, '\n', LINE_USUAL_BYTES))
		got = input_file_read(in, line, sizeof(line) - 1, offset);
	if (got < 0)
		return (int)got;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!parse_line(line, &r) || address < r.start || address >= r.end)
		return 0;
	*name = strndup(r.name, JIT_NAME_MAX - 1);
	return *name ? 0 : -ENOMEM;
}

static int read_names(struct jit_names *m, struct input_file *in, struct budget *budget,
		      const u64 *addresses)
{
	u64 before = 0, last;
	int err = 0;

	for (size_t i = 0; i < m->n && !err; i++, before = last) {
		last = last_line_of(m, i);
		if (last && last == before)
			m->name[i] = m->name[i - 1];
		else if (last && !budget_look(budget, BUDGET_NAMES, NAME_STEPS))
			err = -E2BIG;
		else if (last)
			err = read_name(in, last - 1, addresses[i], &m->name[i]);
	}
	return err;
}

static int scan(struct input_file *in, struct budget *budget, const u64 *addresses, size_t n,
		struct jit_names **out)
{
	struct jit_names *m = calloc(1, sizeof(*m));
	int err = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->n = n;
	m->name = calloc(n + 1, sizeof(*m->name));
	m->last = calloc(n + 1, 2 * sizeof(*m->last));
	if (m->name && m->last)
		err = mark_lines(m, in, budget, addresses);
	if (!err)
		err = read_names(m, in, budget, addresses);
	if (err) {
		jit_names_free(m);
		return err;
	}
	free(m->last);
	m->last = NULL;
	*out = m;
	return 0;
}

int jit_names_scan(int fd, struct budget *budget, const u64 *addresses, size_t n,
		   struct jit_names **out)
{
	struct input_file in = {.fd = fd};

	return scan(&in, budget, addresses, n, out);
}

/* ---- finding the file ------------------------------------------------------------------------ */

/* Accepts a plain file that has only this name and belongs to root or the process' user. */
static bool is_trusted(const struct input_file *in, uid_t uid)
{
	return in->links == 1 && (!in->uid || in->uid == uid);
}

int jit_names_read(const struct target_root *root, struct inner_pid pid, struct budget *budget,
		   const u64 *addresses, size_t n, struct jit_names **out)
{
	struct input_file in;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "tmp/perf-%u.map", pid.nr);
	err = target_root_input(root, path, TARGET_PATH_NO_LINKS, &in);
	if (err)
		return err == -ELOOP || err == -EINVAL ? -EPERM : err;
	err = is_trusted(&in, root->user.uid) ? scan(&in, budget, addresses, n, out) : -EPERM;
	input_file_close(&in);
	return err;
}

void jit_names_free(struct jit_names *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->name && i < m->n; i++) {
		if (i + 1 == m->n || m->name[i] != m->name[i + 1])
			free(m->name[i]);
	}
	free(m->name);
	free(m->last);
	free(m);
}

bool jit_names_are_cut(const struct jit_names *m)
{
	return m->cut;
}

const char *jit_names_at(const struct jit_names *m, size_t i)
{
	return m->name[i];
}
