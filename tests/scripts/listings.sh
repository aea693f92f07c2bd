# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2015,SC2016,SC2034,SC2154
# What README.md and docs/ show is executed, or compared with what is executed. Sourced by
# run.sh. Of each listing this knows, without being told:
#
#	$ iommu-liveupdate ...	tests/tool/guide.sh executes it, and compares what it prints
#	iommu-liveupdate ...	the same, only that it is understood
#	make TARGET NAME=...	the target is one of the Makefile, and something asks for the name
#	scripts/..., tests/...	it is there, and so are the scenarios and kernels that it is given
#
# All others are in the file "listings", by page and first line, with the kind_* below that
# looks at it.

LISTINGS=$TOP/tests/scripts/listings
P=$T/listed-pages
mkdir -p "$P/listings"
pages=$(cd "$TOP" && ls README.md docs/*.md)
# shellcheck disable=SC2086
(cd "$TOP" && awk -v into="$P/listings" -f "$LISTINGS/listings.awk" $pages) >"$P/listed"

# entry PAGE FIRST-LINE: what the list says of it
entry()
{
	awk -v page="$1" -v first="$2" '
		/^#/ { next }
		/^[^\t]/ { inside = $0 == page ": " first || $0 == page ": *"; next }
		inside && NF { sub(/^\t/, ""); print }' "$LISTINGS/list"
}
missing() { printf '    %s\n' "$1" >>"$P/complaints"; }

# ---------------------------------------------------------------- commands

# targets MAKEFILE
targets() { sed -n 's/^\([a-z][a-z -]*\):\([^=].*\)\{0,1\}$/\1/p' "$1" | tr ' ' '\n'; }
# asked_for NAME: some Makefile or script looks at the variable
asked_for()
{
	grep -qE "\\\$[({]$1[})/:-]|^[[:space:]]*$1 *\?=" "$TOP/Makefile" "$TOP"/*/Makefile "$TOP"/*/*/Makefile \
		"$TOP"/scripts/*.sh "$TOP"/tests/vm/*.sh
}
# is_make DIRECTORY WORD...: what follows "make"
is_make()
{
	makefile=$TOP/$1/Makefile
	shift
	for word; do
		case $word in
		*=*) asked_for "${word%%=*}" || missing "nothing asks for ${word%%=*}" ;;
		*) targets "$makefile" | grep -qxF -e "$word" || missing "there is no make $word" ;;
		esac
	done
}
# is_kernel NAME: kbuild.sh builds it
is_kernel() { sed -n '/^variant_files()/,/^}/p' "$S/kbuild.sh" | grep -qE "^	([a-z| -]*\| )?$1( \|[a-z| -]*)?\)"; }
# is_script WORD...: a program of the clone, and what it is given
is_script()
{
	[ -x "$TOP/$1" ] || missing "there is no program $1"
	program=$1
	shift
	while [ $# -gt 0 ]; do
		case $program:$1 in
		scripts/env.sh:--debug) ;;
		scripts/env.sh:--kernels)
			for kernel in $2; do is_kernel "$kernel" || missing "there is no kernel $kernel"; done
			shift
			;;
		scripts/env.sh:*) is_script "$@"; return ;;
		tests/vm/run-checks.sh:*)
			grep -q "^$(printf '%s' "$1" | sed 's/\*/.*/g')$" "$T/names" || missing "there is no scenario $1"
			;;
		tests/vm/run-kernel-tests.sh:*)
			grep -qE "\b$1\b" "$TOP/$program" || missing "$program does not know $1"
			;;
		esac
		shift
	done
}
# is_command LINE: false if it is none that is known. What is wrong with it is in complaints.
is_command()
{
	words=$(printf '%s\n' "$1" | sed 's/[[:space:]]#.*//; s/\$([^)]*)//g')
	case $words in
	*' && '*)
		set -- "${words%% && *}" "${words#* && }"
		is_command "$1" && is_command "$2"
		return
		;;
	make\ * | scripts/* | tests/* | iommu-liveupdate\ * | [A-Z]*=*\ scripts/* | [A-Z]*=*\ tests/*) ;;
	*) return 1 ;;
	esac
	# as the shell divides it, but for patterns, of which nothing is there
	eval "set -f; set -- $(printf '%s' "$words" | tr '()<>|;&$`' '_________'); set +f"
	while case ${1:-} in [A-Z]*=*) true ;; *) false ;; esac; do
		asked_for "${1%%=*}" || missing "nothing asks for ${1%%=*}"
		shift
	done
	case ${1:-} in
	make)
		shift
		directory=.
		[ "${1:-}" != -C ] || { directory=$2; shift 2; }
		is_make "$directory" "$@"
		;;
	scripts/* | tests/*) is_script "$@" ;;
	esac
}
# are_commands FILE: all of its lines are
are_commands()
{
	sed -e :a -e '/\\$/N; s/\\\n//; ta' "$1" >"$P/commands"
	while IFS= read -r command; do
		case $command in '' | '#'*) continue ;; esac
		is_command "$command" || return 1
	done <"$P/commands"
}

# ---------------------------------------------------------------- kinds of the list

# kind_compiled LISTING [FILE]: it compiles, within FILE, which includes LISTING, if one is named
kind_compiled()
{
	command -v "${CC:-gcc}" >/dev/null 2>&1 || return 0
	# shellcheck disable=SC2086
	"${CC:-gcc}" -std=gnu11 -fsyntax-only -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-variable \
		-Wno-missing-field-initializers -I "$TOP/include" -I "$TOP/examples" -I "$TOP/lib" \
		-DLISTING="\"$1\"" -x c "${2:+$LISTINGS/}${2:-$1}" >"$P/compiler" 2>&1 ||
		missing "it does not compile: $(sed -n 's/.* error: //p' "$P/compiler" | head -n 1)"
}

# kind_run LISTING FILE: FILE executes it. Of each line of the listing a line of the list has
# a piece that both have, or says why nothing executes it: "- WHY".
kind_run()
{
	[ -f "$TOP/$2" ] || missing "there is no $2"
	sed '/^#/d; /^$/d' "$1" >"$P/lines"
	[ "$(wc -l <"$P/lines")" -eq "$(wc -l <"$P/arguments")" ] || missing 'the list has not a piece for each line'
	while IFS= read -r line <&3 && IFS= read -r piece <&4; do
		case $piece in '- '?*) continue ;; esac
		case $line in *"$piece"*) ;; *) missing "'$piece' is not in '$line'" ;; esac
		grep -qF -e "$piece" "$TOP/$2" || missing "'$piece' is not in $2"
		for word in $line; do
			case $word in examples/*) [ -e "$TOP/$word" ] || missing "there is no $word" ;; esac
		done
		is_command "$line" || :
	done 3<"$P/lines" 4<"$P/arguments"
}

# kind_by LISTING SCENARIO: what the scenario does as a whole
kind_by() { is_scenario "$2" || missing "there is no scenario $2"; }

# kind_keys LISTING FILE: FILE prints these words with a "=", in this order
kind_keys()
{
	shift_keys=$(grep -oE '[a-z_]+=' "$1")
	# shellcheck disable=SC2086
	pattern=$(printf '%s.*' $shift_keys)
	tr '\n' ' ' <"$TOP/$2" | grep -qE "$(sed 's/:.*//' "$1"): [^;]*$pattern" ||
		missing "$2 does not print it"
}

