/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Defines what cprof fds shares with its programs. */
#ifndef CPROF_BPF_SHARED_FDS_H
#define CPROF_BPF_SHARED_FDS_H

#include "records.h"

/* What a descriptor is, as --kind and the label "kind" name it; values of sample_key.cause. */
#define FD_KINDS(X)              \
	X(FD_NONE, "unknown")    \
	X(FD_FILE, "file")       \
	X(FD_DIRECTORY, "dir")   \
	X(FD_DEVICE, "device")   \
	X(FD_SOCKET, "socket")   \
	X(FD_PIPE, "pipe")       \
	X(FD_EPOLL, "epoll")     \
	X(FD_EVENT, "eventfd")   \
	X(FD_TIMER, "timerfd")   \
	X(FD_SIGNAL, "signalfd") \
	X(FD_NOTIFY, "inotify")  \
	X(FD_MEMORY, "memfd")    \
	X(FD_PIDFD, "pidfd")     \
	X(FD_OTHER, "other")

#define FD_ENUM_(name, text) name,
enum fd_kind { FD_KINDS(FD_ENUM_) FD_KIND_COUNT };
#undef FD_ENUM_

/* The cookie of a probe: the number of the system call before it, and how it is executed. */
#define FD_COOKIE_NUMBER(cookie) ((u32)(cookie)&0xffff)
#define FD_COOKIE_STEPPED 0x10000ull

struct fd_key {
	struct global_pid tgid;
	u32 fd;
};

#define FD_BEFORE_STACK 1ull /* sample_key.stack of what was open before the recording */
#define FD_UNSEEN_STACK 2ull /* and of what was opened by a call without a probe */

/* A descriptor, as it was when it was opened. It is the same one as long as it has this file. */
struct fd_entry {
	struct sample_key key; /* .stack is FD_BEFORE_STACK if it was open before */
	u64 file; /* address of the kernel's struct file */
	u64 time; /* CLOCK_MONOTONIC ns */
};

/* A descriptor that is open, from an iterator. */
struct fd_record {
	struct fd_entry entry; /* .time is 0 if it is not known */
	struct thread_id thread;
	u32 fd, tgid; /* tgid: as in struct fd_key */
};

_Static_assert(sizeof(struct fd_key) == 8, "hash keys have no padding");

#endif
