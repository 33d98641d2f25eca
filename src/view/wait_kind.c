/* SPDX-License-Identifier: Apache-2.0 */
/* Derives the kinds of waits from names: see wait_kind.h. */
#include "view/wait_kind.h"

#include <errno.h>
#include <string.h>

#include "arch/machine.h"

#define LOOK_AT 12 /* number of user frames, counted from the leaf */

struct kind_name {
	const char *name, *kind;
};

/* Each entry is a part of a function's name. The innermost frame that matches decides, and of
 * several matches the first one. */
static const struct kind_name kind_parts[] = {
	/* this occurs on the way back from a condition variable */
	{"pthread_mutex_cond_lock", "mutex"},
	{"pthread_cond_", "condvar"},
	{"condition_variable", "condvar"},
	{"Condvar", "condvar"},
	{"condvar", "condvar"},
	{"CondVar", "condvar"},
	{"pthread_rwlock_", "rwlock"},
	{"RwLock", "rwlock"},
	{"rwlock", "rwlock"},
	{"pthread_barrier_", "barrier"},
	/* C++20: libstdc++ and libc++ */
	{"std::barrier<", "barrier"},
	{"std::__1::barrier<", "barrier"},
	{"std::__tree_barrier", "barrier"},
	{"std::__1::__barrier_base", "barrier"},
	{"std::__1::__barrier_algorithm_base", "barrier"},
	{"std::latch::", "latch"},
	{"std::__1::latch::", "latch"},
	{"std::counting_semaphore<", "semaphore"},
	{"std::__atomic_semaphore::", "semaphore"},
	{"std::__platform_semaphore::", "semaphore"},
	{"std::__1::counting_semaphore<", "semaphore"},
	{"std::__1::__atomic_semaphore_base", "semaphore"},
	{"sem_wait", "semaphore"},
	{"sem_timedwait", "semaphore"},
	{"sem_clockwait", "semaphore"},
	{"sem_post", "semaphore"},
	{"pthread_join", "join"},
	{"pthread_timedjoin", "join"},
	{"pthread_clockjoin", "join"},
	{"pthread_once", "once"},
	{"call_once", "once"},
	{"cxa_guard_acquire", "once"}, /* the first use of a static variable */
	{"sync::once::", "once"}, /* Rust */
	{"pthread_mutex_", "mutex"},
	{"lll_mutex_", "mutex"},
	/* glibc: the locks of streams, arenas, the loader and atexit */
	{"lll_lock_wait", "mutex"},
	{"flockfile", "mutex"},
	{"parking_lot", "mutex"},
	{"sync::mutex", "mutex"},
	{"futex::Mutex", "mutex"},
	{"std::mutex", "mutex"},
	{"absl::Mutex", "mutex"},
	{"runtime.lock2", "mutex"}, /* Go: the runtime's own locks, and threads without work */
	{"runtime.notesleep", "condvar"},
	{"runtime.notetsleep", "condvar"},
	{"thread::park", "condvar"},
};

/* These are whole names, because they are parts of many others. */
static const struct kind_name kind_names[] = {
	{"thrd_join", "join"},      {"mtx_lock", "mutex"},
	{"mtx_timedlock", "mutex"}, {"__lock", "mutex"}, /* musl */
	{"__lockfile", "mutex"}, /* musl */
};

/* The kernel runs these functions between the wait and the BPF program that watches it. */
static const char *const scheduler_frames[] = {
	"bpf_prog_", "bpf_trace_run",    "__bpf_trace_",       "__traceiter_", "__schedule",
	"schedule",  "preempt_schedule", "finish_task_switch", "io_schedule",
};

static const char *name_of(const struct profile *p, const struct profile_location *l, u32 line)
{
	return profile_text(p,
			    p->functions.data[p->lines.data[l->first_line + line].function].name);
}

static bool is_kernel(const struct profile *p, const struct profile_location *l)
{
	return p->mappings.data[l->mapping].kind == PROFILE_MAPPING_KERNEL;
}

static const struct profile_location *location_at(const struct profile *p,
						  const struct profile_sample *s, u32 i)
{
	return &p->locations.data[p->stack_locations.data[s->first_location + i]];
}

static bool begins_with_any(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strncmp(name, list[i], strlen(list[i])))
			return true;
	}
	return false;
}

