/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of threads that wait for each other, and who owns a lock. */
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/wait/wait_ring.h"
#include "unit.h"

#define TGID 7

/* The waiter is in a PID namespace, where threads have other numbers than cprof sees. */
static struct ring_waiter waiter(u32 inner, u32 owner)
{
	return (struct ring_waiter){.tgid = TGID,
				    .tid = (pid_t)inner + 4000,
				    .inner = {inner},
				    .lock = 0x1000 + inner,
				    .owner = {{owner}}};
}

TEST(wait_ring, a_ring_is_found_behind_those_who_only_lead_to_it)
{
	struct ring_waiter all[] = {waiter(10, 11), waiter(11, 12), waiter(12, 13), waiter(13, 11)};
	struct wait_ring_member ring[WAIT_RING_MAX];

	CHECK_INT(wait_ring_find(all, 4, ring, WAIT_RING_MAX), 3);
	CHECK_INT(ring[0].tid, 4011);
	CHECK_INT(ring[1].tid, 4012);
	CHECK_INT(ring[2].tid, 4013);
	CHECK_INT(ring[2].lock, 0x1000 + 13);
}

TEST(wait_ring, whoever_waits_for_somebody_who_runs_is_in_none)
{
	struct ring_waiter all[] = {waiter(10, 11), waiter(11, 99)};
	struct wait_ring_member ring[WAIT_RING_MAX];

	CHECK_INT(wait_ring_find(all, 2, ring, WAIT_RING_MAX), 0);
	CHECK_INT(wait_ring_find(all, 0, ring, WAIT_RING_MAX), 0);
}

TEST(wait_ring, a_thread_can_wait_for_itself)
{
	struct ring_waiter all[] = {waiter(10, 10)};
	struct wait_ring_member ring[WAIT_RING_MAX];

	CHECK_INT(wait_ring_find(all, 1, ring, WAIT_RING_MAX), 1);
}

TEST(wait_ring, the_same_number_in_another_process_is_another_thread)
{
	struct ring_waiter all[] = {waiter(10, 11), waiter(11, 10)};
	struct wait_ring_member ring[WAIT_RING_MAX];

	all[1].tgid = TGID + 1;
	CHECK_INT(wait_ring_find(all, 2, ring, WAIT_RING_MAX), 0);
}

TEST(wait_ring, a_ring_longer_than_there_is_room_for_is_none)
{
	struct ring_waiter all[] = {waiter(10, 11), waiter(11, 12), waiter(12, 10)};
	struct wait_ring_member ring[WAIT_RING_MAX];

	CHECK_INT(wait_ring_find(all, 3, ring, 2), 0);
}

TEST(wait_ring, a_mutex_says_who_owns_it)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct ring_waiter w = {.tgid = getpid(), .lock = (u64)(uintptr_t)&lock};

	pthread_mutex_lock(&lock);
	wait_ring_owners(&w);
	CHECK_INT(w.owner[0].nr, syscall(SYS_gettid));
	pthread_mutex_unlock(&lock);
	wait_ring_owners(&w);
	CHECK_INT(w.owner[0].nr, 0);
	w.lock = 16; /* nothing is mapped there */
	wait_ring_owners(&w);
	CHECK_INT(w.owner[0].nr, 0);
	CHECK_INT(w.owner[1].nr, 0);
}
