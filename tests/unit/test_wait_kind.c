/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of waits by name, and samples that become equal. */
#include "view/wait_kind.h"
#include "unit.h"

static u32 function_location(struct profile *p, u32 mapping, const char *name)
{
	s64 function = profile_function(p, name, name, "", 0);
	struct profile_line line = {.function = (u32)function};
	s64 location = profile_location(p, mapping, 0x1000 + (u64)function * 16);

	CHECK_INT(profile_location_set_lines(p, (u32)location, &line, 1), 0);
	return (u32)location;
}

static u32 mapping(struct profile *p, enum profile_mapping_kind kind)
{
	struct profile_mapping m = {.start = 0x1000, .limit = 0x100000, .kind = (u8)kind};

	return (u32)profile_add_mapping(p, &m);
}

static struct profile_label text_label(struct profile *p, const char *key, const char *text)
{
	return (struct profile_label){.key = (string_id)profile_string(p, key),
				      .str = (string_id)profile_string(p, text)};
}

struct stack {
	struct profile *p;
	u32 kernel, user;
};

static struct stack setup(void)
{
	struct stack s = {NULL, 0, 0};

	CHECK_INT(profile_new(&s.p), 0);
	CHECK_INT(profile_add_sample_type(s.p, "delay", "nanoseconds"), 0);
	s.kernel = mapping(s.p, PROFILE_MAPPING_KERNEL);
	s.user = mapping(s.p, PROFILE_MAPPING_FILE);
	return s;
}

static void add(struct stack *s, const char *leaf, const char *wrapper, const char *caller,
		const char *key, const char *text, s64 value)
{
	struct profile_label label = text_label(s->p, key, text);
	u32 locations[] = {
		function_location(s->p, s->kernel, leaf),
		function_location(s->p, s->kernel, "futex_do_wait"),
		function_location(s->p, s->user, wrapper),
		function_location(s->p, s->user, caller),
	};

	CHECK_INT(profile_add_sample(s->p, locations, 4, &value, &label, 1), 0);
}

