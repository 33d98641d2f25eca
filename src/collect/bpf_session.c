/* SPDX-License-Identifier: Apache-2.0 */
/* What every BPF collector shares: see bpf_session.h. Settings are in bpf_settings.c. */
#include "collect/bpf_session.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "collect/memory_bound.h"
#include "collect/module_rows.h"
#include "collect/module_set.h"
#include "collect/pending.h"
#include "collect/stack_store.h"
#include "collect/tables.h"
#include "target/pid_space.h"

#define BATCH 1024
#define ITER_RECORDS 64

struct count_batch {
	struct sample_key keys[BATCH];
	struct sample_count counts[BATCH];
};

struct bpf_session {
	struct bpf_object *obj;
	struct sample_control *control;
	const struct collect_options *opt;
	struct tables *tables;
	struct module_set *modules;
	struct stack_store *store;
	struct pending *pending;
	u64 pending_ends[STACK_END_COUNT];
	struct ring_buffer *ring;
	struct memory_bound bound;
	size_t room; /* bytes that stacks may have; 0: any */
	bpf_session_merge_fn before_merge; /* may be NULL */
	void *before_merge_arg;
	bool merging; /* or it is not the time for that */
	int counts_fd[2], modules_fd, stats_fd, seeds_fd;
	u32 counts_max;
	struct count_batch *batch; /* made in time, so that counts need no memory to be read */
	struct gaps gaps;
	u64 nmodules, late_modules;
	u64 lost_frames; /* samples whose frames had not come when their counts were read */
	bool recording; /* discovery is over: further modules are late */
};

static int map_fd(struct bpf_object *obj, const char *name)
{
	return bpf_object__find_map_fd_by_name(obj, name);
}

/* ---- tables ---- */

static int load_table(struct bpf_session *s, u32 number, struct module *m)
{
	struct rows *rows = NULL;
	int err;

	err = module_rows_build(m, tables_rules(s->tables), &rows);
	if (!err)
		err = tables_load(s->tables, number, rows);
	if (err)
		log_info(s->opt->log, "no unwind table for %s: %s", m->path, error_reason(err));
	else
		log_debug(s->opt->log, "%s: %u rows", m->path, rows->nrows);
	rows_free(rows);
	return err;
}

/*
 * Numbers a file and loads its table; `m` is taken over. Without a table it still gets a number, so that its
 * frames have a name. A file that is known already keeps its number.
 */
static int module_add(struct bpf_session *s, struct module *m)
{
	u32 known = module_set_find_same(s->modules, m);
	int number;

	if (known != MODULE_NONE) {
		module_free(m);
		return (int)known;
	}
	number = module_set_add(s->modules, m);
	if (number < 0) {
		module_free(m);
		return number;
	}
	if (m->unread)
		tables_set_unread(s->tables, (u32)number);
	else
		load_table(s, (u32)number, m);
	s->nmodules++;
	s->late_modules += s->recording;
	return number;
}

/* A file that some target maps. */
static void module_arrived(struct bpf_session *s, const struct module_record *r)
{
	struct module *m;
	pid_t tgid;
	int number = pid_from_proc(r->tgid, &tgid);
	u32 value;

	if (!number)
		number = module_open_mapped(s->opt->readers, tgid, r->start, r->end, &m);

	if (number) {
		/* Most likely gone already: whoever maps the file next may ask again. */
		log_debug(s->opt->log, "cannot open what PID %u maps at %llx: %s", r->tgid.nr,
			  (unsigned long long)r->start, error_reason(number));
		bpf_map_delete_elem(s->modules_fd, &r->inode);
		return;
	}
	number = module_add(s, m);
	/* Left as "loading", each of its samples would come to user space, for nothing. */
	value = number < 0 ? MODULE_UNKNOWN : (u32)number;
	bpf_map_update_elem(s->modules_fd, &r->inode, &value, BPF_ANY);
}

/* A file that a pending walk came upon before the kernel did. */
static int module_met(void *arg, pid_t tgid, const struct map_entry *e)
{
	struct bpf_session *s = arg;
	struct module *m;
	int err = module_open_entry(s->opt->readers, tgid, e, &m);

	return err ? err : module_add(s, m);
}

/* ---- what comes through the ring buffer ---- */

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
	struct stack_owner owner = {.tgid = r->tgid, .tid = r->tid};

	if (r->nframes > STACK_MAX_FRAMES || size < need)
		return -EBADMSG;
	memcpy(owner.comm, r->comm, sizeof(owner.comm));
	memcpy(owner.leader_comm, r->leader_comm, sizeof(owner.leader_comm));
	owner.comm[COMM_LEN - 1] = owner.leader_comm[COMM_LEN - 1] = 0;
	if (has_jit_frame(r))
		module_set_jit(s->modules, r->tgid); /* while its root can still be opened */
	stack_store_put(s->store, &r->key, &owner, r->frames, r->nframes);
	return 0;
}