static bool is_kernel_function(const struct profile *p, const struct profile_location *l,
			       const char *const *list, size_t n)
{
	return is_kernel(p, l) && l->nlines && begins_with_any(name_of(p, l, 0), list, n);
}

static bool is_scheduler(const struct profile *p, const struct profile_location *l)
{
	return is_kernel_function(p, l, scheduler_frames, ARRAY_LEN(scheduler_frames));
}

static bool is_interrupt(const struct profile *p, const struct profile_location *l)
{
	return is_kernel(p, l) && l->nlines && arch_is_interrupt_entry(name_of(p, l, 0));
}

static bool is_separator(const struct profile *p, const struct profile_location *l)
{
	return p->mappings.data[l->mapping].kind == PROFILE_MAPPING_SYNTHETIC && l->nlines &&
	       !strcmp(name_of(p, l, 0), "--");
}

/* Returns where the waiter's stack begins, which is after that of its waker if there is one. */
static u32 waiter_at(const struct profile *p, const struct profile_sample *s)
{
	for (u32 i = 0; i + 1 < s->nlocations; i++) {
		if (is_separator(p, location_at(p, s, i)))
			return i + 1;
	}
	return 0;
}

/* Returns the waiter's leaf without the scheduler's frames. The last frame stays, whatever it
 * is. */
static u32 waiter_leaf(const struct profile *p, const struct profile_sample *s, u32 at)
{
	while (at + 1 < s->nlocations && is_scheduler(p, location_at(p, s, at)))
		at++;
	return at;
}

static int copy_locations(struct profile *p, const struct profile_sample *s, u32 from, u32 to)
{
	int err = 0;

	for (u32 i = from; i < to && !err; i++) {
		u32 location = p->stack_locations.data[s->first_location + i];

		err = vec_push(&p->stack_locations, location);
	}
	return err;
}

/*
 * A sample with a waker's stack gets its own list. First comes the waker's stack, up to where it
 * wakes the waiter; it begins at the interrupt, if there was one, because the interrupted code has
 * no part in the wake-up. The waiter's stack follows.
 */
static int cut_chain(struct profile *p, struct profile_sample *s, u32 waiter)
{
	u32 first = (u32)p->stack_locations.len, end = waiter - 1, begin;
	int err;

	while (end > 1 && is_scheduler(p, location_at(p, s, end - 1)))
		end--;
	for (begin = end - 1; begin > 0 && !is_interrupt(p, location_at(p, s, begin)); begin--)
		;
	err = copy_locations(p, s, begin, end);
	if (!err)
		err = copy_locations(p, s, waiter - 1, waiter);
	if (!err)
		err = copy_locations(p, s, waiter_leaf(p, s, waiter), s->nlocations);
	s->first_location = first;
	s->nlocations = (u32)p->stack_locations.len - first;
	return err;
}

static int cut_scheduler(struct profile *p, struct profile_sample *s)
{
	u32 waiter = waiter_at(p, s), leaf;

	if (waiter > 1)
		return cut_chain(p, s, waiter);
	leaf = waiter_leaf(p, s, 0);
	s->first_location += leaf;
	s->nlocations -= leaf;
	return 0;
}

/* When a thread exits, the kernel wakes its joiner. Only the thread's start function on the stack
 * shows that. */
static bool is_end_of_thread(const char *name)
{
	return !strcmp(name, "start_thread") || !strcmp(name, "__exit_thread") ||
	       !strcmp(name, "_exit");
}

static const char *kind_of_name(const char *name)
{
	if (strstr(name, "parking_lot_core"))
		return NULL; /* Its callers tell whether it is a lock or a condition variable. */
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
		if (!strcmp(name, kind_names[i].name))
			return kind_names[i].kind;
	}
	for (size_t i = 0; i < ARRAY_LEN(kind_parts); i++) {
		if (strstr(name, kind_parts[i].name))
			return kind_parts[i].kind;
	}
	return NULL;
}

