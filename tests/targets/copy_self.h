/* SPDX-License-Identifier: Apache-2.0 */
/* Lets a program start copies of itself, each of which is another file. */
#ifndef CPROF_TESTS_COPY_SELF_H
#define CPROF_TESTS_COPY_SELF_H

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns 0 if there is a copy. */
static int copy_self(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	struct stat st;
	int err = in < 0 || out < 0 || fstat(in, &st) ||
		  sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size;

	close(in);
	close(out);
	return err;
}

#endif
