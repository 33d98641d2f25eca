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

/* These say what a thread does (threads). */
#define LABEL_STATE "state" /* "running", "runnable", "sleeping", "uninterruptible", "stopped" */
#define LABEL_REASON "reason" /* of a wait: "mutex", "network" */
#define LABEL_OBJECT "object" /* what it waits for: "orders_lock", "fd 4: pipe 4711" */
#define LABEL_ADDRESS "address" /* of a lock */
#define LABEL_OWNER "owner" /* of that lock: 4711 "writer" */
#define LABEL_UNTIL "until" /* time of day at which a sleep ends */
#define LABEL_SINCE "since" /* nanoseconds in this state */
#define LABEL_CPU_TIME "cpu_time" /* nanoseconds that it has run */
#define LABEL_AGE "age" /* nanoseconds since it was created */
#define LABEL_DEADLOCK "deadlock" /* number of the ring of threads that it is part of */
#define LABEL_MOVED "moved" /* "yes" if it ran each time that its stack was copied */

#endif
