/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make-page CASE [FORMAT] writes a page with known content to stdout, for the tests that drive a
 * browser, or the same profile in another format.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "profile/id_table.h"

#define MAX_DEPTH 48
#define MAX_TYPES 4
#define PERIOD 1000000
#define COUNTED 10 /* samples for each one in a row of a CPU profile */

/* Stacks are root first. The letter gives the kind of code; 'i' is inlined into the frame before,
 * and "#7" is the line. */
struct row {
	const char *frames[8];
	s64 values[MAX_TYPES];
	const char *labels[2]; /* thread, cause */
};

static const struct {
	char letter;
	const char *path;
	enum profile_mapping_kind kind;
} modules[] = {
	{'u', "/usr/bin/shop", PROFILE_MAPPING_FILE},
	{'l', "/usr/lib/libc.so.6", PROFILE_MAPPING_FILE},
	{'k', "[kernel.kallsyms]", PROFILE_MAPPING_KERNEL},
	{'j', "/tmp/perf-7.map", PROFILE_MAPPING_JIT},
	{'m', "[stack cut]", PROFILE_MAPPING_SYNTHETIC},
};

static const struct row cpu_rows[] = {
	{{"u:main", "u:serve", "u:parse#40", "i:scan"}, {30}, {"worker 1"}},
	{{"u:main", "u:serve", "u:parse#44"}, {10}, {"worker 1"}},
	{{"u:main", "u:serve", "u:reply", "l:write", "k:do_syscall"}, {15}, {"worker 2"}},
	{{"u:main", "u:serve", "u:reply", "j:compiled"}, {5}, {"worker 2"}},
	{{"u:main", "u:walk", "u:walk", "u:walk", "u:scan"}, {20}, {"worker 2"}},
	{{"m:[stack cut: stack deeper than the limit]", "u:lost"}, {5}, {"worker 1"}},
	{{"k:secondary_startup", "k:do_idle"}, {15}, {"idle"}},
};

static const struct row before_rows[] = {
	{{"u:main", "u:serve", "u:parse#40", "i:scan"}, {10}, {"worker 1"}},
	{{"u:main", "u:serve", "u:parse#44"}, {10}, {"worker 1"}},
	{{"u:main", "u:serve", "u:reply", "l:write", "k:do_syscall"}, {25}, {"worker 2"}},
	{{"u:main", "u:gone"}, {5}, {"worker 2"}},
};

static const struct row heap_rows[] = {
	{{"u:main", "u:load", "l:malloc"}, {100, 409600, 10, 40960}, {NULL}},
	{{"u:main", "u:cache", "l:malloc"}, {5, 52428800, 5, 52428800}, {NULL}},
	{{"u:main", "u:parse", "l:calloc"}, {1000, 64000, 0, 0}, {NULL}},
};

static const struct row wall_rows[] = {
	{{"u:main", "u:loop", "l:epoll_wait"}, {0, 800000000, 800000000}, {"pool"}},
	{{"u:main", "l:__pthread_clockjoin_ex"}, {0, 100000000, 100000000}, {"main"}},
	{{"u:main", "u:loop", "u:work"}, {80000000, 0, 90000000}, {"pool"}},
	{{"u:main", "u:queue", "l:take"}, {0, 70000000, 70000000}, {"pool", "idle"}},
	{{"u:main", "u:locked", "l:pthread_mutex_lock"}, {0, 40000000, 40000000}, {"pool", "lock"}},
};

#define LONG_NAME                                                                                \
	"std::map<std::basic_string<char>, std::vector<std::pair<int, std::function<void (int, " \
	"char const*)> > > >::operator[](std::basic_string<char> const&)"

static const struct row evil_rows[] = {
	{{"u:main", "u:<script>window.stolen=1</script>"}, {10}, {"<b onclick=window.stolen=1>"}},
	{{"u:main", "u:</script><img src=x onerror=window.stolen=1>"}, {10}, {"\"><i>"}},
	{{"u:main", "u:<!--<script>"}, {10}, {NULL}},
	{{"u:main", "u:operator<< <char>&&(\"a\", 'b')"}, {10}, {NULL}},
	{{"u:main", "u:\xe2\x80\xa8line\xe2\x80\xa9 \xf0\x9f\x94\xa5 \\u003c \\"}, {10}, {NULL}},
	{{"u:main", "u:tab\there\nnewline"}, {10}, {NULL}},
	{{"u:main", "u:__proto__", "u:constructor"}, {10}, {"__proto__"}},
	{{"u:main", "u:" LONG_NAME}, {10}, {NULL}},
};