static const char *kind_of(const struct profile *p, const struct profile_sample *s)
{
	u32 looked = 0;

	for (u32 i = waiter_at(p, s); i < s->nlocations && looked < LOOK_AT; i++) {
		const struct profile_location *l = location_at(p, s, i);

		if (!looked && !is_kernel(p, l) && l->nlines && is_end_of_thread(name_of(p, l, 0)))
			return "join";
		looked += !is_kernel(p, l);
		for (u32 line = 0; line < l->nlines; line++) {
			const char *kind = kind_of_name(name_of(p, l, line));

			if (kind)
				return kind;
		}
	}
	return "futex";
}

static struct profile_label *label_of(const struct profile *p, const struct profile_sample *s,
				      const char *key)
{
	for (u32 i = 0; i < s->nlabels; i++) {
		struct profile_label *label = &p->labels.data[s->first_label + i];

		if (!strcmp(profile_text(p, label->key), key))
			return label;
	}
	return NULL;
}

bool wait_has_label(const struct profile *p, const struct profile_sample *s, const char *key,
		    const char *text)
{
	const struct profile_label *label = label_of(p, s, key);

	return label && !strcmp(profile_text(p, label->str), text);
}

const char *wait_label_text(const struct profile *p, const struct profile_sample *s,
			    const char *key)
{
	const struct profile_label *label = label_of(p, s, key);

	return label && label->str ? profile_text(p, label->str) : NULL;
}

/* Samples may share their labels, so this sample gets its own list. */
static int add_label(struct profile *p, struct profile_sample *s, const char *key, const char *text)
{
	s64 key_id = profile_string(p, key), text_id = profile_string(p, text);
	u32 first = (u32)p->labels.len;
	int err = 0;

	if (key_id < 0 || text_id < 0)
		return -ENOMEM;
	for (u32 i = 0; i < s->nlabels && !err; i++) {
		struct profile_label copy = p->labels.data[s->first_label + i];

		err = vec_push(&p->labels, copy);
	}
	if (!err)
		err = vec_push(&p->labels, ((struct profile_label){.key = (string_id)key_id,
								   .str = (string_id)text_id}));
	if (err)
		return err;
	s->first_label = first;
	s->nlabels++;
	return 0;
}

/* A thread that waits for work is not waiting for a lock. */
static int condvar_is_idle(struct profile *p, struct profile_sample *s)
{
	struct profile_label *cause = label_of(p, s, "cause");
	s64 idle;

	if (strcmp(kind_of(p, s), "condvar") != 0)
		return 0;
	idle = profile_string(p, "idle");
	if (idle < 0)
		return (int)idle;
	cause->str = (string_id)idle; /* no other sample uses this list of labels */
	return 0;
}

int wait_kinds_find(struct profile *p)
{
	int err = 0;

	for (size_t i = 0; i < p->samples.len && !err; i++) {
		struct profile_sample *s = &p->samples.data[i];

		err = cut_scheduler(p, s);
		if (err)
			break;
		if (label_of(p, s, "lock") && !label_of(p, s, "kind"))
			err = add_label(p, s, "kind", kind_of(p, s));
		else if (wait_has_label(p, s, "cause", "lock"))
			err = condvar_is_idle(p, s);
	}
	if (!err)
		profile_merge_samples(p);
	return err;
}

/* Samples may share their labels, so this sample gets its own list. */
static int change_label(struct profile *p, struct profile_sample *s, const char *key,
			const char *text)
{
	s64 text_id = profile_string(p, text);
	u32 first = (u32)p->labels.len;

	if (text_id < 0 || vec_reserve(&p->labels, p->labels.len + s->nlabels))
		return -ENOMEM;
	for (u32 i = 0; i < s->nlabels; i++)
		p->labels.data[p->labels.len++] = p->labels.data[s->first_label + i];
	s->first_label = first;
	label_of(p, s, key)->str = (string_id)text_id;
	return 0;
}

int wait_kinds_name(struct profile *p, const char *key, const char *text)
{
	int err = 0;

	for (size_t i = 0; i < p->samples.len && !err; i++) {
		struct profile_sample *s = &p->samples.data[i];

		err = cut_scheduler(p, s);
		if (!err && wait_has_label(p, s, key, text))
			err = change_label(p, s, key, kind_of(p, s));
	}
	return err;
}

void wait_drop(struct profile *p, const char *key, const char *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->samples.len; i++) {
		if (!wait_has_label(p, &p->samples.data[i], key, text))
			p->samples.data[kept++] = p->samples.data[i];
	}
	p->samples.len = kept;
}
