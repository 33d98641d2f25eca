/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads the debug files of what is hot: see debug_downloads.h. */
#include "record/debug_downloads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "elf/debug_file.h"
#include "symbol/debuginfod.h"
#include "target/module.h"

#define FIRST_LOOK_NS 500000000ull
#define SLOW_LOOK_NS 100000000ull /* making the profile must not delay what is recorded */
#define HOT_PART 100.0 /* of the weight */
#define SILENCE_NS 300000000ull
#define WAIT_NS (20 * NSEC_PER_SEC)
#define STEP_MS 20
#define TELL_NS 200000000ull
#define NAME_SIZE 64

struct debug_downloads {
	struct debuginfod *client;
	u64 next_ns; /* elapsed time at which to look again */
	u64 active_ns; /* when something was last requested or received */
	struct {
		char name[NAME_SIZE];
		struct build_id id;
	} files[DEBUGINFOD_FILES];
	u32 nfiles;
};

int debug_downloads_new(const char *urls, struct debug_downloads **out)
{
	struct debug_downloads *d = calloc(1, sizeof(*d));
	int err = d ? debuginfod_new(urls, &d->client) : -ENOMEM;

	if (err) {
		free(d);
		return err;
	}
	d->next_ns = FIRST_LOOK_NS;
	*out = d;
	return 0;
}

void debug_downloads_free(struct debug_downloads *d)
{
	if (!d)
		return;
	debuginfod_free(d->client);
	free(d);
}

bool debug_downloads_are_due(const struct debug_downloads *d, u64 elapsed_ns)
{
	return elapsed_ns >= d->next_ns;
}

/* ---- what is hot ----------------------------------------------------------------------------- */

/* Sums up for each mapping the values of the samples with a frame in it. */
static double weigh(const struct profile *p, double *weights, u32 *seen)
{
	double total = 0;
	u32 number = 0;

	vec_for_each(&p->samples, s) {
		s64 value = p->values.len > s->first_value ? p->values.data[s->first_value] : 0;

		number++;
		if (value <= 0)
			continue;
		total += (double)value;
		for (u32 i = 0; i < s->nlocations; i++) {
			u32 at = p->stack_locations.data[s->first_location + i];
			u32 mapping = p->locations.data[at].mapping;

			if (mapping >= p->mappings.len || seen[mapping] == number)
				continue;
			seen[mapping] = number;
			weights[mapping] += (double)value;
		}
	}
	return total;
}

static bool has_info(struct elf_file *f)
{
	struct elf_section s;

	return !elf_file_section_header(f, ".debug_info", &s) ||
	       !elf_file_section_header(f, ".zdebug_info", &s);
}

/*
 * Returns whether nothing here has the debug information of a module. Other threads may be reading
 * its ELF file, so that is opened once more.
 */
static bool lacks_info(const struct module *m)
{
	struct elf_file *copy, *debug = NULL;
	bool lacks;

	if (m->kind != MODULE_KIND_FILE || !m->elf || m->closed || m->debug || !m->build_id.len ||
	    elf_file_fd(m->elf) < 0 || elf_file_open(elf_file_fd(m->elf), &copy))
		return false;
	lacks = !has_info(copy);
	if (lacks && !debug_file_find(copy, m->path, &m->root, &debug))
		lacks = !has_info(debug);
	elf_file_free(debug);
	elf_file_free(copy);
	return lacks;
}

static void request(struct debug_downloads *d, const struct module *m)
{
	if (debuginfod_find(d->client, &m->build_id) || d->nfiles == DEBUGINFOD_FILES ||
	    !lacks_info(m) || debuginfod_request(d->client, &m->build_id))
		return;
	snprintf(d->files[d->nfiles].name, NAME_SIZE, "%.63s", path_name(m->path));
	d->files[d->nfiles++].id = m->build_id;
	d->active_ns = monotonic_ns();
}

static void request_hot(struct debug_downloads *d, const struct profile *p)
{
	double *weights = calloc(p->mappings.len + 1, sizeof(*weights)), total;
	u32 *seen = calloc(p->mappings.len + 1, sizeof(*seen));

	if (weights && seen) {
		total = weigh(p, weights, seen);
		for (size_t i = 0; i < p->mappings.len; i++) {
			const struct module *m = p->mappings.data[i].source;

			if (m && total > 0 && weights[i] > total / HOT_PART)
				request(d, m);
		}
	}
	free(weights);
	free(seen);
}

