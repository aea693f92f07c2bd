#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run.sh DIRECTORY
# Tries system/liveupdate-guard.service with the systemd that is unpacked in
# DIRECTORY (scripts/fetch-systemd.sh) as PID 1 of namespaces of this machine: without a
# kernel of ours, and with a dry run that ends as it is told. A kexec that it refuses, or
# cannot judge, is called off while all services run; one that it allows stops them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
. "$top/scripts/results.sh"
CARD=0000:02:00.0
TIMEOUT=${TIMEOUT:-300}

lacking()
{
	[ "$(id -u)" -eq 0 ] || { echo "it needs root"; return; }
	command -v unshare >/dev/null && command -v cpio >/dev/null || { echo "unshare or cpio is missing"; return; }
	cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$cgroups" ] && [ -w "$cgroups" ] || echo "no cgroup2 hierarchy to write to"
}

why=$(lacking)
if [ -n "$why" ]; then
	skip "systemd in a container: $why"
	printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
	exit 0
fi
cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
tmp=$(mktemp -d)
group=$cgroups/iommu-liveupdate.$$
clean()
{
	[ ! -w "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill"
	find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || :
	rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

# ---- its root file system ----
cat >"$tmp/dry-run" <<'S'
#!/bin/sh
[ "$1 $2" = "kexec test" ] || exit 2
read -r how </run/refuse || exit 0
[ "$how" != hang ] || kill -STOP $$
echo "interrupts of a device are on" >&2
exit "$how"
S
chmod +x "$tmp/dry-run"
printf '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n' >"$tmp/pause.c"
gcc -static -o "$tmp/pause" "$tmp/pause.c"
TOOL=$tmp/dry-run "$top/tests/vm/systemd/make-root.sh" "$1" "$tmp/archive"
root=$tmp/root
mkdir "$root"
(cd "$root" && cpio --quiet -idm <"$tmp/archive")
cp "$tmp/pause" "$root/init"
cp "$here/control.sh" "$root/control"
units=$root/etc/systemd/system
mkdir -p "$root/dev" "$root/proc" "$root/sys" "$units/nic@$CARD.service.d"
# The card's service is not what is tried here, but its place in the order of things.
printf '[Service]\nType=exec\nExecStart=\nExecStart=/init\nExecStopPost=/bin/sh -c "echo card >>/stopped"\n' \
	>"$units/nic@$CARD.service.d/rig.conf"
printf '[Service]\nTimeoutStopSec=2\n' >"$units/liveupdate-guard.service.d/rig.conf"
printf '[Service]\nType=exec\nExecStart=/init\nExecStopPost=/bin/sh -c "echo bystander >>/stopped"\n' \
	>"$units/bystander.service"
printf '[Unit]\nAfter=bystander.service\n[Service]\nType=exec\nExecStart=/bin/sh /control\n' \
	>"$units/control.service"
rm "$root/usr/lib/systemd/system-shutdown/rig"
# Without it all must fail: to see the test red.
[ -z "${WITHOUT_GUARD:-}" ] ||
	printf '[Service]\nExecStopPost=\n' >"$units/liveupdate-guard.service.d/without.conf"

# ---- PID 1 ----
mkdir "$group"
cat >"$tmp/start" <<'S'
echo $$ >"$group/cgroup.procs"
exec timeout -k 5 "$TIMEOUT" unshare --kill-child --pid --fork --mount --cgroup --uts --ipc sh -ec '
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mknod "$root/dev/null" c 1 3
mknod "$root/dev/console" c 1 3
mknod "$root/dev/urandom" c 1 9
mkdir "$root/dev/pts" "$root/dev/shm"
cd "$root"
exec env -i container=rig PATH=/usr/sbin:/usr/bin chroot "$root" /usr/lib/systemd/systemd \
	--system --log-target=console --show-status=no'
S
export root group TIMEOUT
sh "$tmp/start" >"$tmp/log" 2>&1 </dev/null || :

# ---- what it found ----
[ -s "$root/found" ] || fail "systemd came up" "$tmp/log"
while read -r line; do
	case $line in
	'ok '*) pass "${line#ok }" ;;
	*) fail "${line#not ok }" ;;
	esac
done <"$root/found"
grep -qx 'ok the dry run is fine now' "$root/found" || fail "the tries came to their end"
if [ "$(sort "$root/stopped" | tr '\n' ' ')" = "bystander card " ]; then
	pass "a kexec that is allowed stops all services"
else
	fail "a kexec that is allowed stops all services" "$root/stopped"
fi
finish