void bpf_session_put(struct bpf_session *s, const struct sample_key *key,
		     const struct stack_owner *owner, const u64 *frames, u32 nframes)
{
	s->pending_ends[STACK_WHOLE]++;
	stack_store_put(s->store, key, owner, frames, nframes);
}

int bpf_session_finish(struct bpf_session *s, const struct pending_record *r, size_t size)
{
	enum stack_end end;
	int err = pending_finish(s->pending, r, size, &end);

	if (!err && end < STACK_END_COUNT)
		s->pending_ends[end]++;
	return err;
}

static int record_arrived(void *ctx, void *data, size_t size)
{
	struct bpf_session *s = ctx;
	const u32 *kind = data;
	int err = 0;

	if (*kind == RECORD_MODULE && size >= sizeof(struct module_record))
		module_arrived(s, data);
	else if (*kind == RECORD_STACK && size >= offsetof(struct sample_record, frames))
		err = stack_arrived(s, data, size);
	else if (*kind == RECORD_PENDING)
		err = bpf_session_finish(s, data, size);
	gaps_note(&s->gaps, GAP_RECORDS, err);
	/* A negative result ends the draining, behind this record. */
	return !s->merging && stack_store_is_tight(s->store) ? -EAGAIN : 0;
}

/* ---- counts ---- */

static void take_counts(struct bpf_session *s, const struct sample_key *keys,
			const struct sample_count *counts, u32 n)
{
	/* No frames came: a program was held up for longer than the grace of a flip. A loss, no failure. */
	for (u32 i = 0; i < n; i++) {
		if (stack_store_add(s->store, &keys[i], TALLY_COUNT, &counts[i]))
			s->lost_frames += counts[i].samples;
	}
}

/* Empties one count map into the store. Nobody may be writing to it. */
static void drain_counts(struct bpf_session *s, int fd)
{
	struct count_batch *b = s->batch;
	u64 position = 0; /* opaque to us; the kernel keeps a bucket number there */
	bool first = true;
	int err = 0;

	while (!err) {
		u32 n = BATCH;

		err = bpf_map_lookup_and_delete_batch(fd, first ? NULL : &position, &position,
						      b->keys, b->counts, &n, NULL);
		if (!err || err == -ENOENT)
			take_counts(s, b->keys, b->counts, n);
		first = false;
	}
	/* ENOENT: that was the last batch. */
	gaps_note(&s->gaps, GAP_COUNTS, err == -ENOENT ? 0 : err);
}

/* Half full: new samples go to the other map while this one is emptied. */
static void flip_counts(struct bpf_session *s)
{
	const struct timespec grace = {.tv_nsec = 2000000}; /* programs run for microseconds */
	u32 full = s->control->active_counts;

	__atomic_store_n(&s->control->active_counts, !full, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->control->active_keys, 0, __ATOMIC_SEQ_CST);
	nanosleep(&grace, NULL);
	bpf_session_take_stacks(s); /* the frames behind the counts */
	stack_store_epoch(s->store);
	drain_counts(s, s->counts_fd[full]);
}

/* ---- memory ---- */

void bpf_session_on_merge(struct bpf_session *s, bpf_session_merge_fn fn, void *arg)
{
	s->before_merge = fn;
	s->before_merge_arg = arg;
}

/* See stack_store.h: between the two flips every key that the kernel may count under is noted. */
static void merge_stacks(struct bpf_session *s)
{
	s->merging = true;
	flip_counts(s);
	stack_store_merge_begin(s->store);
	if (s->before_merge)
		s->before_merge(s->before_merge_arg, s->store);
	flip_counts(s);
	stack_store_merge(s->store, s->room / 2);
	s->merging = false;
	log_info(s->opt->log, "rare stacks have been merged to keep within --max-memory");
}

static void make_room(struct bpf_session *s)
{
	s->room = memory_bound_room(&s->bound, stack_store_size(s->store).held);
	stack_store_limit(s->store, s->room);
	if (stack_store_is_tight(s->store))
		merge_stacks(s);
}

/* Takes in what has come, in pieces where record_arrived() asks for room. */
static void consume(struct bpf_session *s)
{
	while (ring_buffer__consume(s->ring) == -EAGAIN)
		make_room(s);
}

int bpf_session_listen(struct bpf_session *s, int ring_fd, ring_buffer_sample_fn fn, void *arg)
{
	return ring_buffer__add(s->ring, ring_fd, fn, arg);
}

