# SPDX-License-Identifier: GPL-2.0
# usage: awk -v programs="tar nm ..." -f pipes.awk SCRIPT...
# A pipe has the status of its last command alone, for dash knows no pipefail. Prints each
# command, FILE:LINE: COMMAND, that is one of the programs and whose output goes into a pipe:
# what it says before it fails would be taken for all that there is.
# Looked at are lines, not the grammar: one that goes on in the next one is one with it, and
# what stands between single quotes, in a comment or in a here-document, is none.

# "if ! A=b nm file" is nm. A name may be a variable: "$tool".
function name_of(command) {
	sub(/^[ \t]+/, "", command)
	while (match(command, /^(!|if|then|elif|else|while|until|do|[A-Za-z_][A-Za-z_0-9]*=[^ \t]*)([ \t]+|$)/))
		command = substr(command, RLENGTH + 1)
	sub(/[ \t].*/, "", command)
	gsub(/["}]/, "", command)
	return command
}

function look(all,  commands, parts, n, m, i, j) {
	# what is before a pipe ends at none of these
	gsub(/\|\||&&|;;|\$\(|\(|\{ |;[ \t]+/, "\n", all)
	gsub(/\n[ \t]*[})]+/, "", all)
	n = split(all, commands, "\n")
	for (i = 1; i <= n; i++) {
		m = split(commands[i], parts, "|")
		for (j = 1; j < m; j++)
			if (name_of(parts[j]) in wanted)
				printf "%s:%d: %s\n", FILENAME, first, name_of(parts[j])
	}
}

BEGIN {
	n = split(programs, list, " ")
	for (i = 1; i <= n; i++)
		wanted[list[i]] = 1
}
FNR == 1 { here = "" }
here != "" {
	if ($0 == here)
		here = ""
	next
}
match($0, /<<['"]?[A-Za-z_]+/) {
	here = substr($0, RSTART + 2, RLENGTH - 2)
	sub(/^['"]/, "", here)
}
{
	gsub(/'[^']*'/, "Q")
	sub(/(^|[ \t])#.*/, "")
	if (whole == "")
		first = FNR
	whole = whole " " $0
	if (sub(/\\$/, "", whole) || whole ~ /\|[ \t]*$/)
		next
	look(whole)
	whole = ""
}
