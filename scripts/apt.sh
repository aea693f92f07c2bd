# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154,SC2016
# Downloads from the machine's Debian archive with a sources list, state and
# cache of our own: nothing of the machine's apt configuration is used but the
# address of its archive, and nothing of it is changed. To be sourced after lib.sh.

# archive_uri: where this machine gets its Debian from. APT_OPTIONS is for tests.
# (--no-release-info: without it a machine that never ran an update prints nothing)
archive_uri()
{
	need_tool apt-get dpkg-deb
	# shellcheck disable=SC2086
	archive=$(apt-get ${APT_OPTIONS:-} indextargets --no-release-info \
			--format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		  awk '$2 ~ /^(bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)$/ &&
		       $3 == "main" { print $1; exit }')
	[ -n "$archive" ] ||
		die "no Debian archive among the apt sources of this machine" \
		    "add one to /etc/apt/sources.list, or give what is needed yourself:" \
		    "KDIR=directory of a Linux $BASE_VERSION tree, QEMU=path to a qemu-system-x86_64 of version 10 or later"
	for keyring in /usr/share/keyrings/debian-archive-keyring.gpg \
		       /usr/share/keyrings/debian-archive-keyring.pgp; do
		[ ! -f "$keyring" ] || return 0
	done
	die "no Debian archive keyring in /usr/share/keyrings" "install the package debian-archive-keyring"
}

# papt NAME PROGRAM ARGS...: apt-get or apt-cache on the private list NAME.
papt()
{
	papt_dir=$CACHE/apt/$1; papt_prog=$2
	shift 2
	"$papt_prog" -o Dir::Etc::sourcelist="$papt_dir/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State="$papt_dir" -o Dir::State::lists="$papt_dir/lists" \
		-o Dir::State::status="$papt_dir/status" -o Dir::Cache="$papt_dir/cache" \
		-o APT::Sandbox::User=root -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

# apt_list NAME SUITE...: make the list and get its index. Fails quietly, the
# reason is in $CACHE/log/apt-NAME.log.
apt_list()
{
	apt_name=$1
	shift
	cache_dir "apt/$apt_name/lists/partial"
	cache_dir "apt/$apt_name/cache/archives/partial"
	cache_dir log
	apt_dir=$CACHE/apt/$apt_name
	: >"$apt_dir/sources.list"
	for apt_suite; do
		printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$archive" "$apt_suite" >>"$apt_dir/sources.list"
	done
	: >"$apt_dir/status"
	papt "$apt_name" apt-get -q -o APT::Update::Error-Mode=any update \
		>"$CACHE/log/apt-$apt_name.log" 2>&1
}
