# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# Debian systems to try things in, in directories of the cache. To be sourced after
# lib.sh and apt.sh, by a script that has called chroot_private first.
#
#   $CACHE/chroot/SUITE/          as debootstrap makes it, and make; never changed
#   $CACHE/chroot/SUITE-NAME/     what was installed besides, a layer on top of it
#
# A system to try something in is an overlay of these, below $run, and what is written
# into it goes with the script.

# chroot_private ARGS...: go on in a name space of mounts of our own, so that they are gone
# whatever happens
chroot_private()
{
	[ "$(id -u)" -eq 0 ] || die "a chroot needs root" "run this as root"
	[ -z "${CHROOT_PRIVATE:-}" ] || return 0
	need_tool unshare debootstrap
	CHROOT_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
}

# chroot_run: sets $run, which goes with the script
chroot_run()
{
	make_tmp
	cache_dir chroot
	for run_old in "$CACHE/chroot"/run.*; do
		[ -d "/proc/${run_old##*.}" ] || rm -rf "$run_old"
	done
	run=$CACHE/chroot/run.$$
	# what was not mounted is no error, and must not keep the rest from being removed
	trap 'umount "$run"/*/root 2>/dev/null || :; rm -rf "$run" "$tmp"' EXIT
	mkdir -p "$run"
}

# chroot_base SUITE: fails, with the reason in $log
chroot_base()
{
	log=$CACHE/log/debootstrap-$1.log
	[ ! -f "$CACHE/chroot/$1.complete" ] || return 0
	cache_dir chroot
	free_mb "$CACHE" 3000 "systems of Debian to try things in"
	rm -rf "$CACHE/chroot/$1"
	run_logged "debootstrap $1" "$log" debootstrap --variant=minbase --include=make,ca-certificates \
		"$1" "$CACHE/chroot/$1" "$archive" || return 1
	chroot_sources "$CACHE/chroot/$1" "$1"
	: >"$CACHE/chroot/$1.complete"
}

# no_mirror: was that why debootstrap failed?
no_mirror()
{
	grep -qE 'Failed getting release file|Invalid Release file|Couldn.t download|Unable to (fetch|connect)' "$log"
}

# chroot_sources DIR SUITE: as this machine reaches its archive
chroot_sources()
{
	printf 'deb %s %s main\n' "$archive" "$2" >"$1/etc/apt/sources.list"
	apt-config dump | grep -i '^Acquire::.*::Proxy' >"$1/etc/apt/apt.conf.d/90proxy" || :
	# it goes with the script, or is made again
	mkdir -p "$1/etc/dpkg/dpkg.cfg.d"
	echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/unsafe"
	printf 'APT::Install-Recommends "false";\nDpkg::Use-Pty "0";\n' >"$1/etc/apt/apt.conf.d/91quiet"
}

# chroot_mount DIR LOWER...: an overlay of these, the topmost first, in DIR/root
chroot_mount()
{
	mount_at=$1
	shift
	mount_lower=
	for mount_dir; do
		mount_lower=$mount_lower:$mount_dir
	done
	mkdir -p "$mount_at/root" "$mount_at/upper" "$mount_at/work"
	mount -t overlay overlay -o "lowerdir=${mount_lower#:},upperdir=$mount_at/upper,workdir=$mount_at/work" \
		"$mount_at/root" ||
		die "there is no overlay of file systems in $mount_at" \
			"the kernel needs OVERLAY_FS, and the cache a file system of a disk (IOMMU_LIVEUPDATE_CACHE=)"
	cp /etc/resolv.conf "$mount_at/root/etc/resolv.conf" 2>/dev/null || :
}

# in_chroot DIR COMMAND...: as root, with processes of its own: what is left of them ends
in_chroot()
{
	chroot_at=$1
	shift
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child sh -c '
		mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/dev/shm" || exit 1
		at=$1
		shift
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb \
			DEBIAN_FRONTEND=noninteractive chroot "$at" "$@"' sh "$chroot_at" "$@" </dev/null
}

layer_parts()
{
	echo "$layer_command"
	cat "$TOP/scripts/install-packages.sh"
}

# chroot_layer SUITE NAME COMMAND: what COMMAND, of the shell, writes on top of the base.
# It may install packages, and finds the clone in /src.
chroot_layer()
{
	layer_suite=$1 layer=$CACHE/chroot/$1-$2 layer_command=$3
	log=$CACHE/log/chroot-$1-$2.log
	layer_key=$(key layer_parts)
	[ "$(cat "$layer.complete" 2>/dev/null)" != "$layer_key" ] || return 0
	rm -rf "$layer" "$layer.complete"
	chroot_mount "$run/layer" "$CACHE/chroot/$layer_suite"
	copy_clone "$run/layer/root/src"
	run_logged "packages of $1-$2" "$log" in_chroot "$run/layer/root" sh -c \
		"apt-get -q update && { $layer_command; } && apt-get clean" || return 1
	rm -rf "$run/layer/root/src"
	umount "$run/layer/root"
	mv "$run/layer/upper" "$layer"
	rm -rf "$run/layer"
	echo "$layer_key" >"$layer.complete"
}
