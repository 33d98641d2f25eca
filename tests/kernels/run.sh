#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boots Debian's stock kernel in qemu, without KVM, on an initramfs of busybox, cprof and a few
# targets, and runs init.sh there. Its TAP lines come back over the serial console. It checks
# results, not speed.
#   KERNEL=vmlinuz   boot that one (with its modules, if needed, built in)
#   INIT=script      run that one instead of init.sh
set -eu
cd "$(dirname "$0")/../.."

build=${BUILD:-$PWD/build}
cprof=${CPROF:-$build/cprof}
targets=${TARGETS:-$build/targets}
work=$build/kernels
console=$work/console.log
mkdir -p "$work"

skip() {
	echo "ok 1 - stock kernel # skip $1"
	echo 1..1
	exit 0
}

stock_package() {
	apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# The package is unpacked but not installed, and stays for the next run.
fetch_kernel() {
	local package
	KERNEL=$(find "$work" -name 'vmlinuz-*' | sort -V | tail -n 1)
	[ -z "$KERNEL" ] || return 0
	package=$(stock_package)
	if [ -z "$package" ] && apt-get update >/dev/null 2>&1; then
		package=$(stock_package)
	fi
	[ -n "$package" ] || skip 'no package linux-image-amd64 here'
	(cd "$work" && apt-get download "$package" >download.log 2>&1) || skip "cannot download $package"
	dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$work" --wildcards './boot/vmlinuz-*'
	rm -f "$work"/linux-image-*.deb
	KERNEL=$(find "$work" -name 'vmlinuz-*' | head -n 1)
}

# add FILE... adds each with the libraries it needs, under the paths it has here.
add() {
	local file
	for file; do
		ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true
	done | sort -u | while read -r file; do
		mkdir -p "$root$(dirname "$file")"
		cp -Lu "$file" "$root$file"
	done
}

make_initramfs() {
	root=$work/root
	rm -rf "$root"
	mkdir -p "$root"/{bin,proc,sys,dev,tmp,targets}
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "${INIT:-tests/kernels/init.sh}" "$root/init"
	chmod 755 "$root/init"
	cp "$cprof" "$root/bin/cprof"
	add "$cprof"
	for name in shares shares-static threads signal dlopen libburn1.so libburn2.so storm inline syscall locks \
		heap_leaks heap_cxx thread_states; do
		cp "$targets/$name" "$root/targets/"
		add "$targets/$name"
	done
	tcmalloc=/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4
	if [ -e $tcmalloc ]; then
		add $tcmalloc
		cp -L $tcmalloc "$root/targets/"
	fi
	(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$work/initramfs.gz"
}

for tool in qemu-system-x86_64 busybox cpio; do
	command -v $tool >/dev/null || skip "no $tool"
done
[ -n "${KERNEL:-}" ] || fetch_kernel
make_initramfs

# One thread emulates both CPUs. With two, a CPU that met an instruction while the kernel changed it
# (at a tracepoint) sometimes took the breakpoint there for ever.
timeout "${PATIENCE:-900}" qemu-system-x86_64 -machine q35 -accel tcg,thread=single -cpu max -m 1G -smp 2 -nodefaults -no-user-config \
	-display none -no-reboot -kernel "$KERNEL" -initrd "$work/initramfs.gz" \
	-append 'console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable' \
	-serial stdio </dev/null 2>&1 | tr -d '\r' >"$console" || true

if ! grep -qE '^1\.\.[0-9]+$' "$console"; then
	tail -n 40 "$console" | sed 's/^/# /'
	echo 'not ok 1 - stock kernel runs the smoke test to its end'
	echo 1..1
	exit 1
fi
grep -E '^(ok |not ok |# |1\.\.[0-9]+$)' "$console"
! grep -q '^not ok' "$console"
