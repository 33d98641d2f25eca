# SPDX-License-Identifier: Apache-2.0
# deps, demo, install, help.
