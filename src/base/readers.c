/* SPDX-License-Identifier: Apache-2.0 */
/* cprof's side of the processes that read files for it: see readers.h. */
#include "base/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mounts.h"
#include "base/reader_process.h"
#include "base/served_file.h"

#define HUNG_MAX 8u /* After this many readers were left hanging, no new one is tried. */
#define COPIED_MAX (2ull << 30) /* the bytes of all files together, because they occupy memory */
/* This bounds a file system that answers each step just in time. */
#define SLOW_AFTER_MS 10000u
#define SLOW_BYTES_PER_MS 500u

struct reader_link {
	struct readers *owner;
	struct reader_link *next;
	u64 device;
	int sock; /* -1 if it did not answer or has ended; changed with both locks held */
	u64 died_ms; /* guarded by the owner's lock */
	u64 waited_ms, bytes;
	pthread_mutex_t lock; /* held during an exchange; taken before the owner's lock */
};

struct readers {
	pthread_mutex_t lock; /* guards everything below */
	u32 owners;
	pid_t spawner; /* 0 if not started */
	int control;
	struct reader_link *links; /* includes those that hang, until the end */
	u32 hung;
	u64 copied;
	VEC(char *) silent_places;
	struct readers_unanswered unanswered;
	struct mounts mounts;
	int mountinfo; /* signals POLLPRI when something was mounted; -1 if not open yet */
};

/* ---- which devices need it ------------------------------------------------------------------- */

static bool mounts_changed(const struct readers *r)
{
	struct pollfd p = {.fd = r->mountinfo, .events = POLLPRI};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLPRI | POLLERR));
}

static void refresh_mounts(struct readers *r)
{
	if (r->mountinfo < 0)
		r->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	else if (!mounts_changed(r))
		return;
	mounts_release(&r->mounts);
	if (mounts_read(0, NULL, &r->mounts))
		mounts_release(&r->mounts); /* In that case no device is known to be local. */
}

bool readers_device_is_local(struct readers *r, pid_t tgid, u32 dev_major, u32 dev_minor)
{
	struct mounts theirs = {0};
	bool local;

	pthread_mutex_lock(&r->lock);
	refresh_mounts(r);
	local = mounts_is_local(&r->mounts, dev_major, dev_minor);
	/* In another mount namespace there may be more of them. Those seen here are the same
	 * there. */
	if (!local && !mounts_has(&r->mounts, dev_major, dev_minor) &&
	    !mounts_read(tgid, &r->mounts, &theirs))
		local = mounts_is_local(&theirs, dev_major, dev_minor);
	pthread_mutex_unlock(&r->lock);
	mounts_release(&theirs);
	return local;
}

bool readers_path_is_local(struct readers *r, const char *path)
{
	bool local;

	pthread_mutex_lock(&r->lock);
	refresh_mounts(r);
	local = mounts_path_is_local(&r->mounts, path);
	pthread_mutex_unlock(&r->lock);
	return local;
}

/* ---- the processes --------------------------------------------------------------------------- */

static int start(struct readers *r)
{
	int pair[2];
	pid_t pid;

	if (r->spawner)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (!pid)
		reader_spawner_run(pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -EAGAIN;
	}
	r->spawner = pid;
	r->control = pair[0];
	return 0;
}

int readers_start(struct readers *r)
{
	int err;

	pthread_mutex_lock(&r->lock);
	err = start(r);
	pthread_mutex_unlock(&r->lock);
	return err;
}

/* Returns a socket to a new reader. */
static int spawn(struct readers *r)
{
	int pair[2], err = start(r);

	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	err = reader_send(r->control, "r", 1, NULL, 0, &pair[1], 1);
	close(pair[1]);
	/* A reader that hangs takes no messages, so a blocking send would hang as well. */
	if (!err && !fcntl(pair[0], F_SETFL, O_NONBLOCK))
		return pair[0];
	close(pair[0]);
	return -EAGAIN;
}

