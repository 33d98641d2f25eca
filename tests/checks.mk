# SPDX-License-Identifier: Apache-2.0
# check, bench, lint, fuzz: everything that tries the build.