int bpf_session_poll(struct bpf_session *s, int timeout_ms)
{
	make_room(s); /* what has been taken in since may have been too much */
	if (ring_buffer__poll(s->ring, timeout_ms) == -EAGAIN)
		make_room(s);
	consume(s); /* stacks come without a wake-up */
	if (__atomic_load_n(&s->control->active_keys, __ATOMIC_RELAXED) > s->counts_max / 2)
		flip_counts(s);
	return s->opt->target->scope == TARGET_PROCESSES &&
	       __atomic_load_n(&s->control->live_targets, __ATOMIC_RELAXED) == 0;
}

void bpf_session_drain(struct bpf_session *s)
{
	consume(s);
	drain_counts(s, s->counts_fd[0]);
	drain_counts(s, s->counts_fd[1]);
	make_room(s);
}

void bpf_session_add(struct bpf_session *s, const struct sample_key *key, enum tally_part part,
		     const struct sample_count *n)
{
	/* Frames that were lost are counted as lost samples already. */
	(void)stack_store_add(s->store, key, part, n);
}

u32 bpf_session_module(const struct bpf_session *s, const struct map_entry *e)
{
	return module_set_find(s->modules, e);
}

int bpf_session_read(struct bpf_session *s, const struct sample_meaning *meaning, struct profile *p,
		     struct error *err)
{
	int code = stack_store_to_profile(s->store, s->modules, s->opt, meaning, p);

	if (!code)
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
	bool merging = s->merging;

	/* Not now: so everything finds room, which is at most what the ring buffer holds. */
	s->merging = true;
	stack_store_limit(s->store, 0);
	ring_buffer__consume(s->ring);
	stack_store_limit(s->store, s->room);
	s->merging = merging;
}

void bpf_session_reuse_maps(struct bpf_session *s, bool on)
{
	pending_reuse_maps(s->pending, on);
}

void bpf_session_scale(struct bpf_session *s, enum wait_cause cause, u64 total)
{
	stack_store_scale(s->store, (u16)cause, total);
}

const struct module_set *bpf_session_modules(const struct bpf_session *s)
{
	return s->modules;
}

/* ---- who and what, before recording ---- */

static int seed(struct bpf_session *s, pid_t tgid, u32 value)
{
	struct proc_pid key = pid_to_proc(tgid);

	return bpf_map_update_elem(s->seeds_fd, &key, &value, BPF_ANY);
}

/* Reads what list_mappings writes; every record is a file whose table is loaded at once. */
static int list_and_load(struct bpf_session *s, struct bpf_program *list_mappings)
{
	struct module_record *records = calloc(ITER_RECORDS, sizeof(*records));
	struct bpf_link *link = NULL;
	int fd = -1, err = 0;
	ssize_t got;

	if (!records)
		return -ENOMEM;
	link = bpf_program__attach_iter(list_mappings, NULL);
	if (!link) {
		err = -errno;
		goto out;
	}
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	VEC(struct module_record) all = {0};

	/* First all of it, then the files: the target's mmap lock is held while the iterator runs. */
	while ((got = read(fd, records, ITER_RECORDS * sizeof(*records))) > 0 ||
	       (got < 0 && errno == EAGAIN)) {
		for (ssize_t i = 0; !err && i < got / (ssize_t)sizeof(*records); i++)
			err = vec_push(&all, records[i]);
	}
	if (got < 0)
		err = -errno;
	vec_for_each(&all, r)
		module_arrived(s, r);
	vec_release(&all);
out:
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	free(records);
	return err;
}

/*
 * The kernel's name for a file is its inode, and only mappings show it: so the files of a command that
 * has not begun are mapped here, for as long as it takes to list them.
 */
static void *map_for_listing(struct readers *readers, const char *path)
{
	struct input_file in;
	void *mem = MAP_FAILED;

	if (regular_file_input(readers, path, &in))
		return NULL;
	if (in.fd >= 0) /* else it is met when the command maps it */
		mem = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, in.fd, 0);
	input_file_close(&in);
	return mem == MAP_FAILED ? NULL : mem;
}

static int load_special_tables(struct bpf_session *s)
{
	struct module *vdso = module_set_get(s->modules, MODULE_VDSO);

	if (vdso && vdso->elf)
		load_table(s, MODULE_VDSO, vdso);
	return 0;
}

int bpf_session_discover(struct bpf_session *s, struct bpf_program *list_mappings,
			 char *const *extra, struct error *err)
{
	VEC(void *) mapped = {0};
	int code = 0;

	vec_for_each(&s->opt->target->processes, p) {
		if (!code)
			code = seed(s, p->tgid, SEED_TARGET);
	}
	for (; extra && *extra; extra++) {
		void *mem = map_for_listing(s->opt->readers, *extra);

		if (mem && vec_push(&mapped, mem))
			munmap(mem, 1);
	}
	if (mapped.len && !code)
		code = seed(s, getpid(), SEED_LIST_ONLY);
	load_special_tables(s);
	if (!code)
		code = list_and_load(s, list_mappings);
	vec_for_each(&mapped, mem)
		munmap(*mem, 1);
	vec_release(&mapped);
	if (code)
		return error_set(err, code, "cannot list what the target has mapped: %s",
				 error_reason(code));
	if (s->opt->target->scope == TARGET_PROCESSES && !s->control->live_targets)
		return error_set(err, -ESRCH, "cannot profile %s: it has exited",
				 s->opt->target->title);
	s->recording = true;
	return 0;
}

