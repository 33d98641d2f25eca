/* SPDX-License-Identifier: Apache-2.0 */
/* Declares what the files of the store share: module_store.c, module_ask.c, module_evict.c and
 * module_set.c. */
#ifndef CPROF_COLLECT_MODULE_STORE_IMPL_H
#define CPROF_COLLECT_MODULE_STORE_IMPL_H

#include <pthread.h>

#include "base/hash.h"
#include "base/vec.h"
#include "collect/session/module_loader.h"
#include "collect/session/module_maps.h"
#include "collect/session/module_store.h"

#define STORE_USERS_MAX 64u

/* Identifies a file as maps shows it. If only the kernel has reported it, this is the address of
 * its inode, and NO_DEVICE. */
struct store_key {
	u64 inode, device;
};

#define NO_DEVICE ~0ull

enum store_state {
	STORE_LOADING,
	STORE_LOADED,
	STORE_FAILED,
	STORE_EVICTED, /* no table has its key any more */
};

struct store_file {
	struct store_key key;
	enum store_state state;
	u32 number; /* MODULE_NONE if it has none */
	struct module *module; /* NULL while it is loading, and when loading failed */
	VEC(u64) tokens; /* the kernel's inodes, which are several on an overlay */
	u64 users; /* a bit for each recording whose samples may have the number */
	u64 seen_ms; /* when it was last loaded or seen */
	u64 evicted_ms;
	bool unloaded; /* its slot is used by others */
	bool moved; /* some mapping without a file has its text (module_moved.c) */
	u32 holds; /* threads that have `elf` or wait for it */
	pthread_mutex_t elf; /* because one thread at a time reads the ELF file */
	u32 tries; /* how often in a row loading failed */
	u64 failed_ms;
	u64 again_ms; /* it is not requested before this time */
	/* This is a mapping by which a file that was not read is requested again. */
	pid_t tgid;
	u64 start, end;
	/* Code that stacks have met: module_follow.c. */
	struct code_met *met; /* NULL before the first time, and while the loader has it */
	bool following; /* the loader has a request; then `holds` counts it */
	u64 follow_users; /* a bit for each recording that waits for it */
	VEC(u64) met_offs; /* for the next request */
	u32 met_rules; /* that its code has added to those of all files */
	UT_hash_handle hh;
};

struct asked_mapping {
	struct asked_key {
		u64 tgid, start, end;
	} key;
	u32 times; /* requests by the kernel and by stacks */
	u64 users; /* a bit for each recording that requested it */
	UT_hash_handle hh;
};

typedef VEC(struct store_file *) store_files;

struct store_user {
	bool used;
	bool pins; /* it has numbers in its own tables, so files with its bit are not evicted */
	bool reading; /* it has returned modules for naming */
	int event;
};

struct module_store {
	struct module_store_options o;
	u32 owners;
	struct module_maps maps;
	int maps_err; /* why there are no maps */
	struct module_loader *loader;
	struct name_cache *names;
	struct machine *machine;
	struct probed_processes *probed;
	struct program_pool *programs; /* NULL if there is none */
	/* Readers are walks that use views of tables. It is taken before `lock` or without it, and
	 * never while `lock` is held. */
	pthread_rwlock_t walks;
	pthread_mutex_t events; /* protects users[].event; may be taken while `lock` is held */
	pthread_mutex_t lock; /* of all below */
	struct tables *tables;
	struct store_file *files; /* by key: those that are loading, loaded or failed */
	struct asked_mapping *asked;
	struct moved_answer *moved; /* module_moved.c */
	store_files evicted;
	struct store_file *by_number[MODULE_MAX];
	struct module *special[MODULE_FIRST_FILE];
	u8 generation[MODULE_SLOTS]; /* the next number of each slot */
	bool slot_taken[MODULE_SLOTS];
	u32 next_slot;
	struct store_user users[STORE_USERS_MAX];
	u32 nloaded, failed;
	u64 opened, compiled, nevicted;
	u64 changes; /* grows with each result that is taken in */
	u64 tended_ms, epoch_ms;
	bool tending;
	bool freeing; /* tables of evicted files are waited for */
};

