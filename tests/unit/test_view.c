/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes, edges, filters and groups of a profile. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "format_fixture.h"
#include "format/read.h"
#include "format/tag_frames.h"
#include "view/apply.h"
#include "view/tree.h"
#include "view/view.h"

static struct profile *folded(const char *text)
{
	struct profile *p;

	CHECK_INT(folded_read((struct bytes){(const u8 *)text, strlen(text)}, NULL, &p, NULL), 0);
	return p;
}

static struct view *view_of(const struct profile *p, const struct view_options *o)
{
	struct view *v;

	CHECK_INT(view_new(p, o, &v, NULL), 0);
	CHECK_INT(view_count_edges(v), 0);
	return v;
}

static const struct view_node *find(const struct view *v, const char *name)
{
	vec_for_each(&v->nodes, n) {
		if (!strcmp(n->name, name))
			return n;
	}
	unit_fail(__FILE__, __LINE__, "no node %s", name);
}

static void check_node(const struct view *v, const char *name, s64 flat, s64 cum)
{
	CHECK_INT(find(v, name)->flat, flat);
	CHECK_INT(find(v, name)->cum, cum);
}

static s64 edge(const struct view *v, const char *from, const char *to)
{
	vec_for_each(&v->edges, e) {
		if (!strcmp(v->nodes.data[e->from].name, from) &&
		    !strcmp(v->nodes.data[e->to].name, to))
			return e->weight;
	}
	return 0;
}

/* Filters folded text and checks flat and cum of one function, and the sum of all flats. */
static void check_filter(const char *text, struct filter_options f, const char *name, s64 flat,
			 s64 cum, s64 all)
{
	struct profile *p = folded(text);
	struct view *v = view_of(p, &(struct view_options){.filter = f});
	s64 sum = 0;

	vec_for_each(&v->nodes, n)
		sum += n->flat;
	check_node(v, name, flat, cum);
	CHECK_INT(sum, all);
	view_free(v);
	profile_free(p);
}

TEST(view, recursion_counts_once_a_stack)
{
	struct profile *p = folded("a;b;a;b 5\na;c 2\n");
	struct view *v = view_of(p, &(struct view_options){0});

	check_node(v, "a", 0, 7);
	check_node(v, "b", 5, 5);
	CHECK_INT(edge(v, "a", "b"), 5);
	CHECK_INT(edge(v, "b", "a"), 5);
	CHECK_INT(edge(v, "a", "c"), 2);
	CHECK_INT(v->total, 7);
	view_free(v);
	profile_free(p);
}

TEST(view, direct_recursion_is_no_edge)
{
	struct profile *p = folded("a;a;a 5\n");
	struct view *v = view_of(p, &(struct view_options){0});

	check_node(v, "a", 5, 5);
	CHECK_INT(v->edges.len, 0);
	view_free(v);
	profile_free(p);
}

TEST(view, inlined_functions_are_nodes)
{
	struct profile *p = fixture_profile();
	struct view *v = view_of(p, &(struct view_options){.type = 0});

	check_node(v, "inlined<int>(int)", 3, 3);
	check_node(v, "work", 2, 9);
	check_node(v, "main", 0, 10);
	CHECK_INT(edge(v, "work", "inlined<int>(int)"), 3);
	CHECK(find(v, "inlined<int>(int)")->inlined);
	view_free(v);
	profile_free(p);
}

TEST(view, groups)
{
	struct profile *p = fixture_profile();
	struct view *v = view_of(p, &(struct view_options){.group = VIEW_MODULE});

	check_node(v, "[demo]", 5, 10);
	check_node(v, "[libfoo.so]", 1, 1);
	check_node(v, "[kernel.kallsyms]", 4, 4);
	view_free(v);
	v = view_of(p, &(struct view_options){.group = VIEW_LINE});
	check_node(v, "work demo.cc:34", 0, 3);
	check_node(v, "work demo.cc:35", 2, 6);
	view_free(v);
	v = view_of(p, &(struct view_options){.group = VIEW_FILE});
	check_node(v, "demo.cc", 9, 10);
	view_free(v);
	v = view_of(p, &(struct view_options){.group = VIEW_THREAD});
	check_node(v, "a", 3, 3);
	check_node(v, "7", 1, 1);
	check_node(v, "[unknown]", 4, 4);
	view_free(v);
	profile_free(p);
}

/* Two processes of one name in a container, and one without any label. */
static struct profile *machine_profile(void)
{
	static const char text[] = "a 1\nb 2\nc 4\nd 8\n";
	static const struct {
		const char *comm, *container, *unit;
		s64 pid;
	} of[] = {{"web", "docker:12", "docker-12.scope", 10},
		  {"web", "docker:12", "docker-12.scope", 11},
		  {"ssh", "", "ssh.service", 12}};
	struct profile *p;

