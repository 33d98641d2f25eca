/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every BPF collector shares, whatever its entry programs are: settings, map sizes, the first
 * listing of what the targets have mapped, loading tables when the kernel requests them, and
 * draining counts. It works on the maps that bpf/maps.bpf.h, bpf/vma.bpf.h and bpf/lifetime.bpf.h
 * define, which it finds by name.
 */
#ifndef CPROF_COLLECT_BPF_SESSION_H
#define CPROF_COLLECT_BPF_SESSION_H

#include <bpf/libbpf.h>

#include "collect/collector.h"
#include "collect/features.h"
#include "collect/session/skeleton.h"
#include "collect/session/stack_store.h"

struct bpf_session;

/* Sizes the maps for a kind whose samples are not limited by a clock: for the most keys, and for a
 * ring to send them. */
int bpf_session_size_counts(struct bpf_object *obj, const struct collect_options *opt) MUST_CHECK;
u32 bpf_session_flood_ring(const struct collect_options *opt); /* the size of that ring */

/* Call it before load; it fills in the settings (in the skeleton's .rodata) and sizes the maps. */
int bpf_session_configure(struct bpf_object *obj, const struct collect_options *opt,
			  struct sample_config *settings, struct error *err) MUST_CHECK;
/*
 * Loads an opened skeleton whose settings are complete, or replaces it by one of an earlier
 * recording that has the same. Returns it in either case; on a negative errno in *code it is not
 * loaded. bpf_session_unload() takes it, in any state, once all links are gone that are not in the
 * skeleton itself.
 */
void *bpf_session_load(const struct collect_options *opt, skeleton_open_fn open, void *opened,
		       int *code);
void bpf_session_unload(const struct collect_options *opt, skeleton_open_fn open, void *skel);
/* Does features_probe_uprobes(), once for all recordings that share programs. */
void bpf_session_uprobes(const struct collect_options *opt, struct features *out);
/* Sets the message for a failed open or load; returns `code`. */
int bpf_session_load_error(int code, struct error *err);

/*
 * Call it after load. `control` is the skeleton's mapped .bss; `opt` and `obj` must outlive the
 * session. `kind` (may be NULL) is copied.
 */
int bpf_session_new(struct bpf_object *obj, struct sample_control *control,
		    const struct collect_options *opt, const struct stack_kind *kind,
		    struct bpf_session **out, struct error *err) MUST_CHECK;
void bpf_session_free(struct bpf_session *s);

/*
 * Makes the targets known to the kernel and loads the tables of everything that they have mapped.
 * The programs that follow fork and exit must be attached before, so that no process is missed in
 * between. `extra` (may be empty, NULL at the end) names files whose tables will be needed soon:
 * those of a held command.
 */
int bpf_session_discover(struct bpf_session *s, struct bpf_program *list_mappings,
			 char *const *extra, struct error *err) MUST_CHECK;

/* Attaches a program that was loaded, for "cannot WHAT: REASON". `*link` belongs to the
 * skeleton. */
int bpf_session_attach(struct bpf_program *prog, struct bpf_link **link, const char *what,
		       struct error *err) MUST_CHECK;

/* Adds frames from user space, leaf first, for a key. */
void bpf_session_put(struct bpf_session *s, const struct sample_key *key,
		     const struct thread_id *owner, const u64 *frames, u32 nframes);
/* Finishes a stack that user space was given, as if it had come through the ring buffer. */
int bpf_session_finish(struct bpf_session *s, const struct pending_record *r, size_t size);
/* Calls pending_reuse_maps(), while many such stacks are finished in a row. */
void bpf_session_reuse_maps(struct bpf_session *s, bool on);
/* Adds counts of user space itself, under a key whose frames are known. */
void bpf_session_add(struct bpf_session *s, const struct sample_key *key, enum tally_part part,
		     const struct sample_count *n);
/* Scales the weights under a cause in profiles, so that they add up to `total` since the start,
 * each in proportion. */
void bpf_session_scale(struct bpf_session *s, enum wait_cause cause, u64 total);
/* Borrowed; it grows while recording. */
struct module_set *bpf_session_modules(struct bpf_session *s);

/*
 * Called before rare stacks are merged (stack_store.h): `fn` calls stack_store_await() for every
 * key under which programs will count and which is not in a count map.
 */
typedef void (*bpf_session_merge_fn)(void *arg, struct stack_store *store);
void bpf_session_on_merge(struct bpf_session *s, bpf_session_merge_fn fn, void *arg);
struct stack_store *bpf_session_store(struct bpf_session *s); /* borrowed */
/* Takes in the stacks whose frames the kernel has sent. */
void bpf_session_take_stacks(struct bpf_session *s);

/* As in struct collector_ops. */
int bpf_session_fd(const struct bpf_session *s);
int bpf_session_poll(struct bpf_session *s, int timeout_ms);
void bpf_session_drain(struct bpf_session *s); /* call it once sampling has stopped */
/*
 * Call this before making a profile of a range. It takes in what the kernel has counted so far,
 * unless sampling has stopped, which takes 5 to 20 ms (program_barrier.h). After it, whatever has
 * not ended can be added as TALLY_ONGOING.
 */
int bpf_session_begin_reading(struct bpf_session *s, enum collect_range range) MUST_CHECK;
/* For `mapping`, see stack_store.h. It may be NULL. */
int bpf_session_read(struct bpf_session *s, enum collect_range range,
		     const struct sample_mapping *mapping, struct profile *p,
		     struct error *err) MUST_CHECK;
void bpf_session_shrink(struct bpf_session *s);
void bpf_session_stats(struct bpf_session *s, struct collect_stats *out);

/* Returns the number that frames have for the file of a mapping; MODULE_NONE if it was not seen
 * yet. */
u32 bpf_session_module(const struct bpf_session *s, const struct map_entry *e);

u64 bpf_session_stat(struct bpf_session *s, enum sample_stat stat); /* summed over all CPUs */

#endif