static struct reader_link *add_link(struct readers *r, u64 device, int *err)
{
	struct reader_link *link = calloc(1, sizeof(*link));

	if (!link) {
		*err = -ENOMEM;
		return NULL;
	}
	link->sock = spawn(r);
	if (link->sock < 0) {
		*err = link->sock;
		free(link);
		return NULL;
	}
	link->owner = r;
	link->device = device;
	pthread_mutex_init(&link->lock, NULL);
	link->next = r->links;
	r->links = link;
	return link;
}

static bool is_silent(const struct readers *r, const char *place)
{
	vec_for_each(&r->silent_places, it) {
		if (!strcmp(*it, place))
			return true;
	}
	return false;
}

/*
 * One file on a file system that does not answer stands for all of it. Behind links, or in other
 * mount namespaces, it is not known on which file system a place lies; its directory then stands
 * for it.
 */
static const char *place_of(const struct readers *r, const struct file_opener *o)
{
	const char *mount = mounts_remote_point(&r->mounts, o->place);

	return mount ? mount : o->place;
}

/* The newest link of a device comes first. */
static struct reader_link *link_for(struct readers *r, const struct file_opener *o, int *err)
{
	const char *place = o->device == READERS_ANY_DEVICE ? place_of(r, o) : "";
	struct reader_link *link = r->links;
	bool known = o->device != READERS_ANY_DEVICE;

	*err = -ETIMEDOUT;
	while (link && link->device != o->device)
		link = link->next;
	if (link && link->sock >= 0)
		return !known && is_silent(r, place) ? NULL : link;
	if (link && known && monotonic_ms() - link->died_ms < READERS_AGAIN_MS)
		return NULL;
	if (r->hung >= HUNG_MAX || (!known && is_silent(r, place)))
		return NULL;
	return add_link(r, o->device, err);
}

/* ---- exchanges ------------------------------------------------------------------------------- */

static void note_unanswered(struct readers *r, const char *path)
{
	struct readers_unanswered *u = &r->unanswered;

	for (u32 i = 0; i < u->files && i < ARRAY_LEN(u->paths); i++) {
		if (!strncmp(u->paths[i], path, READERS_PATH_MAX - 1))
			return;
	}
	if (u->files < ARRAY_LEN(u->paths))
		strncpy(u->paths[u->files], path, READERS_PATH_MAX - 1);
	u->files++;
}

/* The reader could not be forked, or was killed; the next request gets another one. */
static int lose(struct reader_link *link)
{
	pthread_mutex_lock(&link->owner->lock);
	close(link->sock);
	link->sock = -1;
	pthread_mutex_unlock(&link->owner->lock);
	return -EAGAIN;
}

/* Abandons the reader. Its socket is closed, so it ends as soon as its file system lets it. */
static int give_up(struct reader_link *link, const char *path)
{
	struct readers *r = link->owner;

	lose(link);
	pthread_mutex_lock(&r->lock);
	link->died_ms = monotonic_ms();
	r->hung++;
	note_unanswered(r, path);
	pthread_mutex_unlock(&r->lock);
	return -ETIMEDOUT;
}

static bool wait_readable(int sock, u32 limit_ms)
{
	u64 begin = monotonic_ms();

	for (;;) {
		struct pollfd p = {.fd = sock, .events = POLLIN};
		u64 passed = monotonic_ms() - begin;

		if (passed >= limit_ms)
			return false;
		if (poll(&p, 1, (int)(limit_ms - passed)) > 0)
			return true;
	}
}