# kind_words LISTING PATH...: each of its words that is not a place-holder is there; kind_names:
# only those that are names of files or of something in C
kind_words() { look_up '[a-z][a-z0-9_./-]{2,}=?' "$@"; }
kind_names() { look_up '[a-z][a-z0-9*]*([_./-][a-z0-9*]+)+' "$@" | grep -v -- '-[a-z-]*$'; }
look_up()
{
	look_for=$1 look_at=$2
	shift 2
	grep -oE "$look_for" "$look_at" | sort -u | while IFS= read -r word; do
		(cd "$TOP" && grep -rqF -e "$word" "$@") || is_kernel_file "$word" || missing "$word is nowhere in $*"
	done
}
is_kernel_file()
{
	# shellcheck disable=SC2231
	for there in "$TOP"/kernel/drivers/$1 "$TOP"/kernel/drivers/*/$1; do [ ! -e "$there" ] || return 0; done
	return 1
}

# kind_generated LISTING SCRIPT TEST: the whole page is made by SCRIPT, and TEST compares
kind_generated()
{
	[ -x "$TOP/$2" ] && grep -q "$2" "$TOP/$3" || missing "$3 does not look at $2"
	generated=$page
}

# kind_demo LISTING SCRIPT: the table of the demo, printed from the values that are in it
kind_demo()
{
	(
		eval "$(sed -n '/^row()/,/^}/p; /^table()/,/^}/p; /^result_line()/,/^}/p' "$TOP/$2")"
		eval "$(sed -n '/^field()/,/^}/p' "$TOP/tests/vm/lib.sh")"
		demo=$P
		head=$(sed -n 1p "$1")
		NIC=${head%%,*} MODE=$(printf '%s' "$head" | cut -d , -f 2) RATE=$(printf '%s' "$head" | cut -d , -f 3)
		MODE=${MODE# } RATE=${RATE%% frames*}
		RATE=${RATE# }
		sed -n "s/^	row '.*' \([a-z_]*\)$/\1/p" "$TOP/$2" >"$P/keys"
		sed '1,2d' "$1" | awk '{ print $(NF - 1), $NF }' >"$P/values"
		for which in yes no; do
			[ $which = yes ] && column=1 || column=2
			printf 'result: %s\n' "$(cut -d ' ' -f "$column" "$P/values" | paste -d = "$P/keys" - | tr '\n' ' ')" >"$P/$which.log"
		done
		table | sed '/^$/d; /^old kernel/d; /^new kernel/d; s/ *$//'
	) >"$P/table" 2>&1
	sed 's/ *$//' "$1" | diff - "$P/table" >"$P/difference" || missing "$2 prints another table: $(sed -n 2p "$P/difference")"
}

# kind_notes LISTING: its command, on a file with such notes
kind_notes()
{
	command -v as >/dev/null 2>&1 && command -v readelf >/dev/null 2>&1 || return 0
	{
		echo '.section .notes, "a", @note'
		for text in kho-v4 ilu-iommu-v1; do
			printf '.long 11, %d, 1\n.asciz "liveupdate"\n.balign 4\n.asciz "%s"\n.balign 4\n' $((${#text} + 1)) "$text"
		done
	} | as -o "$P/vmlinux" -
	(cd "$P" && eval "$(sed -n '1s/^\$ //p' "$1")") | sed 's/\[ *[0-9a-f]*\]/[]/; s/  */ /g' >"$P/printed"
	sed '1d; /^ *\.\.\.$/d; s/\[ *[0-9a-f]*\]/[]/; s/  */ /g' "$1" | while IFS= read -r line; do
		grep -qxF -e "$line" "$P/printed" || missing "it does not print '$line'"
	done
}

