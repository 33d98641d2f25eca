/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the profiles of a recording: see recording.h. */
#include <errno.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "collect/events.h"
#include "collect/libbpf_log.h"
#include "collect/session/module_store.h"
#include "record/losses.h"
#include "record/recording_impl.h"

#define READ_TRIES 12 /* each with half the memory of the one before */

static int add_comments(const struct recording *r, const struct collect_stats *s, struct profile *p)
{
	char losses[LOSSES_SIZE], left_out[LEFT_OUT_TEXT], gaps[LOSSES_SIZE];
	struct utsname u;
	int err;

	uname(&u);
	losses_text(s, losses, sizeof(losses));
	err = profile_add_comment(p, "cprof %s: %s of %s", CPROF_VERSION, r->kind->name,
				  r->target.title);
	if (!err)
		err = profile_add_comment(p, "host: %s, kernel: %s %s", u.nodename, u.release,
					  u.machine);
	if (!err && s->event)
		err = profile_add_comment(p, "event: %s, rate: %u Hz, mode: %s", s->event->name,
					  r->collect.frequency, r->collector->ops->name);
	if (!err)
		err = profile_add_comment(p, "samples: %llu, lost: %s",
					  (unsigned long long)s->samples, losses);
	if (!err && s->merged.stacks)
		err = profile_add_comment(
			p, "merged: %llu rare stacks, %.1f%% of the profile, for lack of memory",
			(unsigned long long)s->merged.stacks, s->merged.share * 100);
	losses_gaps(&s->gaps, gaps, sizeof(gaps));
	if (!err && gaps[0])
		err = profile_add_comment(p, "incomplete: %s", gaps);
	/* These are of all CPUs, whatever was running. Their time is in the profile with the next
	 * tick. */
	if (!err && s->late)
		err = profile_add_comment(p, "late ticks: %llu of %llu",
					  (unsigned long long)s->late,
					  (unsigned long long)s->ticks);
	left_out_text(&r->names.left_out, left_out, sizeof(left_out));
	if (!err && left_out[0])
		err = profile_add_comment(p, "left out: %s", left_out);
	if (!err && r->names.unread)
		err = profile_add_comment(p, "interrupted: %llu addresses were not named",
					  (unsigned long long)r->names.unread);
	return err < 0 ? err : 0;
}

static void name_profile(struct recording *r, struct profile *p)
{
	const struct symbolize_options naming = {.no_inlines = r->o.no_inlines,
						 .stop = r->o.stop_naming,
						 .stop_arg = r->o.stop_arg,
						 .cache = module_store_names(r->collect.store),
						 .log = r->collect.log};
	const struct profile_kind *kind = r->kind;

	gaps_note(&r->gaps, GAP_NAMES, symbolize_profile(p, &naming, &r->names));
	if (kind->refine)
		gaps_note(&r->gaps, GAP_DETAILS, kind->refine(p, r->collect.own));
}

/* If the profile finds no memory, the stacks are reduced, because they hold most of it. */
static int read_profile(struct recording *r, enum collect_range range, struct profile **out,
			struct error *error)
{
	const struct collector_ops *ops = r->collector->ops;
	int err = -ENOMEM;

	for (u32 try = 0; try < READ_TRIES && err == -ENOMEM; try++) {
		if (try) {
			gaps_note(&r->gaps, GAP_STACKS, err);
			ops->shrink(r->collector);
		}
		err = profile_new(out);
		if (err)
			continue;
		err = ops->read(r->collector, range, *out, error);
		if (err)
			profile_free(*out);
	}
	return err ? error_set(error, err, "cannot build the profile: %s", error_reason(err)) : 0;
}

/* The kind adds what the profile does not contain. */
static void tell(struct recording *r, const struct profile *p)
{
	const struct collector_ops *ops = r->collector->ops;

	if (ops->notes)
		ops->notes(r->collector, p);
	if (ops->summarize)
		ops->summarize(r->collector, &r->summary);
}

/* The modules belong to the recording, which may end before the profile does. */
static void forget_sources(struct profile *p)
{
	vec_for_each(&p->mappings, m)
		m->source = NULL;
}

void recording_download(struct recording *r)
{
	u64 begin = monotonic_ns();
	struct error ignored;
	struct profile *p;

	if (!r->downloads)
		return;
	debug_downloads_poll(r->downloads);
	if (!debug_downloads_are_due(r->downloads, r->elapsed_ns) || profile_new(&p))
		return;
	if (!r->collector->ops->read(r->collector, COLLECT_SO_FAR, p, &ignored))
		debug_downloads_look(r->downloads, p, r->elapsed_ns, monotonic_ns() - begin);
	profile_free(p);
}

static void finish_downloads(struct recording *r, struct profile *p)
{
	const struct debug_downloads_wait wait = {.stop = r->o.stop_naming,
						  .stop_arg = r->o.stop_arg,
						  .progress = r->o.downloading,
						  .progress_arg = r->o.arg};

	if (r->downloads)
		debug_downloads_finish(r->downloads, p, &wait);
}

void recording_downloads(const struct recording *r, char *out, size_t size)
{
	out[0] = '\0';
	if (r->downloads)
		debug_downloads_text(r->downloads, out, size);
}

void recording_downloading(const struct recording *r, char *out, size_t size)
{
	out[0] = '\0';
	if (r->downloads)
		debug_downloads_progress(r->downloads, out, size);
}

static int make_profile(struct recording *r, enum collect_range range, struct profile **out,
			struct error *error)
{
	u64 from = range == COLLECT_SINCE ? r->taken_ns : 0;
	int err;

	*out = NULL;
	if (!r->collector)
		return error_set(error, -EINVAL, "the recording has been read already");
	err = read_profile(r, range, out, error);
	recording_take_time(r);
	if (!err) {
		(*out)->time_nanos = (s64)(r->wall_start_ns + from);
		(*out)->duration_nanos = (s64)(r->elapsed_ns - from);
		if (range == COLLECT_SINCE)
			r->taken_ns = r->elapsed_ns;
		if (range == COLLECT_WHOLE)
			finish_downloads(r, *out);
		name_profile(r, *out);
	} else {
		*out = NULL;
	}
	recording_stats(r, &r->stats); /* reading has found more */
	if (!err && range == COLLECT_WHOLE)
		tell(r, *out);
	/* The profile is what matters, whatever its comments say. */
	if (!err)
		(void)!add_comments(r, &r->stats, *out);
	if (!err)
		forget_sources(*out);
	return err;
}

static int make_logged(struct recording *r, enum collect_range range, struct profile **out,
		       struct error *error)
{
	const struct log *before = libbpf_log_begin(r->collect.log);
	int err = make_profile(r, range, out, error);

	libbpf_log_end(before);
	return err;
}

int recording_snapshot(struct recording *r, struct profile **out, struct error *error)
{
	return make_logged(r, COLLECT_SO_FAR, out, error);
}

int recording_take(struct recording *r, struct profile **out, struct error *error)
{
	return make_logged(r, COLLECT_SINCE, out, error);
}

int recording_profile(struct recording *r, struct profile **out, struct error *error)
{
	int err = make_logged(r, COLLECT_WHOLE, out, error);

	/* It may hold so many files open that no other could be written. */
	recording_free_collector(r);
	return err;
}
