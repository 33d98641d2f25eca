/* SPDX-License-Identifier: Apache-2.0 */
/* What every BPF collector shares: see bpf_session.h. Settings are in bpf_settings.c. */
#include "collect/session/bpf_session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/session/count_maps.h"
#include "collect/session/discovery.h"
#include "collect/session/module_set.h"
#include "collect/session/memory_bound.h"
#include "collect/session/pending.h"
#include "collect/session/record_queue.h"
#include "collect/session/sample_stats.h"
#include "collect/session/stack_store.h"

#define ORPHANS_MAX 65536u
#define POLL_MOST_NS 50000000ull
#define HURRY_MS 50u /* for each file that stacks wait for, and for all of them */

struct orphan { /* a count whose frames have not arrived yet */
	struct sample_key key;
	struct sample_count count;
};

typedef VEC(struct orphan) orphan_vec;

struct bpf_session {
	struct bpf_object *obj;
	struct sample_control *control;
	const struct collect_options *opt;
	struct module_set *modules;
	struct stack_store *store;
	struct pending *pending;
	orphan_vec orphans;
	u64 whole; /* stacks that came from user space */
	struct record_queue *queue;
	int events; /* an epoll descriptor with the records and the loader of files */
	struct memory_bound bound;
	size_t space; /* bytes that stacks may use; 0 for any number */
	bpf_session_merge_fn before_merge; /* may be NULL */
	void *before_merge_arg;
	bool drained; /* sampling has stopped, and everything was taken in */
	bool merging; /* merging is not possible now */
	u64 drain_until_ns; /* CLOCK_MONOTONIC; 0 to drain until nothing is left */
	struct count_maps counts;
	int stats_fd, initial_threads_fd;
	struct gaps gaps;
	u64 lost_frames; /* samples whose frames had not arrived when their counts were read */
};

static int map_fd(struct bpf_object *obj, const char *name)
{
	return bpf_object__find_map_fd_by_name(obj, name);
}

/* Finds the number of a file that a pending walk needs. */
static int module_number(void *arg, pid_t tgid, const struct map_entry *e)
{
	struct bpf_session *s = arg;

	return module_set_number(s->modules, tgid, e);
}

static int moved_text(void *arg, pid_t tgid, const struct map_entry *e, struct moved_range *out)
{
	struct bpf_session *s = arg;

	return module_set_moved(s->modules, tgid, e, out);
}

static int follow_code(void *arg, u64 frame)
{
	struct bpf_session *s = arg;

	return module_set_follow(s->modules, frame);
}

/* ---- records from the ring buffer ---- */

/* This is done once no stack waits any more that their frames could belong to. */
static void place_orphans(struct bpf_session *s)
{
	if (!s->orphans.len || pending_waiting(s->pending))
		return;
	vec_for_each(&s->orphans, o) {
		if (stack_store_add(s->store, &o->key, TALLY_COUNT, &o->count))
			s->lost_frames += o->count.samples;
	}
	vec_release(&s->orphans);
}

static void mark_modules(void *arg, struct module_marks *m)
{
	struct bpf_session *s = arg;

	stack_store_mark(s->store, m);
	pending_mark(s->pending, m);
}

static void take_modules(struct bpf_session *s)
{
	if (module_set_take(s->modules))
		pending_retry(s->pending);
	place_orphans(s);
}

static bool has_jit_frame(const struct sample_record *r)
{
	for (u32 i = 0; i < r->nframes; i++) {
		if (FRAME_MODULE(r->frames[i]) == MODULE_ANON)
			return true;
	}
	return false;
}

static int stack_arrived(struct bpf_session *s, const struct sample_record *r, size_t size)
{
	size_t need = offsetof(struct sample_record, frames) + r->nframes * sizeof(u64);

	if (r->nframes > STACK_MAX_FRAMES || size < need)
		return -EBADMSG;
	if (has_jit_frame(r))
		module_set_note_jit(s->modules,
				    r->thread.tgid); /* while its root can still be opened */
	stack_store_put(s->store, &r->key, &r->thread, r->frames, r->nframes);
	return 0;
}

void bpf_session_put(struct bpf_session *s, const struct sample_key *key,
		     const struct thread_id *owner, const u64 *frames, u32 nframes)
{
	s->whole++;
	stack_store_put(s->store, key, owner, frames, nframes);
}

int bpf_session_finish(struct bpf_session *s, const struct pending_record *r, size_t size)
{
	return pending_finish(s->pending, r, size);
}

