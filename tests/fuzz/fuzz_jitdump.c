/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any bytes as a jitdump file, and checks that what it names lies in the file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbol/jit_dump.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

enum { ADDRESSES = 0x100 };

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	int fd = memfd_create("dump", MFD_CLOEXEC), err;
	u64 addresses[ADDRESSES];
	struct budget budget;
	struct input_file in;
	struct jit_dump *d;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || input_file_of(fd, &in))
		abort();
	budget_init(&budget, size);
	budget_limit(&budget, 100000000, 64u << 20);
	for (size_t i = 0; i < ADDRESSES; i++)
		addresses[i] = 0x1000 + i;
	err = jit_dump_scan(&in, &budget, addresses, ADDRESSES, &d);
	input_file_close(&in);
	if (err && err != -EBADMSG && err != -E2BIG)
		abort();
	if (err)
		return 0;
	for (size_t i = 0; i < ADDRESSES; i++) {
		const struct jit_dump_frame *f = jit_dump_at(d, i);

		if (f->name && !memmem(data, size, f->name, strlen(f->name) + 1))
			abort();
		if (f->file && !memmem(data, size, f->file, strlen(f->file) + 1))
			abort();
	}
	jit_dump_free(d);
	return 0;
}
