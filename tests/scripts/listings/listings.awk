# SPDX-License-Identifier: GPL-2.0
# usage: awk -v into=DIRECTORY -f listings.awk PAGE...
# Puts each listing of the pages, fenced or indented, into a file of its own, DIRECTORY/N,
# without its indentation, and tells of each: N, page, line, and its first line that is not
# empty, with tabs between.

function begin(line) { n++; at = line; first = ""; text = "" }
function add(line) { if (first == "") first = line; text = text line "\n" }
function end()
{
	if (!at)
		return
	sub(/\n+$/, "\n", text)
	printf "%s", text >(into "/" n)
	close(into "/" n)
	printf "%d\t%s\t%d\t%s\n", n, page, at, first
	at = 0
}

FNR == 1 { end(); page = FILENAME; fenced = 0; before = "" }
/^ *```/ {
	end()
	fenced = !fenced
	if (fenced)
		begin(FNR)
	next
}
fenced { add($0); next }
# It begins behind an empty line or a comment, and goes on through empty ones.
/^    / && (at || before == "" || before ~ /^<!--.*-->$/) {
	if (!at)
		begin(FNR)
	add(substr($0, 5))
	before = $0
	next
}
/^$/ && at { add(""); before = ""; next }
{ end(); before = $0 }
END { end() }
