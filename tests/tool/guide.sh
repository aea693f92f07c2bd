# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154
# What README.md and docs/ show of the command is what it does. Each line that begins with
# "    $ iommu-liveupdate" is executed, on the machine that the comment before it prepares,
#
#   <!-- machine: SHELL WITH THE FUNCTIONS OF machine.sh -->
#
# and what follows it has to be what comes out of it. What begins without the "$" has to be
# understood, and what stands in the text has to exist. Sourced by run.sh. What a page should
# be is left in $O/pages.

rm -rf "$O/pages"
mkdir -p "$O/bin" "$O/pages"
ln -sf "$tool" "$O/bin/iommu-liveupdate"

# shown FILE: the page with what is printed. Commands that are only named are in $O/named.
shown()
{
	printed=0
	: >"$O/named"
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'<!-- machine: '*)
			machine_code=${line#<!-- machine: }
			eval "machine; ${machine_code% -->}"
			;;
		'    $ iommu-liveupdate'*)
			printf '%s\n' "$line"
			# whatever it finds it says, and ends with one of its codes
			( PATH=$O/bin:$PATH; eval "${line#    \$ }" ) 2>/dev/null </dev/null >"$O/said"
			status=$?
			sed 's/^/    /; s/ *$//' "$O/said"
			[ "$status" -lt 6 ] || echo "    it ends with status $status"
			printed=1
			continue
			;;
		'    '*)
			[ "$printed" = 0 ] || continue
			printf '%s\n' "$line" | grep '^    iommu-liveupdate ' >>"$O/named"
			;;
		esac
		printed=0
		printf '%s\n' "$line"
	done <"$1"
}

# understood LINE: each of its commands that is ours
understood()
{
	printf '%s\n' "$1" | sed 's/ && /\n/g' | grep '^ *iommu-liveupdate ' | while IFS= read -r command; do
		machine
		( PATH=$O/bin:$PATH; eval "$command" ) >"$O/out" 2>"$O/err" </dev/null
		[ $? -ne 2 ] || printf '%s: %s\n' "$command" "$(cat "$O/err")"
	done
}

# in_text FILE: what stands between backquotes, and is a call of the command
in_text()
{
	awk '/^```/ { fenced = !fenced; next } !fenced && !/^    /' "$1" | tr '\n' ' ' |
		awk -v RS='`' 'NR % 2 == 0' | sed -n 's/^iommu-liveupdate \(.*\)/\1/p'
}

# exists WORD...: options, an object, a command of it; place-holders and files may follow
exists()
{
	object='' command=''
	for word; do
		case $word in
		-*)
			{ "$tool" help; [ -z "$object" ] || "$tool" "$object" help; } >"$O/help" 2>/dev/null
			grep -q -e "[[ ]${word%%=*}\>" "$O/help" || echo "there is no $word"
			;;
		[a-z]*)
			if [ -z "$object" ]; then
				object=$word
				"$tool" "$object" help >/dev/null 2>&1 || { echo "there is no $word"; return; }
			elif [ -z "$command" ]; then
				command=$word
				"$tool" "$object" help >"$O/help"
				grep -q "^  $object $word\>" "$O/help" || echo "there is no $object $word"
			fi
			;;
		esac
	done
}

shown_commands=0
for page in "$TOP/README.md" "$TOP"/docs/*.md; do
	begin "$(basename "$page"): what it shows of the command is what the command does"
	: >"$O/out"; : >"$O/err"
	machine
	shown "$page" >"$O/pages/$(basename "$page")"
	diff "$page" "$O/pages/$(basename "$page")" >"$O/difference" 2>&1 || wrong "it shows something else: $(cat "$O/difference")"
	shown_commands=$((shown_commands + $(grep -c '^    \$ iommu-liveupdate' "$page")))
	while IFS= read -r line; do
		said=$(understood "${line#    }")
		[ -z "$said" ] || wrong "$said"
	done <"$O/named"
	# shellcheck disable=SC2046,SC2086
	said=$(in_text "$page" | while read -r words; do exists $words; done)
	[ -z "$said" ] || wrong "in the text: $said"
	end
done
begin 'some commands are shown'
[ "$shown_commands" -ge 15 ] || wrong "there are $shown_commands"
end
echo "$shown_commands commands of README.md and docs/"
