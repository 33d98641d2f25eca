/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the otel_memory probes of a sampler: see probe_file_impl.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collect/probe/probe_file_impl.h"
#include "collect/probe/probe_site.h"

#define PROVIDER "otel_memory"
#define OWN_PROVIDER "cprof_heap"

static struct heap_arg usdt_argument(const struct usdt_arg *arg)
{
	struct heap_arg out = {.size = arg->size,
			       .is_signed = arg->is_signed,
			       .reg = heap_register(arg->reg),
			       .shift = arg->shift,
			       .value = arg->value};

	switch (arg->kind) {
	case USDT_ARG_REG:
		out.kind = HEAP_ARG_REG;
		break;
	case USDT_ARG_CONST:
		out.kind = HEAP_ARG_CONST;
		break;
	case USDT_ARG_MEM:
		out.kind = HEAP_ARG_MEM;
		out.reg = heap_register(arg->base);
		out.index = heap_register(arg->index);
		out.scale = arg->scale;
		break;
	default:
		break;
	}
	return out;
}

static bool is_understood(const struct usdt_probe *probe, u8 nargs)
{
	for (u8 i = 0; i < nargs; i++) {
		if (i >= probe->argc || probe->args[i].kind == USDT_ARG_UNKNOWN)
			return false;
	}
	return true;
}

/* A five-byte nop inside a function must not have a probe on 6.18: see arch_probe_cost(). */
static bool takes_probe(const struct file_reading *in, const struct usdt_probe *probe)
{
	struct bytes code = elf_file_loaded(in->elf, probe->vaddr, ARCH_INSN_BYTES_MAX);
	enum probe_cost cost;
	struct arch_insn d;

	return arch_insn_decode(code, probe->vaddr, &d) &&
	       arch_probe_cost(&d, false, in->r->kernel, &cost);
}

/* Those of an unknown name are of another version. */
static int notice_add(struct file_reading *in, const struct usdt_probe *probe)
{
	static const struct notice {
		const char *name;
		enum alloc_fn function;
		u8 nargs;
	} notices[] = {
		{"started", ALLOC_FN_USDT_STARTED, 0},     {"dropped", ALLOC_FN_USDT_DROPPED, 0},
		{"unreached", ALLOC_FN_USDT_UNREACHED, 0}, {"bypassed", ALLOC_FN_USDT_BYPASSED, 3},
		{"exec", ALLOC_FN_USDT_EXEC, 3},           {"spawn", ALLOC_FN_USDT_SPAWN, 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(notices); i++) {
		const struct notice *n = &notices[i];
		struct heap_site site = {.function = (u16)n->function};

		if (strcmp(probe->name, n->name) != 0 || !is_understood(probe, n->nargs) ||
		    !takes_probe(in, probe))
			continue;
		for (u8 arg = 0; arg < n->nargs; arg++)
			site.args[arg] = usdt_argument(&probe->args[arg]);
		return reading_put_site(in, &site, probe->offset, &in->f->notices);
	}
	return 0;
}

static int usdt_add(struct file_reading *in, const struct usdt_probe *probe)
{
	bool alloc = !strcmp(probe->name, "alloc"), frees = !strcmp(probe->name, "free");
	struct heap_site site = {.function = alloc ? ALLOC_FN_USDT_ALLOC : ALLOC_FN_USDT_FREE};
	struct probe_file *f = in->f;
	u8 nargs = alloc ? 3 : 1;

	if (!strcmp(probe->provider, OWN_PROVIDER))
		return notice_add(in, probe);
	if (strcmp(probe->provider, PROVIDER) != 0 || (!alloc && !frees) || (frees && !in->r->live))
		return 0;
	if (!is_understood(probe, nargs) || probe->semaphore || !takes_probe(in, probe)) {
		log_warn(in->r->log, "cannot use the probe %s:%s of %s", probe->provider,
			 probe->name, in->path);
		return 0;
	}
	for (u8 i = 0; i < nargs; i++)
		site.args[i] = usdt_argument(&probe->args[i]);
	return reading_put_site(in, &site, probe->offset, alloc ? &f->weighed : &f->frees);
}

bool usdt_has_sampler(const struct usdt_list *list)
{
	vec_for_each(&list->probes, probe) {
		if (!strcmp(probe->provider, PROVIDER) && !strcmp(probe->name, "alloc"))
			return true;
	}
	return false;
}

int reading_find_sampler(struct file_reading *in, const struct usdt_list *list)
{
	int err = 0;

	in->f->base.exclusive = true;
	vec_for_each(&list->probes, probe) {
		if (!err)
			err = usdt_add(in, probe);
	}
	if (!err && asprintf(&in->f->title, "the sampler of %s", in->path) < 0)
		err = -ENOMEM;
	return err;
}
