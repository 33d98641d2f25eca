/* SPDX-License-Identifier: Apache-2.0 */
/* Says what open descriptors are, in words: paths, and the addresses and states of sockets. */
#ifndef CPROF_COLLECT_FD_NAMES_H
#define CPROF_COLLECT_FD_NAMES_H

#include <sys/types.h>

#include "base/bpf_shared.h"

struct fd_names;

int fd_names_new(struct fd_names **out) MUST_CHECK;
void fd_names_free(struct fd_names *n); /* NULL is allowed */

/*
 * Writes what a descriptor of a process is now: "/var/log/x", "tcp 10.0.0.1:80 10.0.0.9:4242
 * established", or "" if it cannot be read. Returns what kind it is by that, or FD_NONE. It never
 * asks the file's file system, which may not answer. The sockets of the last process' network are
 * kept until fd_names_rest().
 */
enum fd_kind fd_names_find(struct fd_names *n, pid_t tgid, u32 fd, char *out, size_t size);
void fd_names_rest(struct fd_names *n);

/* Returns the text of an enum fd_kind, and the kind that is called so, or FD_KIND_COUNT. */
const char *fd_kind_text(u32 kind);
enum fd_kind fd_kind_called(const char *text, size_t length);

#endif
