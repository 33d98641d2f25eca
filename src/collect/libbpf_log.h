/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwards libbpf's messages to a struct log. libbpf has one print callback for the whole process
 * and passes it no argument, so the listener of this thread is stored here and nowhere else. In a
 * message of several lines (a verifier's log) all lines except the first are LOG_LEVEL_DEBUG.
 */
#ifndef CPROF_COLLECT_LIBBPF_LOG_H
#define CPROF_COLLECT_LIBBPF_LOG_H

#include "base/log.h"

/*
 * Sends this thread's libbpf messages to `log` from now on (NULL drops them). `log` must stay valid
 * until the end. The result is for libbpf_log_end(), so pairs may be nested.
 */
const struct log *libbpf_log_begin(const struct log *log);
void libbpf_log_end(const struct log *before);

#endif
