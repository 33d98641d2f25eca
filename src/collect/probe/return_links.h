/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Return probes that other recordings, and other programs, have for other processes at the same places of a
 * file. Since a session asks for a return probe call by call (kernel 6.13), they matter: where two links meet, the kernel
 * sets a return probe for every call in either process (bpf/return_links.bpf.h).
 */
#ifndef CPROF_COLLECT_RETURN_LINKS_H
#define CPROF_COLLECT_RETURN_LINKS_H

#include <sys/types.h>

#include "base/types.h"
#include "collect/probe/uprobe_pins.h"
#include "target/maps.h"

/*
 * Whether an older link than ours has return probes at one of our places, for another process than `tgid`.
 * `links` are ours, all of the program that `program_fd` is; other links of that program are ours, too. `list_fd` is
 * the iterator list_returns. 1, 0 or a negative errno.
 */
int return_links_older(int list_fd, int program_fd, pid_t tgid, const struct uprobe_link *links,
		       size_t n) MUST_CHECK;

/*
 * The same before anything is attached, for the file that is mapped by `e`. Where a file system has other numbers in maps
 * than the kernel has (btrfs, overlayfs), only the check afterwards finds it.
 */
int return_links_at(int list_fd, int program_fd, pid_t tgid, const struct map_entry *e,
		    const struct uprobe_place *places, size_t n) MUST_CHECK;

#endif
