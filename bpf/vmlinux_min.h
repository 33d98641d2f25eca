/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* placeholder until the BPF programs say which types they need */