/* A negative result ends the draining after this record. */
static int may_go_on(const struct bpf_session *s)
{
	if (!s->merging && stack_store_is_tight(s->store))
		return -EAGAIN;
	return s->drain_until_ns && monotonic_ns() > s->drain_until_ns ? -EINTR : 0;
}

static int record_arrived(void *ctx, void *data, size_t size)
{
	struct bpf_session *s = ctx;
	const u32 *kind = data;
	int err = 0;

	/* Until the kernel has a file's table, every stack in it comes here, faster than they can
	 * be processed. */
	if (module_set_ready(s->modules))
		take_modules(s);
	pending_batch(s->pending, record_queue_batch(s->queue));
	if (*kind == RECORD_MODULE && size >= sizeof(struct module_record))
		module_set_record(s->modules, data);
	else if (*kind == RECORD_STACK && size >= offsetof(struct sample_record, frames))
		err = stack_arrived(s, data, size);
	else if (*kind == RECORD_PENDING)
		err = bpf_session_finish(s, data, size);
	gaps_note(&s->gaps, GAP_RECORDS, err);
	return may_go_on(s);
}

/* ---- counts ---- */

/* No frames arrived. If a stack waits for a file, they are still to come. Otherwise they were
 * lost. */
static void take_orphan(struct bpf_session *s, const struct sample_key *key,
			const struct sample_count *count)
{
	if (!pending_waiting(s->pending) || s->orphans.len >= ORPHANS_MAX ||
	    vec_push(&s->orphans, (struct orphan){*key, *count}))
		s->lost_frames += count->samples;
}

static void take_counts(void *arg, const struct sample_key *keys, const struct sample_count *counts,
			u32 n)
{
	struct bpf_session *s = arg;

	for (u32 i = 0; i < n; i++) {
		if (stack_store_add(s->store, &keys[i], TALLY_COUNT, &counts[i]))
			take_orphan(s, &keys[i], &counts[i]);
	}
}

/* No program may be counting there. */
static void drain_counts(struct bpf_session *s, u32 which)
{
	gaps_note(&s->gaps, GAP_COUNTS, count_maps_empty(&s->counts, which, take_counts, s));
}

static void counts_left(struct bpf_session *s, u32 full)
{
	bpf_session_take_stacks(s); /* these are the frames of the counts */
	stack_store_epoch(s->store);
	drain_counts(s, full);
}

/* Waits for a change that was begun, if there is one. */
static int end_change(struct bpf_session *s)
{
	u32 full;
	int err;

	if (!count_maps_is_changing(&s->counts))
		return 0;
	err = count_maps_end_change(&s->counts, &full);
	if (!err)
		counts_left(s, full);
	return err;
}

/* If running programs cannot be waited for, counts stay in the kernel until the next time. */
static int flip_counts(struct bpf_session *s)
{
	u32 full;
	int err = end_change(s);

	if (!err)
		err = count_maps_change(&s->counts, &full);
	if (!err)
		counts_left(s, full);
	return err;
}

/* Waiting would take 5 to 20 ms, and the other map is empty, so a later step takes the counts. */
static int make_space_for_counts(struct bpf_session *s)
{
	if (count_maps_is_changing(&s->counts))
		return count_maps_has_changed(&s->counts) ? end_change(s) : 0;
	if (count_maps_half_full(&s->counts))
		count_maps_begin_change(&s->counts);
	return 0;
}

/* ---- memory ---- */

void bpf_session_on_merge(struct bpf_session *s, bpf_session_merge_fn fn, void *arg)
{
	s->before_merge = fn;
	s->before_merge_arg = arg;
}

/* See stack_store.h: between the two flips every key that the kernel may count under is
 * recorded. */
static void merge_stacks(struct bpf_session *s)
{
	s->merging = true;
	gaps_note(&s->gaps, GAP_COUNTS, flip_counts(s));
	stack_store_merge_begin(s->store);
	if (s->before_merge)
		s->before_merge(s->before_merge_arg, s->store);
	gaps_note(&s->gaps, GAP_COUNTS, flip_counts(s));
	stack_store_merge(s->store, s->space / 2);
	s->merging = false;
	log_info(s->opt->log, "rare stacks have been merged to keep within --max-memory");
}

static void limit_memory(struct bpf_session *s)
{
	s->space = memory_bound_space(&s->bound, stack_store_size(s->store).held);
	stack_store_limit(s->store, s->space);
	if (stack_store_is_tight(s->store))
		merge_stacks(s);
}

/* Takes in what has arrived, piece by piece if record_arrived() stops it. */
static void consume(struct bpf_session *s)
{
	while (record_queue_take(s->queue) == -EAGAIN)
		limit_memory(s);
}

