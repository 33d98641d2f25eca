# SPDX-License-Identifier: Apache-2.0
# How the programs that tests profile are built: each under the flags that make it awkward.
