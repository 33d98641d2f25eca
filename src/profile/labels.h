/* SPDX-License-Identifier: Apache-2.0 */
/* Names of labels that one part of cprof writes and another one reads. */
#ifndef CPROF_PROFILE_LABELS_H
#define CPROF_PROFILE_LABELS_H

/* These describe all live blocks of a sample's stack (heap --leaks). */
#define LABEL_OLDEST "oldest" /* milliseconds before the end */
#define LABEL_YOUNGEST "youngest"
#define LABEL_GROWTH "growth" /* bytes at the end minus those when the recording began */
#define LABEL_TREND "trend"
#define LABEL_TREND_GROWING "growing" /* the bytes never decreased */

/* These say where a sample comes from, if there are several processes. */
#define LABEL_PROCESS "comm" /* the name of the process, not of the thread */
#define LABEL_PID "pid"
#define LABEL_CONTAINER "container" /* container.h */
#define LABEL_UNIT "unit" /* of systemd */

#endif
