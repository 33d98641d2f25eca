/* SPDX-License-Identifier: Apache-2.0 */
/* Opens ELF files: see elf_fixture.h. */
#include "elf_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

struct elf_file *elf_fixture_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *f;

	if (fd < 0)
		unit_skip("no %s here", path);
	CHECK_INT(elf_file_open(fd, &f), 0);
	close(fd);
	return f;
}