TEST(wait_kind, innermost_library_frame_decides)
{
	static const char *const cases[][3] = {
		{"___pthread_mutex_lock", "worker", "mutex"},
		{"__pthread_mutex_cond_lock", "___pthread_cond_wait", "mutex"},
		{"__futex_abstimed_wait", "___pthread_cond_timedwait", "condvar"},
		{"__new_sem_wait_slow64", "worker", "semaphore"},
		{"___pthread_rwlock_rdlock", "worker", "rwlock"},
		{"__pthread_clockjoin_ex", "worker", "join"},
		{"std::sys::sync::mutex::futex::Mutex::lock_contended", "main", "mutex"},
		{"parking_lot_core::parking_lot::park", "parking_lot::condvar::Condvar::wait",
		 "condvar"},
		{"parking_lot_core::parking_lot::park",
		 "parking_lot::raw_mutex::RawMutex::lock_slow", "mutex"},
		{"runtime.notesleep", "runtime.stopm", "condvar"},
		{"runtime.futexsleep", "runtime.lock2", "mutex"},
		{"syscall", "my_lock", "futex"},
		{"__lll_lock_wait_private", "_IO_fwrite", "mutex"},
		{"__lock", "malloc", "mutex"},
		{"my__lock", "flocking", "futex"},
		{"__futex_wait", "__pthread_once_slow", "once"},
		{"__cxa_guard_acquire", "main", "once"},
		{"syscall", "std::latch::wait(long) const", "latch"},
		{"syscall", "std::counting_semaphore<8l>::acquire()", "semaphore"},
		{"syscall", "std::__1::__barrier_base<F>::__wait(unsigned)", "barrier"},
		{"w_barrier", "pass_barrier", "futex"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stack s = setup();

		add(&s, "schedule", cases[i][0], cases[i][1], "lock", "0x1000", 5);
		CHECK_INT(wait_kinds_find(s.p), 0);
		CHECK(wait_has_label(s.p, &s.p->samples.data[0], "kind", cases[i][2]));
		profile_free(s.p);
	}
}

TEST(wait_kind, scheduler_frames_go_and_equal_stacks_become_one)
{
	struct stack s = setup();

	add(&s, "schedule", "___pthread_mutex_lock", "f", "lock", "0x1000", 5);
	add(&s, "__schedule", "___pthread_mutex_lock", "f", "lock", "0x1000", 7);
	add(&s, "schedule", "___pthread_mutex_lock", "f", "lock", "0x2000", 11);
	CHECK_INT(s.p->samples.len, 3);
	CHECK_INT(wait_kinds_find(s.p), 0);
	CHECK_INT(s.p->samples.len, 2);
	CHECK_INT(s.p->samples.data[0].nlocations, 3);
	CHECK_INT(s.p->values.data[s.p->samples.data[0].first_value], 12);
	profile_free(s.p);
}

TEST(wait_kind, condition_variables_are_idleness)
{
	struct stack s = setup();

	add(&s, "schedule", "pthread_cond_wait", "f", "cause", "lock", 5);
	add(&s, "schedule", "pthread_mutex_lock", "f", "cause", "lock", 5);
	CHECK_INT(wait_kinds_find(s.p), 0);
	CHECK(wait_has_label(s.p, &s.p->samples.data[0], "cause", "idle"));
	CHECK(wait_has_label(s.p, &s.p->samples.data[1], "cause", "lock"));
	profile_free(s.p);
}

TEST(wait_kind, what_is_dropped_is_gone)
{
	struct stack s = setup();

	add(&s, "schedule", "pthread_cond_wait", "f", "lock", "0x1000", 5);
	add(&s, "schedule", "pthread_mutex_lock", "f", "lock", "0x1000", 5);
	CHECK_INT(wait_kinds_find(s.p), 0);
	wait_drop(s.p, "kind", "condvar");
	CHECK_INT(s.p->samples.len, 1);
	CHECK(wait_has_label(s.p, &s.p->samples.data[0], "kind", "mutex"));
	profile_free(s.p);
}

static u32 separator(struct stack *s)
{
	struct profile_mapping m = {.kind = PROFILE_MAPPING_SYNTHETIC};
	u32 number = (u32)profile_add_mapping(s->p, &m);

	return function_location(s->p, number, "--");
}

static void check_stack(const struct profile *p, const struct profile_sample *sample,
			const char *const *names, u32 n)
{
	CHECK_INT(sample->nlocations, n);
	for (u32 i = 0; i < n; i++) {
		u32 number = p->stack_locations.data[sample->first_location + i];
		const struct profile_location *l = &p->locations.data[number];

		CHECK_STR(profile_text(
				  p, p->functions.data[p->lines.data[l->first_line].function].name),
			  names[i]);
	}
}

TEST(wait_kind, a_chain_loses_the_scheduler_on_both_sides_of_the_mark)
{
	static const char *const left[] = {"start_thread", "waker",         "futex_wake",
					   "--",           "futex_do_wait", "wait"};
	struct stack s = setup();
	struct profile_label label = text_label(s.p, "cause", "lock");
	s64 value = 1;
	u32 locations[] = {
		function_location(s.p, s.user, "start_thread"),
		function_location(s.p, s.user, "waker"),
		function_location(s.p, s.kernel, "futex_wake"),
		function_location(s.p, s.kernel, "bpf_trace_run1"),
		function_location(s.p, s.kernel, "bpf_prog_1_on_waking [bpf]"),
		separator(&s),
		function_location(s.p, s.kernel, "bpf_prog_2_on_switch [bpf]"),
		function_location(s.p, s.kernel, "__schedule"),
		function_location(s.p, s.kernel, "futex_do_wait"),
		function_location(s.p, s.user, "wait"),
	};

	CHECK_INT(profile_add_sample(s.p, locations, 10, &value, &label, 1), 0);
	CHECK_INT(wait_kinds_find(s.p), 0);
	check_stack(s.p, &s.p->samples.data[0], left, 6);
	profile_free(s.p);
}

TEST(wait_kind, who_is_interrupted_by_the_waker_has_no_part_in_it)
{
	static const char *const left[] = {"asm_sysvec_apic_timer_interrupt", "hrtimer_wakeup",
					   "--", "wait"};
	struct stack s = setup();
	struct profile_label label = text_label(s.p, "cause", "sleep");
	s64 value = 1;
	u32 locations[] = {
		function_location(s.p, s.user, "somebody"),
		function_location(s.p, s.kernel, "asm_sysvec_apic_timer_interrupt"),
		function_location(s.p, s.kernel, "hrtimer_wakeup"),
		separator(&s),
		function_location(s.p, s.user, "wait"),
	};

	CHECK_INT(profile_add_sample(s.p, locations, 5, &value, &label, 1), 0);
	CHECK_INT(wait_kinds_find(s.p), 0);
	check_stack(s.p, &s.p->samples.data[0], left, 4);
	profile_free(s.p);
}
