#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: refusals.sh [KERNEL [PATCHES]]
# Prints each line that the kernel half says when it refuses something or gives something
# up: FILE:LINE, a tab, the text with its conversions. From kernel/ and patches/ of this
# clone unless told otherwise. These are all messages of the levels warn and worse, those
# of other levels that say "refused" or "cannot", and the panics; not those of tests.
#
# A reason that a function is handed stands in the line that it makes of it.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

sources=${1:-$TOP/kernel}
patches=${2:-$TOP/patches}
need_tool awk
make_tmp

# lines FILE PLUS: of a source, or with PLUS=1 of what a patch adds
lines()
{
	awk -v name="${1##*/}" -v plus="$2" '
	function say(text) {
		sub(/\\n$/, "", text)
		printf "%s:%d\t%s\n", name, first, text
	}
	# all strings that stand side by side from here on, as one
	function literal(text,  all, rest) {
		all = ""
		while (match(text, /"([^"\\]|\\.)*"/)) {
			if (all != "" && substr(text, 1, RSTART - 1) !~ /^[ \t]*$/)
				break
			all = all substr(text, RSTART + 1, RLENGTH - 2)
			text = substr(text, RSTART + RLENGTH)
		}
		return all
	}
	# where the text is that this statement says, 0 if it says nothing
	function message(text) {
		if (match(text, /(pr|dev|pci)_(warn|err|crit|emerg|alert)(_ratelimited|_once)?\(/)) return RSTART + RLENGTH
		if (match(text, /[a-z_]*_(say|say_refused|ser_refuse)\(/)) return RSTART + RLENGTH
		# what a caller of the session can ask for as well
		if (match(text, /(^|[^a-z_])liveupdate_(refuse|refuse_info|refuse_warn|refuse_err|refuse_dev|dev_info|dev_warn|dev_err)\(/)) return RSTART + RLENGTH
		if (match(text, /(^|[^a-z_])panic\(/)) return RSTART + RLENGTH
		if (match(text, /(pr|dev|pci)_(info|notice|dbg|debug)(_ratelimited|_once)?\(/) &&
		    literal(substr(text, RSTART)) ~ /refused|cannot/) return RSTART + RLENGTH
		return 0
	}
	function statement(text,  at) {
		if (text ~ /iommu_liveupdate_refuse\(dev, /) {
			if (literal(text) != "") say("not preserved for live update: " literal(text) ": %pe")
		} else if (text ~ /refuse_device\(/ || (carrier && text ~ /(return|reason =) "/)) {
			if (literal(text) != "") say("cannot be preserved: " literal(text))
		} else if (name == "hwpt_liveupdate.c" && text ~ /reason = "/) {
			say("cannot mark HWPT %u: it " literal(text))
		} else if (at = message(text)) {
			at = literal(substr(text, at))
			# what these say is the reason that they are handed
			if (at ~ /(cannot be preserved: %s|cannot mark HWPT %u: it %s|not preserved for live update: %s: %pe)\\n$/) return
			if (at == "%s refused, %s\\n") {
				say("%s refused, it is preserved"); say("%s refused, it is not finished")
			} else if (at != "" && at !~ /: $/)
				say(at)
		}
	}
	plus && !/^\+/ { next }
	plus && /^\+\+\+ / { skip = /selftests|kunit|mock|\/test/; next }
	plus { $0 = substr($0, 2) }
	skip { next }
	# the functions whose strings are reasons
	/^[A-Za-z].*(device_unsupported|domain_unsupported|unit_supported)\(/ { carrier = 1 }
	/^}/ { carrier = 0; text = "" }
	macro { macro = /\\$/; next }
	/^[ \t]*#/ { macro = /\\$/; next }
	{
		gsub(/\/\*([^*]|\*[^\/])*\*\//, "")
		if (comment) {
			if (!/\*\//) next
			sub(/^.*\*\//, ""); comment = 0
		}
		if (/^[ \t]*\/\*/) { comment = 1; next }
		if (text == "") first = NR
		text = text " " $0
		if ($0 ~ /[;{}:][ \t]*$/) { statement(text); text = "" }
	}' "$1"
}

find "$sources" -name '*.[ch]' >"$tmp/sources"
find "$patches" -name '*.patch' >"$tmp/patches"
{
	grep -vE 'kunit|selftests|/tests?/|test\.[ch]$|mock' "$tmp/sources" | sort |
		while read -r file; do lines "$file" 0; done
	sort "$tmp/patches" | while read -r file; do lines "$file" 1; done
} >"$tmp/lines"
sort -t "$(printf '\t')" -k 2 -u "$tmp/lines"
