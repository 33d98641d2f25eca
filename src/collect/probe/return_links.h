/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds return probes that other recordings, and other programs, have for other processes at the
 * same places of a file. They matter since a session requests a return probe call by call (kernel
 * 6.13): where two links meet, the kernel sets a return probe for every call in either process
 * (bpf/return_links.bpf.h).
 */
#ifndef CPROF_COLLECT_RETURN_LINKS_H
#define CPROF_COLLECT_RETURN_LINKS_H

#include <sys/types.h>

#include "base/types.h"
#include "collect/probe/uprobe_pins.h"
#include "target/maps.h"

/*
 * Returns 1 if an older link than ours has return probes at one of our places for another process
 * than `tgid`, else 0 or a negative errno. `links` are ours, and all of them are of the program
 * `program_fd`; other links of that program are ours as well. `list_fd` is the iterator
 * list_returns.
 */
int return_links_older(int list_fd, int program_fd, pid_t tgid, const struct uprobe_link *links,
		       size_t n) MUST_CHECK;

/*
 * Does the same before anything is attached, for the file that is mapped by `e`. If maps shows
 * other numbers of a file system than the kernel has (btrfs, overlayfs), only the check afterwards
 * finds it.
 */
int return_links_at(int list_fd, int program_fd, pid_t tgid, const struct map_entry *e,
		    const struct uprobe_place *places, size_t n) MUST_CHECK;

#endif
