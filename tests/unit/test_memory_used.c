/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that memory counts as what it is: reserved, in use, or shared. */
#include "base/memory_used.h"

#include <string.h>
#include <sys/mman.h>

#include "unit.h"

#define BYTES (64ull << 20)

static char *map(int kind)
{
	char *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

/* The rest of the process may use a little more or less meanwhile. */
static bool grew(u64 before, u64 now, u64 by)
{
	return now + BYTES / 8 > before + by && now < before + by + BYTES / 8;
}

TEST(memory_used, reserved_used_and_shared_bytes)
{
	struct memory_used before = memory_used(), now;
	char *own = map(MAP_PRIVATE), *shared = map(MAP_SHARED);

	now = memory_used();
	CHECK(grew(before.size, now.size, 2 * BYTES));
	CHECK(grew(before.resident, now.resident, 0));
	memset(own, 1, BYTES);
	now = memory_used();
	CHECK(grew(before.resident, now.resident, BYTES));
	CHECK(grew(before.shared, now.shared, 0));
	memset(shared, 1, BYTES);
	now = memory_used();
	CHECK(grew(before.resident, now.resident, 2 * BYTES));
	CHECK(grew(before.shared, now.shared, BYTES));
	munmap(own, BYTES);
	munmap(shared, BYTES);
	now = memory_used();
	CHECK(grew(before.size, now.size, 0));
	CHECK(grew(before.resident, now.resident, 0));
}

TEST(memory_used, without_the_file_everything_is_0)
{
	struct memory_used none = memory_used_read(-1);

	CHECK(!none.size && !none.resident && !none.shared);
}