# ---------------------------------------------------------------- all of them

# look_at N PAGE FIRST-LINE
look_at()
{
	listing=$P/listings/$1
	entry "$2" "$3" >"$P/entry"
	if [ -s "$P/entry" ]; then
		sed 1d "$P/entry" >"$P/arguments"
		# shellcheck disable=SC2046
		set -- "$listing" $(head -n 1 "$P/entry")
		kind=$2
		shift 2
		case $kind in
		compiled | run | keys | by | words | names | generated | demo | notes) "kind_$kind" "$listing" "$@" ;;
		*) missing "there is no kind '$kind'" ;;
		esac
		return
	fi
	case $3 in '$ iommu-liveupdate'*) return ;; esac
	are_commands "$listing" ||
		missing 'nothing says how this is tested: say so in tests/scripts/listings/list, see listings.sh'
}

begin 'listings: each is executed, or compared with what is'
: >"$P/wrong"
generated=
while IFS= read -r found; do
	: >"$P/complaints"
	number=${found%%	*} found=${found#*	}
	page=${found%%	*} found=${found#*	}
	at=${found%%	*}
	[ "$page" != "$generated" ] || continue
	look_at "$number" "$page" "${found#*	}"
	sed "s|^ *|    $page:$at: |" "$P/complaints" >>"$P/wrong"
done <"$P/listed"
bad=$(cat "$P/wrong")
: >"$T/err"
[ "$(wc -l <"$P/listed")" -gt 60 ] || bad="$bad
    only $(wc -l <"$P/listed") were found"
bad=${bad:+
$bad}
end
command -v "${CC:-gcc}" >/dev/null 2>&1 || {
	skipped=$((skipped + 1))
	echo 'SKIP: listings: those in C compile: there is no compiler'
}

begin 'listings: the list has no others'
grep '^[^#	]' "$LISTINGS/list" | while IFS= read -r known; do
	awk -F '\t' -v known="$known" 'known == $2 ": " $4 || known == $2 ": *" { found = 1 } END { exit !found }' "$P/listed" ||
		printf '    %s\n' "$known"
done >"$P/wrong"
expect "$(cat "$P/wrong")" '' 'no listing begins like this'
end

# in_prose PAGE: what stands between backquotes outside of listings
in_prose() { awk '/^```/ { fenced = !fenced; next } !fenced && !/^    /' "$1" | quoted; }

begin 'listings: commands in the text are there as well'
: >"$P/wrong"
cat "$TOP/Makefile" "$TOP"/*/Makefile "$TOP"/*/*/Makefile >"$P/makefiles"
targets "$P/makefiles" | sort -u >"$P/targets"
for page in $pages; do
	in_prose "$TOP/$page" | sed -n 's/^make \(.*\)/\1/p' | sed 's/-C [^ ]*//; s/\\//g' | while read -r words; do
		for word in $words; do
			case $word in
			[A-Z]*=*) asked_for "${word%%=*}" || echo "$page: make ... $word" ;;
			[a-z]*) grep -qxF -e "$word" "$P/targets" || echo "$page: make $word" ;;
			esac
		done
	done
	in_prose "$TOP/$page" | grep -oE '^(scripts|tests|examples|lib|man|system|debian|docs|tools/iommu-liveupdate)/[a-zA-Z0-9_./@-]*$' |
		while read -r path; do [ -e "$TOP/$path" ] || [ -e "$TOP/$path.c" ] || echo "$page: $path"; done
done >"$P/wrong"
expect "$(cat "$P/wrong")" '' 'not there'
end

begin 'docs: what a page refers to is there'
for page in $pages; do
	grep -oE '\]\([^)# ]+' "$TOP/$page" | sed 's/^](//' | grep -v '^[a-z]*:' | while read -r path; do
		[ -e "$TOP/$(dirname "$page")/$path" ] || echo "$page: $path"
	done
done >"$P/wrong"
expect "$(cat "$P/wrong")" '' 'not there'
end