	CHECK_INT(folded_read((struct bytes){(const u8 *)text, strlen(text)}, NULL, &p, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		const struct {
			const char *key, *text;
		} texts[] = {
			{"comm", of[i].comm}, {"container", of[i].container}, {"unit", of[i].unit}};
		struct profile_label pid = {.num = of[i].pid};

		p->samples.data[i].first_label = (u32)p->labels.len;
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			struct profile_label l = {0};

			if (!*texts[k].text)
				continue;
			l.key = (string_id)profile_string(p, texts[k].key);
			l.str = (string_id)profile_string(p, texts[k].text);
			CHECK_INT(vec_push(&p->labels, l), 0);
		}
		pid.key = (string_id)profile_string(p, "pid");
		CHECK_INT(vec_push(&p->labels, pid), 0);
		p->samples.data[i].nlabels = (u32)p->labels.len - p->samples.data[i].first_label;
	}
	return p;
}

TEST(view, groups_by_what_labels_say)
{
	struct profile *p = machine_profile();
	struct view *v = view_of(p, &(struct view_options){.group = VIEW_PROCESS});

	check_node(v, "web (10)", 1, 1);
	check_node(v, "web (11)", 2, 2);
	check_node(v, "[unknown]", 8, 8);
	view_free(v);
	v = view_of(p, &(struct view_options){.group = VIEW_CONTAINER});
	check_node(v, "docker:12", 3, 3);
	check_node(v, "[no container]", 12, 12);
	view_free(v);
	v = view_of(p, &(struct view_options){.group = VIEW_UNIT});
	check_node(v, "ssh.service", 4, 4);
	view_free(v);
	v = view_of(p, &(struct view_options){.group = VIEW_LABEL, .label = "comm"});
	check_node(v, "web", 3, 3);
	check_node(v, "[no comm]", 8, 8);
	view_free(v);
	v = view_of(p, &(struct view_options){.group = VIEW_LABEL, .label = "pid"});
	check_node(v, "12", 4, 4);
	view_free(v);
	profile_free(p);
}

static s64 selected(const struct profile *p, const char *label)
{
	const struct view_options o = {.group = VIEW_THREAD,
				       .filter = {.labels = &label, .nlabels = 1}};
	struct view *v = view_of(p, &o);
	s64 sum = 0;

	vec_for_each(&v->nodes, n)
		sum += n->flat;
	view_free(v);
	return sum;
}

TEST(view, labels_are_selected_by_patterns)
{
	static const char *const bad[] = {"comm~("};
	const struct view_options o = {.filter = {.labels = bad, .nlabels = 1}};
	struct profile *p = machine_profile();
	struct error err = {0};
	struct view *v;

	CHECK_INT(selected(p, "comm"), 7);
	CHECK_INT(selected(p, "comm=web"), 3);
	CHECK_INT(selected(p, "comm=we"), 0);
	CHECK_INT(selected(p, "comm=w*"), 3);
	CHECK_INT(selected(p, "comm=*s*"), 4);
	CHECK_INT(selected(p, "comm=web|ssh"), 7);
	CHECK_INT(selected(p, "comm=?eb"), 3);
	CHECK_INT(selected(p, "container=docker:.*"), 3);
	CHECK_INT(selected(p, "unit~^ssh"), 4);
	CHECK_INT(selected(p, "unit~s"), 7);
	CHECK_INT(selected(p, "pid=1"), 0);
	CHECK_INT(selected(p, "pid=1[12]"), 6);
	CHECK_INT(selected(p, "nothing=*"), 0);
	CHECK_INT(view_new(p, &o, &v, &err), -EINVAL);
	CHECK(strstr(err.text, "--label \"comm~(\""));
	profile_free(p);
}

TEST(view, tags_become_frames)
{
	struct profile *p = machine_profile();
	struct view *v;

	CHECK_INT(tag_frames_add(p, "container,comm", "pid"), 0);
	CHECK_INT(p->samples.data[0].nlocations, 4);
	v = view_of(p, &(struct view_options){.group = VIEW_FUNCTION});
	check_node(v, "docker:12", 0, 3);
	check_node(v, "[no container]", 0, 12);
	check_node(v, "web", 0, 3);
	check_node(v, "11", 2, 2);
	check_node(v, "[no pid]", 8, 8);
	CHECK_INT(view_stack(v, 0), 1);
	CHECK_STR(v->nodes.data[v->stack.data[0].node].name, "10");
	CHECK_STR(v->nodes.data[v->stack.data[1].node].name, "a");
	CHECK_STR(v->nodes.data[v->stack.data[3].node].name, "docker:12");
	view_free(v);
	profile_free(p);
}

