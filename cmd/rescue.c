/* SPDX-License-Identifier: Apache-2.0 */
/* Saves profiles that cannot be written to their destination: see rescue.h. */
#include "rescue.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/format.h"

/* The number is random, so that no file of that name exists. */
static u64 random_number(void)
{
	u64 number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (u64)getpid();
	return number;
}

static int save_in(const struct profile *p, const char *directory, const char *name, char *path,
		   size_t size)
{
	const struct format_options all = {.top = 0};
	struct error err;
	int n = snprintf(path, size, "%s/%s-%08" PRIx64 "%s", directory, name,
			 random_number() & UINT32_MAX, format_pprof.suffix);

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	return format_write_file(p, &format_pprof, &all, path, &err);
}

void rescue_profile(const struct profile *p, const char *name, struct error *failed)
{
	const char *const directories[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	struct error first = *failed;
	char path[PATH_MAX];
	mode_t mask;
	int code = -ENOENT;

	if (failed->code == -EPIPE)
		return;
	mask = umask(S_IRWXG | S_IRWXO);
	for (size_t i = 0; i < ARRAY_LEN(directories) && code; i++) {
		if (directories[i] && *directories[i] == '/')
			code = save_in(p, directories[i], name, path, sizeof(path));
	}
	umask(mask);
	if (code)
		error_set(failed, first.code, "%s; it cannot be saved in /var/tmp or /tmp either",
			  first.text);
	else
		error_set(failed, first.code, "%s; the profile was saved as %s", first.text, path);
}