int bpf_session_fd(const struct bpf_session *s)
{
	return s->events;
}

/* Waits until the kernel or the loader of files has something. */
static void wait_for_input(struct bpf_session *s, int timeout_ms)
{
	struct pollfd p = {.fd = s->events, .events = POLLIN};

	/* if it was interrupted, what has arrived is still worth taking */
	(void)poll(&p, 1, timeout_ms);
}

int bpf_session_poll(struct bpf_session *s, int timeout_ms)
{
	limit_memory(s); /* what has been taken in since may exceed the limit */
	wait_for_input(s, timeout_ms);
	/* The caller has other things to do as well, so what arrives faster than it can be taken
	 * waits, or is lost. */
	s->drain_until_ns = monotonic_ns() + POLL_MOST_NS;
	consume(s); /* stacks come without a wake-up */
	s->drain_until_ns = 0;
	take_modules(s);
	/* a profile that was read before has its names already */
	module_set_reading(s->modules, false);
	module_set_sweep(s->modules, mark_modules, s);
	gaps_note(&s->gaps, GAP_COUNTS, make_space_for_counts(s));
	return s->opt->target->scope == TARGET_PROCESSES &&
	       __atomic_load_n(&s->control->live_targets, __ATOMIC_RELAXED) == 0;
}

static bool is_hurried(const struct bpf_session *s)
{
	return s->opt->hurry && s->opt->hurry(s->opt->hurry_arg);
}

/* Waits for the next file that stacks need. Returns false if none comes, or if the recording has to
 * end now. */
static bool wait_for_file(struct bpf_session *s)
{
	return is_hurried(s) ? module_set_wait_for(s->modules, HURRY_MS)
			     : module_set_wait(s->modules);
}

/* Finishes the stacks that wait, once no more will arrive. */
static void finish_pending(struct bpf_session *s)
{
	u64 began = monotonic_ns();

	while (pending_waiting(s->pending) && wait_for_file(s)) {
		pending_retry(s->pending);
		if (is_hurried(s) && monotonic_ns() - began > HURRY_MS * 1000000ull)
			break;
	}
	pending_give_up(s->pending);
}

void bpf_session_drain(struct bpf_session *s)
{
	gaps_note(&s->gaps, GAP_COUNTS, end_change(s));
	consume(s);
	finish_pending(s);
	drain_counts(s, 0);
	drain_counts(s, 1);
	place_orphans(s);
	limit_memory(s);
	sample_stats_log(s->stats_fd, s->opt->log);
	s->drained = true;
}

void bpf_session_add(struct bpf_session *s, const struct sample_key *key, enum tally_part part,
		     const struct sample_count *n)
{
	/* Lost frames are already counted as lost samples. */
	(void)stack_store_add(s->store, key, part, n);
}

u32 bpf_session_module(const struct bpf_session *s, const struct map_entry *e)
{
	return module_set_find(s->modules, e);
}

int bpf_session_begin_reading(struct bpf_session *s, enum collect_range range)
{
	int err = 0;

	if (range == COLLECT_WHOLE)
		return 0;
	if (!s->drained) {
		limit_memory(s);
		err = flip_counts(s);
		take_modules(s);
	}
	return err ? err : stack_store_begin_reading(s->store);
}

int bpf_session_read(struct bpf_session *s, enum collect_range range,
		     const struct sample_mapping *mapping, struct profile *p, struct error *err)
{
	int code = range == COLLECT_SINCE
			   ? stack_store_take(s->store, s->modules, s->opt, mapping, p)
			   : stack_store_to_profile(s->store, s->modules, s->opt, mapping, p);

	if (!code && range == COLLECT_WHOLE)
		stack_store_clear(s->store);
	return code ? error_set(err, code, "cannot build the profile: %s", error_reason(code)) : 0;
}

void bpf_session_shrink(struct bpf_session *s)
{
	stack_store_halve(s->store);
}

struct stack_store *bpf_session_store(struct bpf_session *s)
{
	return s->store;
}

void bpf_session_take_stacks(struct bpf_session *s)
{
	u64 until = s->drain_until_ns;
	bool merging = s->merging;

	/* There is no time limit here, because at most what the queue holds has to fit. */
	s->drain_until_ns = 0;
	s->merging = true;
	stack_store_limit(s->store, 0);
	record_queue_take(s->queue);
	stack_store_limit(s->store, s->space);
	s->merging = merging;
	s->drain_until_ns = until;
}

void bpf_session_reuse_maps(struct bpf_session *s, bool on)
{
	pending_reuse_maps(s->pending, on);
}