/* Receives the next answer. `fd` is -1 if it brought none. Call it with link->lock held. */
static int next_answer(struct reader_link *link, struct reader_answer *a, int *fd, const char *path)
{
	int fds[READERS_FDS_MAX];
	u64 begin = monotonic_ms();
	ssize_t got;
	u32 nfds;

	*fd = -1;
	if (!wait_readable(link->sock, READERS_ANSWER_MS))
		return give_up(link, path);
	link->waited_ms += monotonic_ms() - begin;
	got = reader_receive(link->sock, a, sizeof(*a), fds, &nfds);
	for (u32 i = 1; i < nfds; i++)
		close(fds[i]);
	if (nfds)
		*fd = fds[0];
	if (got == sizeof(*a))
		return 0;
	if (nfds)
		close(fds[0]);
	*fd = -1;
	return lose(link);
}

static bool is_too_slow(const struct reader_link *link)
{
	return link->waited_ms > SLOW_AFTER_MS && link->bytes / link->waited_ms < SLOW_BYTES_PER_MS;
}

/* Reserves that many bytes; false if that would be too much. */
static bool may_copy(struct readers *r, u64 len)
{
	bool may;

	pthread_mutex_lock(&r->lock);
	may = len <= COPIED_MAX - r->copied;
	if (may)
		r->copied += len;
	pthread_mutex_unlock(&r->lock);
	return may;
}

static int fetch(struct reader_link *link, const struct reader_request *q, int memory,
		 const char *path)
{
	struct reader_answer a = {0};
	int fd, err;

	if (link->sock < 0)
		return -ETIMEDOUT;
	err = reader_send(link->sock, q, sizeof(*q), NULL, 0, &memory, memory >= 0);
	while (!err && a.done < q->len) {
		u64 before = a.done;

		err = next_answer(link, &a, &fd, path);
		if (!err)
			err = a.err;
		if (!err && a.done <= before)
			err = -EBADMSG;
		link->bytes += err ? 0 : a.done - before;
		if (!err && is_too_slow(link))
			err = give_up(link, path);
	}
	return err;
}

int reader_link_fetch(struct reader_link *link, u32 number, int memory, u64 at, u64 len,
		      const char *path)
{
	const struct reader_request q = {.op = READER_FETCH, .file = number, .at = at, .len = len};
	int err;

	if (!may_copy(link->owner, len))
		return -E2BIG;
	pthread_mutex_lock(&link->lock);
	err = fetch(link, &q, memory, path);
	pthread_mutex_unlock(&link->lock);
	return err;
}

void reader_link_close(struct reader_link *link, u32 number)
{
	const struct reader_request q = {.op = READER_CLOSE, .file = number};

	pthread_mutex_lock(&link->lock);
	if (link->sock >= 0)
		(void)!reader_send(link->sock, &q, sizeof(q), NULL, 0, NULL, 0);
	pthread_mutex_unlock(&link->lock);
}

/* ---- opening --------------------------------------------------------------------------------- */

static int ask_to_open(struct reader_link *link, const struct file_opener *o, bool overlay_is_local,
		       struct reader_answer *a, int *fd)
{
	const struct reader_request q = {.op = READER_OPEN,
					 .open = o->open,
					 .overlay_is_local = overlay_is_local,
					 .size = (u32)o->size};
	int err;

	*fd = -1;
	if (link->sock < 0)
		return -ETIMEDOUT;
	err = reader_send(link->sock, &q, sizeof(q), o->arg, o->size, o->fds, o->nfds);
	return err ? lose(link) : next_answer(link, a, fd, o->path);
}

static int take_answer(struct reader_link *link, const struct reader_answer *a, int fd,
		       const char *path, struct input_file *out)
{
	struct served_file *served = NULL;
	int err;

	if (a->err)
		return a->err;
	if (!a->is_served)
		return fd < 0 ? -EBADMSG : input_file_of(fd, out);
	err = served_file_new(link, a->file, a->size, path, &served);
	if (err)
		return err;
	*out = (struct input_file){.fd = -1,
				   .served = served,
				   .size = a->size,
				   .stored = a->stored,
				   .inode = a->inode,
				   .dev_major = a->dev_major,
				   .dev_minor = a->dev_minor,
				   .uid = a->uid,
				   .links = a->links};
	return 0;
}

