/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of a lock's waiters. */
#include "base/types.h"
#include "../../bpf/lock_queue.h"
#include "unit.h"

#define HOUR 3600000000ull /* microseconds */

TEST(lock_queue, all_waiters_are_summed_and_each_release_begins_anew)
{
	u64 queue = 0;

	queue = lock_queue_join(queue, 100);
	queue = lock_queue_join(queue, 150);
	queue = lock_queue_join(queue, 190);
	CHECK_INT(lock_queue_number(queue), 3);
	CHECK_INT(lock_queue_waited(queue, 200), 100 + 50 + 10);
	queue = lock_queue_release(queue, 200);
	CHECK_INT(lock_queue_number(queue), 2);
	CHECK_INT(lock_queue_waited(queue, 230), 2 * 30);
	queue = lock_queue_leave(queue, 200); /* it timed out */
	CHECK_INT(lock_queue_waited(queue, 230), 30);
	CHECK_INT(lock_queue_release(queue, 230), 0);
}

TEST(lock_queue, thousands_of_waiters_for_days)
{
	const u64 n = 16000, began = 1000 * HOUR;
	u64 queue = 0;

	for (u64 i = 0; i < n; i++)
		queue = lock_queue_join(queue, began + i);
	CHECK_INT(lock_queue_number(queue), n);
	CHECK_INT(lock_queue_waited(queue, began + 2 * HOUR), n * 2 * HOUR - n * (n - 1) / 2);
	for (u64 i = 0; i < n; i++)
		queue = lock_queue_leave(queue, began + i);
	CHECK_INT(queue, 0);
}

TEST(lock_queue, two_thousand_waiters_after_39_hours)
{
	const u64 n = 2000;
	u64 queue = 0, now = 39 * HOUR;

	for (u64 i = 0; i < n; i++)
		queue = lock_queue_join(queue, now + i);
	now += HOUR;
	for (u64 left = n; left > 1; left--) {
		CHECK_INT(lock_queue_number(queue), left);
		queue = lock_queue_release(queue, now);
	}
	CHECK_INT(lock_queue_waited(queue, now + 5), 5);
}

TEST(lock_queue, a_wait_that_begins_after_its_end_is_none)
{
	u64 queue = lock_queue_join(0, 1005);

	CHECK_INT(lock_queue_waited(queue, 1000), 0);
	CHECK_INT(lock_queue_waited(0, 1000), 0);
	CHECK_INT(lock_queue_leave(0, 1000), 0);
}
