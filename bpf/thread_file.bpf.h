/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Describes the file of a descriptor: what it is, and with whom a socket is connected. */
#ifndef CPROF_BPF_THREAD_FILE_BPF_H
#define CPROF_BPF_THREAD_FILE_BPF_H

#include "files.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

/* Where a kernel has no BTF of UNIX sockets (a module), their names are not known. */
struct in6_addr___cprof {
	u8 bytes[16];
};

struct sock_common___cprof {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num;
	u16 skc_family;
	volatile u8 skc_state;
	struct in6_addr___cprof skc_v6_daddr, skc_v6_rcv_saddr;
} __attribute__((preserve_access_index));

struct sock___cprof {
	struct sock_common___cprof __sk_common;
} __attribute__((preserve_access_index));

struct sockaddr_un___cprof {
	unsigned short sun_family;
} __attribute__((preserve_access_index));

struct unix_address___cprof {
	int len;
	struct sockaddr_un___cprof name[];
} __attribute__((preserve_access_index));

struct unix_sock___cprof {
	struct unix_address___cprof *addr;
	struct sock___cprof *peer;
} __attribute__((preserve_access_index));

struct socket___cprof {
	short type;
	struct sock___cprof *sk;
} __attribute__((preserve_access_index));

struct file___cprof {
	void *private_data;
} __attribute__((preserve_access_index));

static __always_inline u16 host_order(u16 port)
{
	return __builtin_bswap16(port);
}

static __always_inline void describe_inet(struct sock___cprof *sk, struct thread_file *to)
{
	to->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	to->peer_port = host_order(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (to->family == AF_INET) {
		u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		u32 peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(to->local, &local, sizeof(local));
		__builtin_memcpy(to->peer, &peer, sizeof(peer));
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_core_read(to->local, sizeof(to->local), &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(to->peer, sizeof(to->peer), &sk->__sk_common.skc_v6_daddr);
	}
}

/* A connected socket mostly has no name, but its peer has that of the listening one. */
static __always_inline void describe_unix(struct sock___cprof *sk, struct thread_file *to)
{
	struct unix_sock___cprof *u = (void *)sk, *other;
	struct unix_address___cprof *name;
	int len;

	if (!bpf_core_type_exists(struct unix_sock___cprof))
		return;
	name = BPF_CORE_READ(u, addr);
	other = (void *)BPF_CORE_READ(u, peer);
	if (!name && other)
		name = BPF_CORE_READ(other, addr);
	if (!name)
		return;
	len = BPF_CORE_READ(name, len) - (int)sizeof(u16); /* sockaddr_un.sun_family */
	if (len <= 0 || len > 108)
		return;
	to->path_len = (u16)len;
	bpf_probe_read_kernel(to->path, sizeof(to->path),
			      (char *)name + bpf_core_field_offset(name->name) + sizeof(u16));
}

static __always_inline void describe_socket(struct file *file, struct thread_file *to)
{
	struct file___cprof *opened = (void *)file;
	struct socket___cprof *socket = BPF_CORE_READ(opened, private_data);
	struct sock___cprof *sk = BPF_CORE_READ(socket, sk);

	to->type = (u16)BPF_CORE_READ(socket, type);
	if (!sk)
		return;
	to->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	to->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (to->family == AF_INET || to->family == AF_INET6)
		describe_inet(sk, to);
	else if (to->family == AF_UNIX)
		describe_unix(sk, to);
}

static __always_inline void describe_file(struct task_struct *task, u32 fd, struct thread_file *to)
{
	struct file *file = file_of(task, fd);

	if (!file)
		return;
	to->mode = BPF_CORE_READ(file, f_inode, i_mode);
	to->inode = BPF_CORE_READ(file, f_inode, i_ino);
	if ((to->mode & S_IFMT) == S_IFSOCK)
		describe_socket(file, to);
}

#endif
