#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh DIR [PACKAGE] installs playwright-core, which drives Chromium, and speedscope in
# DIR/node_modules, unless they are there. It prints the reason if PACKAGE (playwright-core) cannot
# be installed. Test files that run side by side wait for each other.
set -eu

command -v chromium >/dev/null || { echo 'no chromium'; exit 1; }
command -v npm >/dev/null || { echo 'no npm'; exit 1; }
package=${2:-playwright-core}
mkdir -p "$1"
exec 9>"$1/lock"
flock 9
[ -d "$1/node_modules/$package" ] && exit 0
install() { # PREFIX PACKAGE...
	npm install --no-audit --no-fund --no-save --ignore-scripts --loglevel=error --prefix "$@" >/dev/null 2>&1 9>&-
}
# The last minor release is sufficient, because the protocol to Debian's Chromium is stable.
install "$1" playwright-core@1 speedscope@1 || install "$1" playwright-core@1 || true
[ -d "$1/node_modules/$package" ] || { echo "npm install $package failed"; exit 1; }