/* ---- life ---- */

static int new_pending(struct bpf_session *s)
{
	const struct pending_env env = {.tables = s->tables,
					.modules = s->modules,
					.store = s->store,
					.load = module_met,
					.arg = s};

	return pending_new(&env, &s->pending);
}

int bpf_session_new(struct bpf_object *obj, struct sample_control *control,
		    const struct collect_options *opt, const struct stack_kind *kind,
		    struct bpf_session **out, struct error *err)
{
	struct tables_maps maps = {.chunks_fd = map_fd(obj, "table_chunks"),
				   .rules_fd = map_fd(obj, "rules"),
				   .modules_fd = map_fd(obj, "module_tables")};
	struct bpf_session *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return error_set(err, -ENOMEM, "cannot record: out of memory");
	s->obj = obj;
	s->control = control;
	s->opt = opt;
	memory_bound_init(&s->bound, opt->max_memory);
	s->counts_fd[0] = map_fd(obj, "counts_a");
	s->counts_fd[1] = map_fd(obj, "counts_b");
	s->counts_max = bpf_map__max_entries(bpf_object__find_map_by_name(obj, "counts_a"));
	s->modules_fd = map_fd(obj, "modules");
	s->stats_fd = map_fd(obj, "stats");
	s->seeds_fd = map_fd(obj, "seeds");
	code = tables_new(&maps, &s->tables);
	if (!code)
		code = module_set_new(opt->readers, &s->modules);
	if (!code)
		code = stack_store_new(opt, kind, &s->store);
	if (!code) {
		s->batch = malloc(sizeof(*s->batch));
		code = s->batch ? 0 : -ENOMEM;
	}
	if (!code)
		code = new_pending(s);
	if (!code) {
		s->ring = ring_buffer__new(map_fd(obj, "records"), record_arrived, s, NULL);
		code = s->ring ? 0 : -errno;
	}
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
	ring_buffer__free(s->ring);
	pending_free(s->pending);
	stack_store_free(s->store);
	memory_bound_release(&s->bound);
	free(s->batch);
	module_set_free(s->modules);
	tables_free(s->tables);
	free(s);
}

/* ---- numbers ---- */

#define MOST_CPUS 8192 /* arch/x86/Kconfig: NR_CPUS_RANGE_END */

static u64 stat_slot(struct bpf_session *s, u32 slot)
{
	int ncpus = libbpf_num_possible_cpus();
	u64 *values, sum = 0;

	/* It is read from /sys, which may be missing. The kernel writes as many values as it has CPUs. */
	if (ncpus < 1)
		ncpus = MOST_CPUS;
	values = calloc((size_t)ncpus, sizeof(*values));
	if (values && !bpf_map_lookup_elem(s->stats_fd, &slot, values)) {
		for (int i = 0; i < ncpus; i++)
			sum += values[i];
	}
	free(values);
	return sum;
}

u64 bpf_session_stat(struct bpf_session *s, enum sample_stat stat)
{
	return stat_slot(s, stat);
}

void bpf_session_stats(struct bpf_session *s, struct collect_stats *out)
{
	*out = (struct collect_stats){
		.samples = bpf_session_stat(s, STAT_SAMPLES),
		.lost_ring = bpf_session_stat(s, STAT_LOST_RING) + s->lost_frames,
		.lost_table = bpf_session_stat(s, STAT_LOST_TABLE),
		.lost_busy = bpf_session_stat(s, STAT_LOST_SCRATCH),
		.lost_targets = bpf_session_stat(s, STAT_LOST_TARGET),
		.ticks = bpf_session_stat(s, STAT_TICKS),
		.late = bpf_session_stat(s, STAT_LATE_TICKS),
		.frames = bpf_session_stat(s, STAT_FRAMES),
		.kernel_ns = bpf_session_stat(s, STAT_NANOSECONDS),
		.modules = s->nmodules,
		.late_modules = s->late_modules,
		.rows = tables_rows(s->tables),
		.merged = stack_store_merged(s->store),
		.gaps = s->gaps,
	};
	for (u32 end = 0; end < STACK_END_COUNT; end++)
		out->ends[end] = stat_slot(s, STAT_ENDS_FIRST + end) + s->pending_ends[end];
}