static void note_silence(struct readers *r, const struct file_opener *o)
{
	char *copy;

	if (o->device != READERS_ANY_DEVICE)
		return;
	pthread_mutex_lock(&r->lock);
	copy = strdup(place_of(r, o));
	if (copy && vec_push(&r->silent_places, copy))
		free(copy);
	pthread_mutex_unlock(&r->lock);
}

int readers_open(struct readers *r, const struct file_opener *o, struct input_file *out)
{
	struct reader_answer a = {0};
	struct reader_link *link;
	bool overlay_is_local;
	int err, fd;

	*out = INPUT_FILE_NONE;
	if (o->size > READERS_ARG_MAX || o->nfds > READERS_FDS_MAX)
		return -E2BIG;
	pthread_mutex_lock(&r->lock);
	refresh_mounts(r);
	overlay_is_local = mounts_are_local(&r->mounts);
	link = link_for(r, o, &err);
	/* Where only the place is known, it is not known whether the file exists at all. */
	if (!link && err == -ETIMEDOUT && o->device != READERS_ANY_DEVICE)
		note_unanswered(r, o->path);
	pthread_mutex_unlock(&r->lock);
	if (!link)
		return err;
	pthread_mutex_lock(&link->lock);
	err = ask_to_open(link, o, overlay_is_local, &a, &fd);
	pthread_mutex_unlock(&link->lock);
	if (err == -ETIMEDOUT)
		note_silence(r, o);
	return err ? err : take_answer(link, &a, fd, o->path, out);
}

void readers_learn(struct readers *r, const struct readers_unanswered *from)
{
	pthread_mutex_lock(&r->lock);
	if (from->files > r->unanswered.files)
		r->unanswered = *from;
	pthread_mutex_unlock(&r->lock);
}

void readers_forked(struct readers *r)
{
	pthread_mutex_init(&r->lock, NULL);
	for (struct reader_link *link = r->links; link; link = link->next)
		pthread_mutex_init(&link->lock, NULL);
}

void readers_renew(struct readers *r)
{
	struct reader_link *link;

	pthread_mutex_lock(&r->lock);
	link = r->links; /* New ones are put in front. */
	pthread_mutex_unlock(&r->lock);
	for (; link; link = link->next) {
		pthread_mutex_lock(&link->lock);
		if (link->sock >= 0)
			(void)lose(link);
		pthread_mutex_unlock(&link->lock);
	}
}

/* ---- what did not answer, and the end -------------------------------------------------------- */

void readers_unanswered(struct readers *r, struct readers_unanswered *out)
{
	pthread_mutex_lock(&r->lock);
	*out = r->unanswered;
	pthread_mutex_unlock(&r->lock);
}

int readers_new(struct readers **out)
{
	struct readers *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->control = r->mountinfo = -1;
	r->owners = 1;
	pthread_mutex_init(&r->lock, NULL);
	*out = r;
	return 0;
}

static void free_links(struct readers *r)
{
	while (r->links) {
		struct reader_link *link = r->links;

		r->links = link->next;
		if (link->sock >= 0)
			close(link->sock);
		pthread_mutex_destroy(&link->lock);
		free(link);
	}
}

struct readers *readers_share(struct readers *r)
{
	pthread_mutex_lock(&r->lock);
	r->owners++;
	pthread_mutex_unlock(&r->lock);
	return r;
}

void readers_free(struct readers *r)
{
	u32 left;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	left = --r->owners;
	pthread_mutex_unlock(&r->lock);
	if (left)
		return;
	free_links(r);
	if (r->spawner) {
		/* The spawner opens no files, so it always ends. */
		close(r->control);
		while (waitpid(r->spawner, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (r->mountinfo >= 0)
		close(r->mountinfo);
	vec_for_each(&r->silent_places, it)
		free(*it);
	vec_release(&r->silent_places);
	mounts_release(&r->mounts);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