void debug_downloads_look(struct debug_downloads *d, const struct profile *p, u64 elapsed_ns,
			  u64 took_ns)
{
	request_hot(d, p);
	d->next_ns = took_ns > SLOW_LOOK_NS ? UINT64_MAX : elapsed_ns * 5 / 2;
}

void debug_downloads_poll(struct debug_downloads *d)
{
	if (debuginfod_poll(d->client, 0))
		d->active_ns = monotonic_ns();
}

/* ---- the end --------------------------------------------------------------------------------- */

static void wait_for(struct debug_downloads *d, const struct debug_downloads_wait *w)
{
	u64 begin = monotonic_ns(), told = begin, now = begin;
	char text[160];

	while (debuginfod_is_waiting(d->client) && now - begin < WAIT_NS &&
	       now - d->active_ns < SILENCE_NS && !(w->stop && w->stop(w->stop_arg))) {
		if (debuginfod_poll(d->client, STEP_MS))
			d->active_ns = monotonic_ns();
		now = monotonic_ns();
		if (!w->progress || now - told < TELL_NS)
			continue;
		told = now;
		debug_downloads_progress(d, text, sizeof(text));
		w->progress(w->progress_arg, text);
	}
}

static bool is_debug_of(const struct build_id *want, struct elf_file *f)
{
	const struct build_id *have = elf_file_build_id(f);

	return have->len == want->len && !memcmp(have->data, want->data, want->len) && has_info(f);
}

/* What a server sent is used only if it is the right file. */
static struct elf_file *open_checked(int fd, const struct build_id *want)
{
	struct elf_file *f;

	if (fd < 0 || elf_file_open(fd, &f))
		return NULL;
	if (is_debug_of(want, f))
		return f;
	elf_file_free(f);
	return NULL;
}

static void give(const struct debug_downloads *d, struct module *m)
{
	const struct debuginfod_file *f = debuginfod_find(d->client, &m->build_id);
	struct build_id alt;

	if (!f || f->state != DEBUGINFOD_HERE || m->debug)
		return;
	m->debug = open_checked(f->fd, &m->build_id);
	if (m->debug && debug_file_alt_id(m->debug, &alt))
		m->debug_alt = open_checked(f->alt_fd, &alt);
}

void debug_downloads_finish(struct debug_downloads *d, struct profile *p,
			    const struct debug_downloads_wait *w)
{
	request_hot(d, p);
	wait_for(d, w);
	vec_for_each(&p->mappings, mapping) {
		struct module *m = mapping->source;

		if (m && m->kind == MODULE_KIND_FILE && m->build_id.len)
			give(d, m);
	}
}

/* ---- texts ----------------------------------------------------------------------------------- */

void debug_downloads_progress(const struct debug_downloads *d, char *out, size_t size)
{
	out[0] = '\0';
	for (u32 i = 0; i < d->nfiles; i++) {
		const struct debuginfod_file *f = debuginfod_find(d->client, &d->files[i].id);

		if (!f || f->state != DEBUGINFOD_WAITING)
			continue;
		snprintf(out, size, "%s %.1f MB", d->files[i].name, (double)f->received / 1e6);
		return;
	}
}

static const char *why_not(const struct debuginfod_file *f)
{
	switch (f->state == DEBUGINFOD_WAITING ? -EAGAIN : f->err) {
	case -EAGAIN:
		return f->received ? "it was not there in time" : "the server did not answer";
	case -ENOENT:
		return "no server has it";
	case -ENOSYS:
		return "libdebuginfod.so.1 is not installed";
	case -EFBIG:
		return "it is too large";
	case -ETIME:
	case -ETIMEDOUT:
		return "the server did not answer";
	default:
		return "the server cannot be reached";
	}
}

void debug_downloads_text(const struct debug_downloads *d, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (u32 i = 0; i < d->nfiles && used < size; i++) {
		const struct debuginfod_file *f = debuginfod_find(d->client, &d->files[i].id);
		const char *before = i ? "; " : "debuginfod: ";

		if (f && f->state == DEBUGINFOD_HERE)
			used += (size_t)snprintf(out + used, size - used, "%s%s (%.2f MB)", before,
						 d->files[i].name, (double)f->received / 1e6);
		else if (f)
			used += (size_t)snprintf(out + used, size - used, "%s%s: %s", before,
						 d->files[i].name, why_not(f));
	}
}
