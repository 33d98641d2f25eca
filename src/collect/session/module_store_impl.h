/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share: module_store.c, module_ask.c, module_let_go.c and module_set.c. */
#ifndef CPROF_COLLECT_MODULE_STORE_IMPL_H
#define CPROF_COLLECT_MODULE_STORE_IMPL_H

#include <pthread.h>

#include "base/hash.h"
#include "base/vec.h"
#include "collect/session/module_loader.h"
#include "collect/session/module_maps.h"
#include "collect/session/module_store.h"

#define STORE_USERS_MAX 64u

/* A file as maps shows it; of one that only the kernel has told of its inode's address, and NO_DEVICE. */
struct store_key {
	u64 inode, device;
};

#define NO_DEVICE ~0ull

enum store_state {
	STORE_LOADING,
	STORE_THERE,
	STORE_FAILED,
	STORE_LET_GO, /* it is in no table by key any more */
};

struct store_file {
	struct store_key key;
	enum store_state state;
	u32 number; /* MODULE_NONE: it has none */
	struct module *module; /* NULL while it is loading, and when it failed */
	VEC(u64) tokens; /* the kernel's inodes: several on an overlay */
	u64 users; /* a bit for each recording whose samples may have the number */
	u64 met_ms; /* when it was there and met last */
	u64 let_go_ms;
	bool unloaded; /* its slot has gone to others */
	u32 holds; /* threads that wait for `elf`, or have it */
	pthread_mutex_t elf; /* the ELF file is read by one thread at a time */
	u32 tries; /* in a row that failed */
	u64 failed_ms;
	u64 again_ms; /* it is not asked for before */
	/* A mapping by which an unread file is asked for again. */
	pid_t tgid;
	u64 start, end;
	UT_hash_handle hh;
};

struct asked_mapping {
	struct asked_key {
		u64 tgid, start, end;
	} key;
	u32 times; /* by the kernel and by a stack */
	u64 users; /* a bit for each recording that asked */
	UT_hash_handle hh;
};

typedef VEC(struct store_file *) store_files;

struct store_user {
	bool used;
	bool pins; /* it has numbers in tables of its own: files that have its bit are not let go */
	bool reading; /* it has given modules away for naming */
	int event;
};

struct module_store {
	struct module_store_options o;
	u32 owners;
	struct module_maps maps;
	int maps_err; /* why there are none */
	struct module_loader *loader;
	struct name_cache *names;
	/* Readers: who walks stacks by views of tables. Taken before or without `lock`, never within. */
	pthread_rwlock_t walks;
	pthread_mutex_t events; /* of users[].event; taken within `lock` or without */
	pthread_mutex_t lock; /* of all below */
	struct tables *tables;
	struct store_file *files; /* by key: loading, there or failed */
	struct asked_mapping *asked;
	store_files let_go;
	struct store_file *by_number[MODULE_MAX];
	struct module *special[MODULE_FIRST_FILE];
	u8 generation[MODULE_SLOTS]; /* of the numbers of each slot, the one that comes next */
	bool slot_taken[MODULE_SLOTS];
	u32 next_slot;
	struct store_user users[STORE_USERS_MAX];
	u32 there, failed;
	u64 opened, compiled, nlet_go;
	u64 changes; /* grows with each result that was taken in */
	u64 tended_ms, epoch_ms;
	bool tending;
};

u64 store_now_ms(void);

/* The file of a mapping that is loading, there or failed; NULL: none. With `lock`. */
struct store_key store_key_of(u64 inode, u32 dev_major, u32 dev_minor);
struct store_file *store_find(struct module_store *s, const struct store_key *key);

/* module_ask.c: all with `lock`. */

void store_set_state(struct module_store *s, struct store_file *f, enum store_state state);

/* A mapping that the kernel has met, by its place; it goes by `token`. */
int store_ask_record(struct module_store *s, u32 user, const struct module_request *q);
/* The file of a mapping, which is asked for unless it is there, loading, or failed a moment ago. NULL: no memory. */
struct store_file *store_ask_file(struct module_store *s, u32 user, pid_t tgid,
				  const struct map_entry *e);
/* The kernel does not wait for what has this token any more: it may ask. */
void store_let_ask(struct module_store *s, u64 token);
/* Whether this very mapping has been asked for, by whom else so ever. */
bool store_is_asked(struct module_store *s, pid_t tgid, const struct map_entry *e);
/* Whether something is under way that this user asked for. */
bool store_awaits(struct module_store *s, u32 user);
/* Takes in what has been loaded; true: there was something. */
bool store_take(struct module_store *s, const struct log *log);
/* What has waited long enough may be asked for again. */
void store_ask_again(struct module_store *s, u64 now);
void store_drop_asked(struct module_store *s);
/* What the kernel waits for and nobody has asked for: the recording that was told has ended. */
void store_free_tokens(struct module_store *s);

/* A module that was opened elsewhere and has no table; its number or a negative errno. */
int store_add(struct module_store *s, struct module *m);

/* module_store.c: wakes up all recordings. */
void store_notify(struct module_store *s);

/* module_let_go.c */
void store_tend(struct module_store *s);
void store_file_free(struct module_store *s, struct store_file *f);
/* Of a file that is let go: it gives up its number when no recording needs it. With `lock`. */
void store_sweep(struct module_store *s);
/* A number whose slot is free; MODULE_NONE: there is none. With `lock`. */
u32 store_take_number(struct module_store *s);

#endif