TEST(view, focus_and_ignore)
{
	static const char text[] = "a;b;c 1\na;d 2\na;b;d 4\n";

	check_filter(text, (struct filter_options){.focus = "^b$"}, "a", 0, 5, 5);
	check_filter(text, (struct filter_options){.ignore = "b"}, "a", 0, 2, 2);
	check_filter(text, (struct filter_options){.focus = "d", .ignore = "b"}, "d", 2, 2, 2);
}

TEST(view, hide_gives_the_value_to_the_caller)
{
	check_filter("a;b;c 1\na;d 2\n", (struct filter_options){.hide = "c|d"}, "b", 1, 1, 3);
	check_filter("a;b;c 1\na;d 2\n", (struct filter_options){.hide = "c|d"}, "a", 2, 3, 3);
	check_filter("a 4\nb 1\n", (struct filter_options){.hide = "a"}, "b", 1, 1, 1);
}

TEST(view, show_from_begins_at_the_outermost)
{
	check_filter("a;b;c;b 1\na;d 2\n", (struct filter_options){.show_from = "b"}, "b", 1, 1, 1);
	check_filter("a;b;c;b 1\na;d 2\n", (struct filter_options){.show_from = "b"}, "c", 0, 1, 1);
}

TEST(view, percentages_are_of_the_whole)
{
	struct profile *p = folded("a;b 3\nc 1\n");
	struct view *v = view_of(p, &(struct view_options){.filter = {.focus = "b"}});

	CHECK_INT(v->total, 4);
	view_free(v);
	profile_free(p);
}

TEST(view, labels_select_samples)
{
	struct profile *p = fixture_profile();
	const char *one[] = {"thread=a"}, *any[] = {"thread"}, *number[] = {"tid=7"};
	struct view *v =
		view_of(p, &(struct view_options){.filter = {.labels = one, .nlabels = 1}});

	check_node(v, "main", 0, 3);
	view_free(v);
	v = view_of(p, &(struct view_options){.filter = {.labels = any, .nlabels = 1}});
	check_node(v, "main", 0, 5);
	view_free(v);
	v = view_of(p, &(struct view_options){.filter = {.labels = number, .nlabels = 1}});
	check_node(v, "main", 0, 1);
	view_free(v);
	profile_free(p);
}

/* Consecutive samples share one list of locations; frames are removed from the samples that stay,
 * in each one separately. */
TEST(view, a_filter_leaves_shared_stacks_alone)
{
	struct profile *p = folded("a;hidden;b 1\n");
	struct profile_label label = {.key = (string_id)profile_string(p, "n")};
	const struct profile_sample first = p->samples.data[0];
	const char *wanted[] = {"n=3"};
	const struct filter_options o = {.hide = "hidden", .labels = wanted, .nlabels = 1};
	const s64 value = 1;
	u32 stack[3];

	memcpy(stack, p->stack_locations.data + first.first_location, sizeof(stack));
	for (label.num = 1; label.num <= 3; label.num++)
		CHECK_INT(profile_add_sample(p, stack, 3, &value, &label, 1), 0);
	CHECK_INT(p->stack_locations.len, 3);
	CHECK_INT(filter_apply(p, &(struct filter_options){.hide = "hidden"}, NULL), 0);
	CHECK_INT(p->samples.len, 4);
	vec_for_each(&p->samples, s)
		CHECK_INT(s->nlocations, 2);
	CHECK_INT(filter_apply(p, &o, NULL), 0);
	CHECK_INT(p->samples.len, 1);
	CHECK_INT(p->samples.data[0].nlocations, 2);
	profile_free(p);
}

TEST(view, drop_frames_are_dropped)
{
	struct profile *p = folded("main;malloc(int);arena 3\nmalloc(int);x 1\n");
	struct view *v;

	p->drop_frames = (string_id)profile_string(p, "malloc|calloc");
	v = view_of(p, &(struct view_options){0});
	check_node(v, "main", 3, 3);
	check_node(v, "x", 1, 1); /* nothing is above it */
	view_free(v);
	p->drop_frames = (string_id)profile_string(p, "(a{9999}){9999}");
	v = view_of(p, &(struct view_options){0});
	check_node(v, "main", 0, 3);
	view_free(v);
	profile_free(p);
}

/* glibc's compiler takes gigabytes for the first two, and more stack than there is for the
 * third. */