void bpf_session_scale(struct bpf_session *s, enum wait_cause cause, u64 total)
{
	stack_store_scale(s->store, (u16)cause, total);
}

struct module_set *bpf_session_modules(struct bpf_session *s)
{
	return s->modules;
}

int bpf_session_discover(struct bpf_session *s, struct bpf_program *list_mappings,
			 char *const *extra, struct error *err)
{
	const struct discovery d = {.opt = s->opt,
				    .modules = s->modules,
				    .initial_threads_fd = s->initial_threads_fd,
				    .list_mappings = list_mappings,
				    .extra = extra};
	int code = discovery_run(&d);

	if (code)
		return error_set(err, code, "cannot list what the target has mapped: %s",
				 error_reason(code));
	if (s->opt->target->scope == TARGET_PROCESSES && !s->control->live_targets)
		return error_set(err, -ESRCH, "cannot profile %s: it has exited",
				 s->opt->target->title);
	module_set_begin(s->modules);
	return 0;
}

/* ---- creation and end ---- */

static int watch(struct bpf_session *s, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(s->events, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int new_events(struct bpf_session *s)
{
	int err;

	s->events = epoll_create1(EPOLL_CLOEXEC);
	if (s->events < 0)
		return -errno;
	err = record_queue_watch(s->queue, s->events);
	return err ? err : watch(s, module_set_fd(s->modules));
}

static int new_pending(struct bpf_session *s)
{
	const struct pending_env env = {.modules = s->modules,
					.store = s->store,
					.number = module_number,
					.moved = moved_text,
					.follow = follow_code,
					.arg = s};

	return pending_new(&env, &s->pending);
}

int bpf_session_new(struct bpf_object *obj, struct sample_control *control,
		    const struct collect_options *opt, const struct stack_kind *kind,
		    struct bpf_session **out, struct error *err)
{
	struct bpf_session *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	s->events = -1;
	s->obj = obj;
	s->control = control;
	s->opt = opt;
	memory_bound_init(&s->bound, opt->max_memory);
	s->stats_fd = map_fd(obj, "stats");
	s->initial_threads_fd = map_fd(obj, "initial_threads");
	code = count_maps_init(&s->counts, obj, control);
	if (!code)
		code = module_set_new(opt->store, opt->log, &s->modules);
	if (!code)
		code = stack_store_new(opt, kind, &s->store);
	if (!code)
		code = new_pending(s);
	if (!code)
		code = record_queue_new(map_fd(obj, "records"), record_arrived, s, &s->queue);
	if (!code)
		code = new_events(s);
	if (code) {
		bpf_session_free(s);
		return error_set(err, code, "cannot set up the BPF maps: %s", error_reason(code));
	}
	*out = s;
	return 0;
}

void bpf_session_free(struct bpf_session *s)
{
	if (!s)
		return;
	if (s->events >= 0)
		close(s->events);
	record_queue_free(s->queue);
	pending_free(s->pending);
	stack_store_free(s->store);
	memory_bound_release(&s->bound);
	count_maps_release(&s->counts);
	vec_release(&s->orphans);
	module_set_free(s->modules);
	free(s);
}

/* ---- counters ---- */

u64 bpf_session_stat(struct bpf_session *s, enum sample_stat stat)
{
	return sample_stats_slot(s->stats_fd, stat);
}

void bpf_session_stats(struct bpf_session *s, struct collect_stats *out)
{
	struct module_set_stats modules;

	module_set_stats(s->modules, &modules);
	*out = (struct collect_stats){
		.samples = bpf_session_stat(s, STAT_SAMPLES),
		.lost_targets = bpf_session_stat(s, STAT_LOST_TARGET),
		.ticks = bpf_session_stat(s, STAT_TICKS),
		.late = bpf_session_stat(s, STAT_LATE_TICKS),
		.kernel_ns = bpf_session_stat(s, STAT_NANOSECONDS),
		.merged = stack_store_merged(s->store),
		.gaps = s->gaps,
	};
	collect_stats_lose(out, "ring buffer full",
			   bpf_session_stat(s, STAT_LOST_RING) + s->lost_frames +
				   record_queue_lost(s->queue));
	collect_stats_lose(out, "count table full", bpf_session_stat(s, STAT_LOST_TABLE));
	collect_stats_lose(out, "interrupted another sample",
			   bpf_session_stat(s, STAT_LOST_SCRATCH));
	for (u32 end = 0; end < STACK_END_COUNT; end++)
		out->ends[end] = sample_stats_slot(s->stats_fd, STAT_ENDS_FIRST + end);
	out->ends[STACK_WHOLE] += s->whole;
	pending_ends(s->pending, out->ends);
}