#define TREE(key)                                                                                  \
	"std::_Rb_tree<std::basic_string<char>, std::pair<std::basic_string<char> const, " key     \
	" >, "                                                                                     \
	"std::_Select1st<std::pair<std::basic_string<char> const, " key                            \
	" > >, std::less<std::basic_string<char> > >"                                              \
	"::_M_emplace_hint_unique(std::_Rb_tree_const_iterator<std::pair<std::basic_string<char> " \
	"const, " key " > >)"

/* These look equal if their ends are cut off, or their arguments left out. */
static const struct row name_rows[] = {
	{{"u:main", "u:" TREE("company::product::First")}, {10}, {NULL}},
	{{"u:main", "u:" TREE("company::product::Second")}, {9}, {NULL}},
	{{"u:main", "u:" TREE("long")}, {8}, {NULL}},
	{{"u:main", "u:" LONG_NAME}, {7}, {NULL}},
	{{"u:main", "u:parse", "i:always_inlined"}, {6}, {NULL}},
};

static void die(const char *what)
{
	fprintf(stderr, "make-page: %s\n", what);
	exit(1);
}

static u32 number(s64 n)
{
	if (n < 0)
		die("out of memory");
	return (u32)n;
}

static void check(int code)
{
	number(code);
}

/* The head is that of `cprof`'s own profiles; only what is sampled at a rate gives a rate. */
static struct profile *new_profile(const char *title, bool cpu)
{
	struct profile *p;

	check(profile_new(&p));
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		struct profile_mapping m = {
			.start = 0x1000000 * (i + 1),
			.limit = 0x1000000 * (i + 2),
			.path = number(profile_string(p, modules[i].path)),
			.kind = modules[i].kind,
		};

		number(profile_add_mapping(p, &m));
	}
	p->time_nanos = 1700000000000000000;
	p->duration_nanos = 5000000000;
	check(profile_add_comment(p, "cprof 0.1: %s", title));
	check(profile_add_comment(p, "host: buildbox, kernel: 6.18.0 x86_64"));
	if (cpu)
		check(profile_add_comment(p, "event: cpu-clock, rate: 99 Hz, mode: bpf"));
	check(profile_add_comment(p, "samples: 1000, lost: 3 (ring buffer full 3)"));
	return p;
}

static u32 module_of(const char *frame)
{
	for (u32 i = 0; i < ARRAY_LEN(modules); i++) {
		if (modules[i].letter == frame[0])
			return i;
	}
	return 0;
}

static struct profile_line line_of(struct profile *p, const char *frame)
{
	const char *mark = strchr(frame, '#');
	char name[512];

	snprintf(name, sizeof(name), "%.*s",
		 mark ? (int)(mark - frame - 2) : (int)strlen(frame + 2), frame + 2);
	return (struct profile_line){
		.function = number(profile_function(p, name, name, "src/shop.cc", 1)),
		.line = mark ? atoi(mark + 1) : 10,
	};
}

/* Adds one location from `frames`, which are one physical frame and what is inlined into it. */
static u32 location(struct profile *p, const char *const *frames, u32 n)
{
	struct profile_line lines[MAX_DEPTH];
	u32 module = module_of(frames[0]), at;
	u64 hash = 0;

	for (u32 i = 0; i < n; i++) {
		hash = hash_bytes(hash, frames[i], strlen(frames[i]));
		lines[n - 1 - i] = line_of(p, frames[i]);
	}
	at = number(
		profile_location(p, module, p->mappings.data[module].start + (hash & 0xffffff)));
	check(profile_location_set_lines(p, at, lines, n));
	return at;
}

static void add_row(struct profile *p, const struct row *r, u32 ntypes, bool cpu)
{
	static const char *const keys[] = {"thread", "cause"};
	u32 stack[MAX_DEPTH], depth = 0, n = 0, nlabels = 0;
	struct profile_label labels[2] = {0};
	s64 values[MAX_TYPES];

	while (n < ARRAY_LEN(r->frames) && r->frames[n]) {
		u32 inlined = 1;

		while (n + inlined < ARRAY_LEN(r->frames) && r->frames[n + inlined] &&
		       r->frames[n + inlined][0] == 'i')
			inlined++;
		memmove(stack + 1, stack, depth++ * sizeof(*stack));
		stack[0] = location(p, r->frames + n, inlined);
		n += inlined;
	}
	for (u32 i = 0; i < ntypes; i++)
		values[i] = cpu ? r->values[0] * COUNTED * (i ? PERIOD : 1) : r->values[i];
	for (u32 i = 0; i < ARRAY_LEN(keys); i++) {
		if (r->labels[i])
			labels[nlabels++] = (struct profile_label){
				.key = number(profile_string(p, keys[i])),
				.str = number(profile_string(p, r->labels[i]))};
	}
	check(profile_add_sample(p, stack, depth, values, labels, nlabels));
}

