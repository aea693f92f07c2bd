#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Prints the path of a runnable qemu-system-x86_64 of version 10 or later (last
# line of standard output). Older ones have neither the igb network card nor
# the first-stage translation of VT-d.
#
#   QEMU=path   use this one
#
# Else the installed one if it is new enough, else Debian's packages are
# unpacked into the cache, with the libraries that this machine lacks: no
# package is installed and an installed QEMU stays as it is.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/apt.sh"
MIN=10

version_of() { "$1" --version 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p'; }
good() { good_v=$(version_of "$1"); [ "${good_v%%.*}" -ge "$MIN" ] 2>/dev/null; }
found() { say "QEMU: $(version_of "$1") ($1)"; printf '%s\n' "$1"; exit 0; }

if [ -n "${QEMU:-}" ]; then
	path=$(command -v "$QEMU") || die "QEMU=$QEMU cannot be run" "give the path of a qemu-system-x86_64"
	good "$path" || die "QEMU=$QEMU is version $(version_of "$path"), $MIN or later is needed" \
			    "leave QEMU out to have one fetched"
	found "$path"
fi
path=$(command -v qemu-system-x86_64) && good "$path" && found "$path"

wrapper=$CACHE/qemu/qemu-system-x86_64
cache_dir qemu
lock fetch
[ -x "$wrapper" ] && good "$wrapper" && found "$wrapper"

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
arch=$(dpkg --print-architecture)
[ "$arch" = amd64 ] || die "only amd64 is supported for the download, this is $arch" "set QEMU to a qemu-system-x86_64"
case $codename in
bookworm) suites='bookworm bookworm-backports'; from=/bookworm-backports ;;
trixie|forky) suites=$codename; from= ;;
*) die "no QEMU of version $MIN or later is installed, and there is no recipe for '$codename'" \
       "install one, or set QEMU to a qemu-system-x86_64" ;;
esac

free_mb "$CACHE" 500 "QEMU"
archive_uri
say "getting QEMU from: $suites"
# shellcheck disable=SC2086
apt_list "qemu" $suites ||
	die "no network: the Debian archive $archive could not be reached" \
	    "check the network, or set QEMU to a qemu-system-x86_64 of version $MIN or later" \
	    "(log: $CACHE/log/apt-qemu.log)"
# What is installed, so that only what is missing is downloaded. The copy makes
# apt's lock private, too. QEMU's own packages count as missing in any case.
awk -v RS= -v ORS='\n\n' '!/^Package: (qemu-system-|seabios|ipxe-qemu)/' /var/lib/dpkg/status \
	>"$CACHE/apt/qemu/status"
rm -f "$CACHE/apt/qemu/cache/archives/"*.deb
papt qemu apt-get -q -y -d --no-install-recommends install \
	"qemu-system-x86$from" "qemu-system-common$from" "qemu-system-data$from" "seabios$from" ipxe-qemu \
	>"$CACHE/log/download-qemu.log" 2>&1 || {
	tail -n 5 "$CACHE/log/download-qemu.log" >&2
	die "the download of QEMU failed" "is the network up? Run this again (log: $CACHE/log/download-qemu.log)"
}
rm -rf "$CACHE/qemu/root"
mkdir -p "$CACHE/qemu/root"
: >"$CACHE/qemu/record"
for deb in "$CACHE/apt/qemu/cache/archives/"*.deb; do
	# never another C library than the one of the running system
	case $(basename "$deb") in libc6_*|libc-bin_*) continue ;; esac
	dpkg-deb -x "$deb" "$CACHE/qemu/root" || die "cannot unpack $deb" "is the disk full?"
	printf '%s %s\n' "$(sha256sum "$deb" | cut -d' ' -f1)" "$(basename "$deb")" >>"$CACHE/qemu/record"
	rm -f "$deb"
done
cat >"$wrapper.new" <<EOF
#!/bin/sh
root=$CACHE/qemu/root
lib=\$root/usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR=\$lib/qemu
export LD_LIBRARY_PATH=\$lib:\$root/lib/x86_64-linux-gnu:\$lib/pulseaudio\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
exec \$root/usr/bin/qemu-system-x86_64 -L \$root/usr/share/qemu -L \$root/usr/share/seabios \\
	-L \$root/usr/lib/ipxe/qemu "\$@"
EOF
chmod +x "$wrapper.new"
mv "$wrapper.new" "$wrapper"
if ! good "$wrapper"; then
	"$wrapper" --version >&2 || true
	die "the QEMU that was fetched does not run" "see the message above, or set QEMU to another one"
fi
found "$wrapper"