/* Returns the file of a mapping that is loading, loaded or failed, or NULL. Call it with `lock`. */
struct store_key store_key_of(u64 inode, u32 dev_major, u32 dev_minor);
struct store_file *store_find(struct module_store *s, const struct store_key *key);

/* These are in module_ask.c. Call all of them with `lock`. */

void store_set_state(struct module_store *s, struct store_file *f, enum store_state state);

/* Requests the file of a mapping that the kernel saw, by its addresses. The kernel knows it by
 * `token`, which is its address space if it may be moved text. */
int store_ask_record(struct module_store *s, u32 user, const struct module_request *q);
/* Tells the kernel that it may report such a mapping again. */
void store_refuse_record(struct module_store *s, const struct module_request *q);
/* Returns the file of a mapping, and requests it unless it is loaded, is loading or failed a moment
 * ago. Returns NULL without memory. */
struct store_file *store_ask_file(struct module_store *s, u32 user, pid_t tgid,
				  const struct map_entry *e);
/* Tells the kernel that it may report this token again. */
void store_allow_request(struct module_store *s, u64 token);
/* Returns under which number samples know code in the file: its own, or MODULE_ANON for code that a
 * process generated. */
u32 store_code_number(const struct store_file *f);
/* Returns whether this very mapping has been requested by any recording. */
bool store_is_asked(struct module_store *s, pid_t tgid, const struct map_entry *e);
/* Returns whether anything that this user requested is not finished. */
bool store_awaits(struct module_store *s, u32 user);
/* Takes in what has been loaded. Returns true if there was something. */
bool store_take(struct module_store *s, const struct log *log);
/* Allows files to be requested again after their delay. */
void store_ask_again(struct module_store *s, u64 now);
void store_drop_asked(struct module_store *s);
/* Frees tokens that the kernel waits for and no recording has requested, because the recording that
 * was told has ended. */
void store_free_tokens(struct module_store *s);

/* Adds a module that was opened elsewhere and has no table. Returns its number or a negative
 * errno. */
int store_add(struct module_store *s, struct module *m);

/*
 * module_moved.c: code without a file of its own. Call all of them with `lock`.
 */

/* Takes what became of a request for such code: text of the file `f`, or an error: -ENOEXEC if it
 * is of no file. */
void store_take_moved(struct module_store *s, const struct module_result *r, struct store_file *f,
		      int err);
/* Finds what the code of a mapping is, and requests it if necessary. Returns 0, -EAGAIN or another
 * negative errno. */
int store_moved(struct module_store *s, u32 user, pid_t tgid, const struct map_entry *e,
		struct moved_range *out) MUST_CHECK;
/* Tells the kernel that it may report this mapping again. */
void store_moved_allow_request(struct module_store *s, u64 mm_id, u64 start, u64 end);
/* Forgets all mappings with text of a module, which is evicted. */
void store_moved_forget(struct module_store *s, u32 number);
void store_moved_drop(struct module_store *s);

/* These are in module_follow.c. Call them with `lock`. */

/*
 * Requests that code is followed for which rows were left for later. Returns 0 if what is known of
 * this offset is final, and -EAGAIN until then.
 */
int store_follow(struct module_store *s, u32 user, u32 number, u64 off);
/* Takes in what was found. */
void store_take_code(struct module_store *s, struct code_result *r, const struct log *log);
bool store_follows(struct module_store *s, u32 user); /* whether this user waits for such */

/* Wakes all recordings (module_store.c). */
void store_notify(struct module_store *s);

/* module_evict.c */
void store_tend(struct module_store *s);
void store_file_free(struct module_store *s, struct store_file *f);
/* Frees the numbers of evicted files that no recording needs. Call it with `lock`. */
void store_sweep(struct module_store *s);
/* Returns a number whose slot is free, or MODULE_NONE. Call it with `lock`. */
u32 store_take_number(struct module_store *s);

#endif