TEST(view, expressions_that_are_too_large_are_refused)
{
	struct profile *p = folded("ab 1\n");
	static char deep[40001];
	const char *large[] = {"((a|b){1,1000}){1,1000}", "(((.{1,200}){1,200}){1,200})", deep};
	struct view_options o = {.filter = {.focus = "(a{1,100}){1,50}b"}};
	struct view *v = view_of(p, &o);

	check_node(v, "ab", 1, 1);
	view_free(v);
	memset(deep, '(', 20000);
	memset(deep + 20000, ')', 20000);
	for (size_t i = 0; i < ARRAY_LEN(large); i++) {
		struct error err = {0};

		o.filter.focus = large[i];
		CHECK(view_new(p, &o, &v, &err) < 0);
		CHECK(strstr(err.text, ": too large"));
	}
	profile_free(p);
}

/* glibc tries these for hours, in a single call. */
TEST(view, drop_frames_that_do_not_end_drop_nothing)
{
	struct profile *p =
		folded("main;malloc(int);arena 3\nmalloc(int);abcxabcxabcxabcxabcx 1\n");
	char expression[2048] = "malloc";
	struct rusage children;
	struct view *v;

	for (int i = 0; i < 20; i++)
		strcat(expression, "|(a?b?c?d?e?f?g?h?i?j?k?l?m?n?o?p?q?r?s?t?u?v?w?x?)*");
	strcat(expression, "|");
	for (int i = 0; i < 16; i++)
		strcat(expression, "(a?b?c?d?e?f?g?h?i?j?k?l?m?n?o?p?q?r?s?t?u?v?w?x?)*");
	p->drop_frames = (string_id)profile_string(p, expression);
	v = view_of(p, &(struct view_options){0});
	check_node(v, "main", 0, 3);
	check_node(v, "malloc(int)", 0, 4);
	view_free(v);
	profile_free(p);
	getrusage(RUSAGE_CHILDREN, &children);
	CHECK(children.ru_utime.tv_sec < 10);
}

TEST(view, bad_expression_says_so)
{
	struct profile *p = folded("a 1\n");
	struct view_options o = {.filter = {.focus = "a("}};
	struct error err = {0};
	struct view *v;

	CHECK(view_new(p, &o, &v, &err) < 0);
	CHECK(strstr(err.text, "--focus \"a(\""));
	profile_free(p);
}

TEST(view, tree_of_stacks)
{
	struct profile *p = folded("a;c 1\na;b 2\na;b;d 4\nz 8\n");
	struct view *v = view_of(p, &(struct view_options){0});
	struct tree t = {0};
	const struct tree_node *a, *b;

	CHECK_INT(tree_build(&t, v), 0);
	CHECK_INT(t.nodes.data[0].value, 15);
	CHECK_INT(t.max_depth, 3);
	a = &t.nodes.data[t.nodes.data[0].first_child];
	CHECK_STR(v->nodes.data[a->frame].name, "a");
	CHECK_INT(a->value, 7);
	b = &t.nodes.data[a->first_child];
	CHECK_STR(v->nodes.data[b->frame].name, "b");
	CHECK_INT(b->value, 6);
	CHECK_STR(v->nodes.data[t.nodes.data[b->next_sibling].frame].name, "c");
	tree_release(&t);
	view_free(v);
	profile_free(p);
}

/* f is inlined into itself and called by main; go tool pprof calls a function inlined by its
 * callers. */
TEST(view, inlining_into_itself_is_none)
{
	const struct profile_mapping mapping = {.limit = 4096};
	struct profile_line lines[2] = {{0}}, one = {0};
	const s64 value = 5;
	struct profile *p;
	struct view *v;
	u32 stack[2], m;

	CHECK_INT(profile_new(&p), 0);
	CHECK_INT(profile_add_sample_type(p, "samples", "count"), 0);
	m = (u32)profile_add_mapping(p, &mapping);
	lines[0].function = lines[1].function = (u32)profile_function(p, "f", "f", "f.c", 1);
	one.function = (u32)profile_function(p, "main", "main", "f.c", 9);
	stack[0] = (u32)profile_location(p, m, 16);
	stack[1] = (u32)profile_location(p, m, 32);
	CHECK_INT(profile_location_set_lines(p, stack[0], lines, 2), 0);
	CHECK_INT(profile_location_set_lines(p, stack[1], &one, 1), 0);
	CHECK_INT(profile_add_sample(p, stack, 2, &value, NULL, 0), 0);
	v = view_of(p, &(struct view_options){.type = 0});
	CHECK(!find(v, "f")->inlined && find(v, "f")->physical);
	check_node(v, "f", 5, 5);
	view_free(v);
	profile_free(p);
}
