/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libbpf's messages, into a struct log. libbpf has one print callback for the whole process and passes it
 * no argument, so the listener of this thread is remembered here and nowhere else. Of a message of several
 * lines (a verifier's log) all but the first are LOG_LEVEL_DEBUG.
 */
#ifndef CPROF_COLLECT_LIBBPF_LOG_H
#define CPROF_COLLECT_LIBBPF_LOG_H

#include "base/log.h"

/*
 * From now on this thread's libbpf messages go to `log` (NULL: nowhere), which must stay alive until the end. What is
 * returned is for libbpf_log_end(), so that pairs may be nested.
 */
const struct log *libbpf_log_begin(const struct log *log);
void libbpf_log_end(const struct log *before);

#endif