static struct profile *from_rows(const char *title, const struct row *rows, size_t n,
				 const char *const *types)
{
	bool cpu = !strcmp(types[0], "samples");
	struct profile *p = new_profile(title, cpu);
	u32 ntypes = 0;

	for (; types[2 * ntypes]; ntypes++)
		check(profile_add_sample_type(p, types[2 * ntypes], types[2 * ntypes + 1]));
	check(cpu ? profile_set_period(p, "cpu", "nanoseconds", PERIOD)
		  : profile_set_period(p, "space", "bytes", 524288));
	for (size_t i = 0; i < n; i++)
		add_row(p, &rows[i], ntypes, cpu);
	return p;
}

static const char *const cpu_types[] = {"samples", "count", "cpu", "nanoseconds", NULL};
static const char *const heap_types[] = {"alloc_objects", "count",         "alloc_space",
					 "bytes",         "inuse_objects", "count",
					 "inuse_space",   "bytes",         NULL};
static const char *const wall_types[] = {"cpu",   "nanoseconds", "blocked", "nanoseconds",
					 "total", "nanoseconds", NULL};

/* Makes 100,000 distinct stacks of a program with 3,000 functions and a million samples. */
static struct profile *big_profile(u32 stacks)
{
	struct profile *p = from_rows("cpu of a large program", NULL, 0, cpu_types);
	u32 functions = 3000, path[MAX_DEPTH], stack[MAX_DEPTH], *where = calloc(functions, 4);
	u64 random = 1;
	char name[128];

	if (!where)
		die("out of memory");
	for (u32 i = 0; i < functions; i++) {
		const char *frame = name;

		snprintf(name, sizeof(name),
			 "%c:space%u::thing<int, %u>::function_%u(int, char const*)",
			 "uuulk"[i % 5], i % 40, i % 7, i);
		where[i] = location(p, &frame, 1);
	}
	while (p->samples.len < stacks) {
		u32 depth = 1;

		for (path[0] = 0; depth < MAX_DEPTH; depth++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			/* Some callees of a function are much more frequent than others. */
			path[depth] = (path[depth - 1] * 7 + 1 +
				       (u32)(random >> 40) % 4 * ((u32)(random >> 50) % 3)) %
				      functions;
			if (depth > 12 && (random >> 33) % 12 == 0)
				break;
		}
		for (u32 i = 0; i < depth; i++)
			stack[i] = where[path[depth - 1 - i]];
		check(profile_add_sample(p, stack, depth, (s64[]){10, 10 * PERIOD}, NULL, 0));
	}
	free(where);
	return p;
}

#define ROWS(rows) rows, ARRAY_LEN(rows)

static struct profile *profile_of(const char *what)
{
	if (!strcmp(what, "cpu") || !strcmp(what, "diff") || !strcmp(what, "shorter"))
		return from_rows("cpu of shop", ROWS(cpu_rows), cpu_types);
	if (!strcmp(what, "before"))
		return from_rows("cpu of shop, old", ROWS(before_rows), cpu_types);
	if (!strcmp(what, "heap"))
		return from_rows("heap of shop", ROWS(heap_rows), heap_types);
	if (!strcmp(what, "wall"))
		return from_rows("wall of shop", ROWS(wall_rows), wall_types);
	if (!strcmp(what, "evil"))
		return from_rows("cpu of </title><script>window.stolen=1</script>", ROWS(evil_rows),
				 cpu_types);
	if (!strcmp(what, "names"))
		return from_rows("cpu of long names", ROWS(name_rows), cpu_types);
	if (!strcmp(what, "empty"))
		return from_rows("cpu of nothing", NULL, 0, cpu_types);
	if (!strncmp(what, "big", 3))
		return big_profile(what[3] ? (u32)atoi(what + 3) : 100000);
	die("cpu, before, diff, shorter, names, heap, wall, evil, empty, bigN");
	return NULL;
}

int main(int argc, char **argv)
{
	struct format_options opt = {0};
	struct profile *p, *base = NULL;
	struct error err = {0};

	const struct format *format = &format_html;

	if (argc < 2 || argc > 3)
		die("which case?");
	if (argc == 3)
		format = format_by_name(argv[2]);
	if (!format)
		die("no such format");
	p = profile_of(argv[1]);
	if (!strcmp(argv[1], "diff"))
		opt.base = base = profile_of("before");
	/* It took a quarter of the time. */
	if (!strcmp(argv[1], "shorter")) {
		opt.base = base = profile_of("before");
		base->duration_nanos *= 4;
	}
	if (format_write_fd(p, format, &opt, 1, &err))
		die(err.text);
	profile_free(p);
	profile_free(base);
	return 0;
}
