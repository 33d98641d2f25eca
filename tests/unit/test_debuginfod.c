/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for debug files, where no server can answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/debuginfod.h"
#include "unit.h"

static struct build_id id_of(u8 first)
{
	struct build_id id = {.len = 20};

	memset(id.data, first, id.len);
	return id;
}

static void wait_for(struct debuginfod *d)
{
	for (int i = 0; i < 600 && debuginfod_is_waiting(d); i++)
		debuginfod_poll(d, 100);
	CHECK(!debuginfod_is_waiting(d));
}

/* One failure to connect stands for all. */
TEST(debuginfod, a_server_that_cannot_be_reached)
{
	const struct build_id a = id_of(1), b = id_of(2), none = {0};
	const struct debuginfod_file *f;
	struct debuginfod *d;

	setenv("HOME", "/nowhere", 1);
	setenv("DEBUGINFOD_CACHE_PATH", "/nowhere/cache", 1);
	CHECK_INT(debuginfod_new("http://127.0.0.1:1", &d), 0);
	CHECK(!debuginfod_is_waiting(d));
	CHECK_INT(debuginfod_request(d, &none), -EINVAL);
	CHECK_INT(debuginfod_request(d, &a), 0);
	CHECK_INT(debuginfod_request(d, &a), 0);
	CHECK_INT(debuginfod_request(d, &b), 0);
	wait_for(d);
	f = debuginfod_find(d, &b);
	CHECK_INT(f->state, DEBUGINFOD_FAILED);
	CHECK(f->err < 0);
	CHECK_INT(f->fd, -1);
	CHECK(!debuginfod_find(d, &none));
	debuginfod_free(d);
}

TEST(debuginfod, there_is_a_limit_of_files)
{
	struct debuginfod *d;

	CHECK_INT(debuginfod_new("http://127.0.0.1:1", &d), 0);
	for (u32 i = 0; i < DEBUGINFOD_FILES; i++) {
		const struct build_id id = id_of((u8)i);

		CHECK_INT(debuginfod_request(d, &id), 0);
	}
	CHECK_INT(debuginfod_request(d, &(struct build_id){.len = 1, .data = {200}}), -ENOSPC);
	debuginfod_free(d); /* ends the process while it works */
}
