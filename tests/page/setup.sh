#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh DIR: playwright-core in DIR/node_modules, unless it is there. Says why when it cannot be.
set -eu

command -v chromium >/dev/null || { echo 'no chromium'; exit 1; }
command -v npm >/dev/null || { echo 'no npm'; exit 1; }
[ -d "$1/node_modules/playwright-core" ] && exit 0
mkdir -p "$1"
# The last minor release is all that is needed: the protocol to Debian's Chromium is stable.
npm install --prefix "$1" --no-audit --no-fund --no-save --ignore-scripts --loglevel=error \
	playwright-core@1 >/dev/null 2>&1 || { echo 'npm install playwright-core failed'; exit 1; }
