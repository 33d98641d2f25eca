/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the pieces of a file that were read: see file_image.h. */
#include "unwind/file_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_SHIFT 20
#define PIECE_BYTES (1ull << PIECE_SHIFT)

struct segment {
	u64 vaddr, size;
	struct bytes *pieces; /* each with the first bytes of the next one; empty if not yet read */
};

struct file_image {
	struct elf_file *f;
	struct segment *segments;
	size_t n, last; /* where the last address was */
};

/* Segments may claim to be larger than the file is. */
static u64 size_in_file(const struct elf_file *f, const struct elf_segment *s)
{
	u64 size = elf_file_size(f);

	if (s->offset >= size)
		return 0;
	return s->filesz < size - s->offset ? s->filesz : size - s->offset;
}

int file_image_new(struct elf_file *f, struct file_image **out)
{
	struct file_image *m = calloc(1, sizeof(*m));
	const struct elf_segment *segments;
	size_t n = elf_file_segments(f, &segments);

	if (!m)
		return -ENOMEM;
	m->f = f;
	m->segments = calloc(n + 1, sizeof(*m->segments));
	for (; m->segments && m->n < n; m->n++) {
		struct segment *s = &m->segments[m->n];

		s->vaddr = segments[m->n].vaddr;
		s->size = size_in_file(f, &segments[m->n]);
		s->pieces = calloc((s->size >> PIECE_SHIFT) + 1, sizeof(*s->pieces));
		if (!s->pieces)
			break;
	}
	if (m->n < n || !m->segments) {
		file_image_free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void file_image_free(struct file_image *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->segments[i].pieces);
	free(m->segments);
	free(m);
}

void file_image_forget(struct file_image *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct segment *s = &m->segments[i];

		memset(s->pieces, 0, ((s->size >> PIECE_SHIFT) + 1) * sizeof(*s->pieces));
	}
}

static bool is_in(const struct segment *s, u64 vaddr)
{
	return vaddr >= s->vaddr && vaddr - s->vaddr < s->size;
}

static struct segment *segment_of(struct file_image *m, u64 vaddr)
{
	if (m->last < m->n && is_in(&m->segments[m->last], vaddr))
		return &m->segments[m->last];
	for (size_t i = 0; i < m->n; i++) {
		if (is_in(&m->segments[i], vaddr)) {
			m->last = i;
			return &m->segments[i];
		}
	}
	return NULL;
}

struct bytes file_image_run(struct file_image *m, u64 vaddr)
{
	struct segment *s = segment_of(m, vaddr);
	u64 off = s ? vaddr - s->vaddr : 0;
	struct bytes *piece;

	if (!s)
		return (struct bytes){0};
	piece = &s->pieces[off >> PIECE_SHIFT];
	if (!piece->data && budget_take(elf_file_budget(m->f), BUDGET_CODE, PIECE_BYTES / 4))
		*piece = elf_file_loaded(m->f, vaddr - off % PIECE_BYTES,
					 PIECE_BYTES + FILE_IMAGE_PART);
	if (off % PIECE_BYTES >= piece->len)
		return (struct bytes){0};
	return (struct bytes){piece->data + off % PIECE_BYTES, piece->len - off % PIECE_BYTES};
}

struct bytes file_image_at(struct file_image *m, u64 vaddr)
{
	struct bytes b = file_image_run(m, vaddr);

	if (b.len > FILE_IMAGE_PART)
		b.len = FILE_IMAGE_PART;
	return b;
}
