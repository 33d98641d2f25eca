/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens and compiles mapped files in separate threads, so that the thread that takes samples does
 * not wait. 200 MB of a browser take a second, and a file system that does not answer takes what
 * readers.h says. Files of such file systems have their own thread. The requesting thread takes the
 * results once the descriptor is readable.
 *
 * It does not depend on a recording, and its results can join any (module_rows.h).
 */
#ifndef CPROF_COLLECT_MODULE_LOADER_H
#define CPROF_COLLECT_MODULE_LOADER_H

#include "collect/session/module_rows.h"
#include "target/moved_text.h"

struct module_loader;

/* Describes a mapping of `tgid`. If the kernel reported it, only its start and end are known (.path
 * is NULL). */
struct module_request {
	pid_t tgid;
	struct map_entry entry; /* the path is copied */
	u64 token; /* returned with the result */
	/* The mapping has no file of its own. Find out of which file its code is, if of any. */
	bool moved;
};

#define CODE_REQUEST_MAX 64u

/* Asks for code of a loaded file that stacks have met. */
struct code_request {
	u32 number; /* of the module, returned with the result */
	const struct module *module; /* borrowed, and open, until the result is taken */
	struct code_met *met; /* taken over and returned; NULL the first time */
	u64 offs[CODE_REQUEST_MAX]; /* file offsets */
	u32 n;
};

struct code_result {
	u32 number;
	struct code_met *met; /* owned by the taker; NULL if the file cannot be followed */
	u64 offs[CODE_REQUEST_MAX]; /* as in the request */
	struct code_part parts[CODE_REQUEST_MAX]; /* for each; empty without memory */
	u32 n;
};

struct module_result {
	pid_t tgid;
	u64 token;
	u64 start, end; /* as in the request */
	u64 inode; /* of the file, as maps shows it; 0 if that could not be determined */
	u32 dev_major, dev_minor;
	int err; /* why there is no module; -ESTALE if nothing is mapped there any more */
	bool moved; /* as in the request; -ENOEXEC if its code is of no file that is mapped near */
	struct moved_text text; /* if moved: what of the mapping is text of the file */
	/* Owned by the taker. NULL without an error means that an earlier result, or one that is on
	 * its way, has this file. */
	struct module *module;
	struct module_rows rows; /* owned by the taker */
	int rows_err; /* why there are no rows */
	struct code_result *code; /* owned by the taker. If it is set, the rest is unused. */
};

/* It is called when there is a result, in any thread. It must not call the loader. */
typedef void (*module_loader_notify_fn)(void *arg);

/* `readers` and `notify` may be NULL. If no thread can be started, a request takes as long as
 * loading does. */
int module_loader_new(struct readers *readers, module_loader_notify_fn notify, void *arg,
		      struct module_loader **out) MUST_CHECK;
/* Drops what was requested and not taken. A thread that hangs is left alone, with what it uses. */
void module_loader_free(struct module_loader *l);

int module_loader_ask(struct module_loader *l, const struct module_request *q) MUST_CHECK;
/* Follows code. `q` is copied. Returns 0 or -ENOMEM. */
int module_loader_follow(struct module_loader *l, const struct code_request *q) MUST_CHECK;
void code_result_free(struct code_result *r); /* NULL is allowed */
/* Forgets a file, so that the next request for it opens and compiles it again. */
void module_loader_forget(struct module_loader *l, u64 inode, u32 dev_major, u32 dev_minor);
int module_loader_fd(const struct module_loader *l); /* readable if there are results */
bool module_loader_ready(const struct module_loader *l); /* the same, without a system call */
/* Takes the next result, in the order in which they became ready; false if there is none now. */
bool module_loader_take(struct module_loader *l, struct module_result *out);
/* Waits until there is a result; false if there was none within `timeout_ms`. */
bool module_loader_wait(struct module_loader *l, u32 timeout_ms);

#endif
