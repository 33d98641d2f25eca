/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers names between two processes: see names_wire.h. */
#include "symbol/names_wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "elf/symbols.h"

#define MESSAGE_MAX (16u << 20) /* longer than anybody would read for one address */
#define TEXTS 4

struct head {
	u32 bytes; /* of the message, including this header */
	u32 kind; /* enum names_message */
	u32 which, source, n;
};

/* After the header comes one of these for each frame, and then their texts, each with its NUL. */
struct wire_frame {
	u64 low_pc;
	u32 line, start_line;
	u32 len[TEXTS]; /* with the NUL; 0 stands for NULL */
};

/* ---- writing ---- */

static int flush(struct names_writer *w)
{
	for (size_t done = 0; done < w->len;) {
		ssize_t n = write(w->fd, w->bytes + done, w->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	w->len = 0;
	return 0;
}

static int put(struct names_writer *w, const void *data, size_t len)
{
	const u8 *from = data;

	while (len) {
		size_t space = sizeof(w->bytes) - w->len, n = len < space ? len : space;
		int err;

		memcpy(w->bytes + w->len, from, n);
		w->len += n;
		from += n;
		len -= n;
		err = w->len == sizeof(w->bytes) ? flush(w) : 0;
		if (err)
			return err;
	}
	return 0;
}

static void texts_of(const struct dwarf_frame *f, const char *texts[TEXTS])
{
	texts[0] = f->name;
	texts[1] = f->linkage_name;
	texts[2] = f->file;
	texts[3] = f->directory;
}

/* A name that is longer than any that is shown is cut to a length that is still not shown. */
static u32 text_len(const char *text)
{
	return text ? (u32)strnlen(text, ELF_NAME_MAX + 1) + 1 : 0;
}

static struct wire_frame wire_frame(const struct dwarf_frame *f)
{
	struct wire_frame wire = {
		.low_pc = f->low_pc, .line = f->line, .start_line = f->start_line};
	const char *texts[TEXTS];

	texts_of(f, texts);
	for (int i = 0; i < TEXTS; i++)
		wire.len[i] = text_len(texts[i]);
	return wire;
}

static int put_texts(struct names_writer *w, const struct dwarf_frame *f)
{
	const char *texts[TEXTS];
	int err = 0;

	texts_of(f, texts);
	for (int i = 0; i < TEXTS && !err; i++) {
		u32 len = text_len(texts[i]);

		if (!len)
			continue;
		err = put(w, texts[i], len - 1);
		if (!err)
			err = put(w, "", 1);
	}
	return err;
}

int names_write_answer(struct names_writer *w, size_t which, enum name_source source,
		       const struct dwarf_frame *frames, u32 n)
{
	struct head head = {.bytes = (u32)(sizeof(head) + n * sizeof(struct wire_frame)),
			    .kind = NAMES_ANSWER,
			    .which = (u32)which,
			    .source = source,
			    .n = n};
	int err;

	for (u32 i = 0; i < n; i++) {
		const struct wire_frame wire = wire_frame(&frames[i]);

		for (int k = 0; k < TEXTS; k++)
			head.bytes += wire.len[k];
	}
	if (head.bytes > MESSAGE_MAX)
		return names_write_answer(w, which, NAME_FROM_NOTHING, NULL, 0);
	err = put(w, &head, sizeof(head));
	for (u32 i = 0; i < n && !err; i++) {
		const struct wire_frame wire = wire_frame(&frames[i]);

		err = put(w, &wire, sizeof(wire));
	}
	for (u32 i = 0; i < n && !err; i++)
		err = put_texts(w, &frames[i]);
	return err;
}

int names_write_finish(struct names_writer *w, const struct names_finish *f)
{
	const struct head head = {.bytes = sizeof(head) + sizeof(*f), .kind = NAMES_FINISH};
	int err = put(w, &head, sizeof(head));

	if (!err)
		err = put(w, f, sizeof(*f));
	return err ? err : flush(w);
}

/* ---- reading ---- */

ssize_t names_read(struct names_reader *r, int fd)
{
	ssize_t n;

	if (r->at) {
		memmove(r->bytes.data, r->bytes.data + r->at, r->bytes.len - r->at);
		r->bytes.len -= r->at;
		r->at = 0;
	}
	if (vec_reserve(&r->bytes, r->bytes.len + 65536))
		return -ENOMEM;
	n = read(fd, r->bytes.data + r->bytes.len, r->bytes.cap - r->bytes.len);
	if (n < 0)
		return -errno;
	r->bytes.len += (size_t)n;
	return n;
}

/* Takes the next text, which ends in its only NUL. */
static bool take_text(struct bytes *texts, u32 len, const char **out)
{
	*out = NULL;
	if (!len)
		return true;
	if (len > texts->len || memchr(texts->data, 0, len) != texts->data + len - 1)
		return false;
	*out = (const char *)texts->data;
	*texts = (struct bytes){texts->data + len, texts->len - len};
	return true;
}

static bool take_frame(const u8 *at, struct bytes *texts, struct dwarf_frame *f)
{
	struct wire_frame wire;

	memcpy(&wire, at, sizeof(wire));
	*f = (struct dwarf_frame){
		.low_pc = wire.low_pc, .line = wire.line, .start_line = wire.start_line};
	return take_text(texts, wire.len[0], &f->name) &&
	       take_text(texts, wire.len[1], &f->linkage_name) &&
	       take_text(texts, wire.len[2], &f->file) &&
	       take_text(texts, wire.len[3], &f->directory);
}

static int take_answer(struct names_reader *r, const struct head *head, struct names_answer *out)
{
	const u8 *at = r->bytes.data + r->at + sizeof(*head);
	const size_t frames = head->n * sizeof(struct wire_frame);
	struct bytes texts;

	if (head->n > DWARF_MAX_INLINES || head->source > NAME_FROM_DWARF ||
	    frames > head->bytes - sizeof(*head))
		return -EBADMSG;
	texts = (struct bytes){at + frames, head->bytes - sizeof(*head) - frames};
	for (u32 i = 0; i < head->n; i++) {
		if (!take_frame(at + i * sizeof(struct wire_frame), &texts, &r->frames[i]))
			return -EBADMSG;
	}
	*out = (struct names_answer){head->which, (enum name_source)head->source, r->frames,
				     head->n};
	return NAMES_ANSWER;
}

int names_next(struct names_reader *r, struct names_answer *answer, struct names_finish *finish)
{
	size_t left = r->bytes.len - r->at;
	struct head head;
	int kind;

	if (left < sizeof(head))
		return NAMES_INCOMPLETE;
	memcpy(&head, r->bytes.data + r->at, sizeof(head));
	if (head.bytes < sizeof(head) || head.bytes > MESSAGE_MAX)
		return -EBADMSG;
	if (left < head.bytes)
		return NAMES_INCOMPLETE;
	if (head.kind == NAMES_ANSWER) {
		kind = take_answer(r, &head, answer);
	} else if (head.kind == NAMES_FINISH && head.bytes == sizeof(head) + sizeof(*finish)) {
		memcpy(finish, r->bytes.data + r->at + sizeof(head), sizeof(*finish));
		kind = NAMES_FINISH;
	} else {
		kind = -EBADMSG;
	}
	r->at += head.bytes;
	return kind;
}

void names_reader_release(struct names_reader *r)
{
	vec_release(&r->bytes);
}
