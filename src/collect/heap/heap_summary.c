/* SPDX-License-Identifier: Apache-2.0 */
/* Describes allocators in words: see heap_summary.h. */
#include "collect/heap/heap_summary.h"

#include <math.h>
#include <stdio.h>

double heap_unknown_share(const struct heap_stats *s, u64 rate, double ended, bool copies)
{
	if (rate <= 1)
		return s->frees ? 1 - (double)s->freed / (double)s->frees : 0;
	if (copies)
		return 0;
	double share = s->frees ? 1 - ended / (double)s->frees : 0;
	double chance = rate > 1 && s->freed ? 3 / sqrt((double)s->freed) : 0;

	return share > chance ? share : 0;
}

#define SAMPLER_DROPPED                                                                     \
	"%llu sampled allocations are missing: so many sampled blocks were alive that the " \
	"preloaded sampler had no space for more"

#define UNREACHED                                                                         \
	"%llu times plug-ins were opened that pass the preloaded sampler by: what they "  \
	"allocated was not seen, and what they freed still counts as live (--no-preload " \
	"probes them)"

int heap_comments(const struct heap_stats *h, struct profile *p)
{
	int err = 0;

	if (h->sampler_dropped)
		err = profile_add_comment(p, SAMPLER_DROPPED,
					  (unsigned long long)h->sampler_dropped);
	if (!err && h->unreached)
		err = profile_add_comment(p, UNREACHED, (unsigned long long)h->unreached);
	return err;
}

void heap_summary(const struct heap_stats *h, struct lines *out)
{
	char dropped[96] = "", unknown[96] = "";

	if (!h->probes)
		return;
	if (h->unknown >= 0.001)
		snprintf(unknown, sizeof(unknown), " (%.1f%% of blocks allocated before)",
			 h->unknown * 100);
	if (h->dropped)
		snprintf(dropped, sizeof(dropped), "; %llu sampled blocks lost: --max-live reached",
			 (unsigned long long)h->dropped);
	lines_add(out,
		  "%llu allocations, %llu frees%s, %u probes: they slowed the target by "
		  "%s %.1f%%%s",
		  (unsigned long long)h->allocs, (unsigned long long)h->frees, unknown, h->probes,
		  h->at_least ? "more than" : "about", h->slowdown * 100, dropped);
	if (h->sampler_dropped)
		lines_add(out, SAMPLER_DROPPED, (unsigned long long)h->sampler_dropped);
	if (h->unreached)
		lines_add(out, UNREACHED, (unsigned long long)h->unreached);
	if (h->missed)
		lines_add(out, "%llu of %llu new processes were probed late, or ended before that",
			  (unsigned long long)h->missed, (unsigned long long)h->begun);
	if (h->refused)
		lines_add(out,
			  "%u files with allocators were probed late, or not at all: all %u places "
			  "for probes were in use",
			  h->refused, h->sites);
	if (h->unfollowed)
		lines_add(out,
			  "%llu sampled allocations were not followed until they are "
			  "freed: where their function returns cannot be seen, or the thread's "
			  "system calls are intercepted",
			  (unsigned long long)h->unfollowed);
	if (h->uninherited)
		lines_add(out,
			  "%llu child process(es) began without their parent's live blocks, which "
			  "were more than fork can wait for",
			  (unsigned long long)h->uninherited);
	if (h->declined)
		lines_add(out,
			  "%llu allocations were left out: the thread had not returned "
			  "from another one, on another stack",
			  (unsigned long long)h->declined);
}
