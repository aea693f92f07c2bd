# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154
# What docs/operators-guide.md shows is what the command prints: each line that begins with
# "    $ iommu-liveupdate" is executed, on the machine that the comment before it prepares,
#
#   <!-- machine: SHELL WITH THE FUNCTIONS OF machine.sh -->
#
# and what follows it has to be what comes out of it. Sourced by run.sh. What the page
# should be is left in $O/operators-guide.md.

guide=$TOP/docs/operators-guide.md
mkdir -p "$O/bin"
ln -sf "$tool" "$O/bin/iommu-liveupdate"

# shown FILE: the page with what is printed
shown()
{
	printed=0
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'<!-- machine: '*)
			machine_code=${line#<!-- machine: }
			eval "machine; ${machine_code% -->}"
			;;
		'    $ iommu-liveupdate'*)
			printf '%s\n' "$line"
			( PATH=$O/bin:$PATH; eval "${line#    \$ }" ) 2>/dev/null </dev/null | sed 's/^/    /; s/ *$//'
			printed=1
			continue
			;;
		'    '*) [ "$printed" = 0 ] || continue ;;
		esac
		printed=0
		printf '%s\n' "$line"
	done <"$1"
}

begin 'what the guide shows is what the command prints'
shown "$guide" >"$O/operators-guide.md"
diff "$guide" "$O/operators-guide.md" >"$O/out" 2>&1 || wrong 'it shows something else'
shown_commands=$(grep -c '^    \$ iommu-liveupdate' "$guide")
[ "$shown_commands" -ge 10 ] || wrong "it shows $shown_commands commands"
end
echo "$shown_commands commands of the guide"
