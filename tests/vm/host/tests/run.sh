#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests of vm-run without a machine: the judge, the sender, and that nothing is left
# when a run is interrupted. Ends with a line "N passed, N failed, N skipped".
set -eu
host=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d /tmp/test-rig.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 skipped=0

pass() { passed=$((passed + 1)); echo "PASS: $1"; }
fail() { failed=$((failed + 1)); echo "FAIL: $1"; }
skip() { skipped=$((skipped + 1)); echo "SKIP: $1"; }

# compile OUTPUT SOURCE...
compile()
{
	output=$1
	shift
	gcc -std=gnu11 -g -O1 -D_GNU_SOURCE -Wall -Wextra -Werror -fsanitize=address,undefined \
		-pthread -I "$host/../include" -I "$host" -o "$output" "$@"
}

# judged TITLE COMMAND... ; adds up what test_rig counts
judged()
{
	title=$1
	shift
	status=0
	"$@" >"$work/out" 2>"$work/err" || status=$?
	grep '^FAIL' "$work/err" || :
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$work/out") || line='0 passed, 1 failed'
	echo "  $title: $line"
	p=${line%% passed*} f=${line#*passed, } f=${f%% failed*}
	passed=$((passed + p)) failed=$((failed + f))
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
		tail -n 20 "$work/err"
		fail "$title ended with status $status"
	fi
}

# wait_until COMMAND... ; five seconds at most
wait_until()
{
	tries=0
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -le 50 ] || return 1
		sleep 0.1
	done
}

ended() { ! kill -0 "$1"; }

# interrupted SIGNAL ; a program that sleeps plays QEMU
interrupted()
{
	title="SIG$1 leaves neither the machine nor its files behind"
	rm -rf "$work/pid" "$work/t"
	mkdir "$work/t"
	TMPDIR=$work/t "$work/vm-run" --qemu "$work/qemu" --old-kernel "$work/qemu" \
		--init "$work/qemu" --output "$work/output" --shared-memory --memory 16 \
		>/dev/null 2>&1 &
	run=$!
	wait_until [ -s "$work/pid" ] || { fail "$title: it did not start"; return; }
	machine=$(cat "$work/pid")
	kill "-$1" "$run"
	wait "$run" 2>/dev/null || :
	if ! wait_until ended "$machine"; then
		kill -KILL "$machine"
		fail "$title: the machine runs"
	# killed like this nobody can tidy up
	elif [ "$1" != KILL ] && [ -n "$(find "$work/t" -mindepth 1)" ]; then
		fail "$title: $(find "$work/t" -mindepth 1)"
	else
		pass "$title"
	fi
}

compile "$work/test_rig" "$host"/tests/test_rig.c "$host"/judge.c "$host"/trace.c \
	"$host"/decoding.c "$host"/updates.c "$host"/memory.c "$host"/firmware.c
export ASAN_OPTIONS=detect_leaks=0
judged "this host's queues" "$work/test_rig"
for length in 10 512; do
	if unshare -n true 2>/dev/null; then
		judged "queues of $length" unshare -n sh -c \
			"echo $length >/proc/sys/net/unix/max_dgram_qlen && exec '$work/test_rig'"
	else
		skip "queues of $length: no network namespace"
	fi
done

compile "$work/vm-run" "$host"/*.c
printf '#!/bin/sh\necho $$ >%s/pid\nexec sleep 1000\n' "$work" >"$work/qemu"
chmod +x "$work/qemu"
for signal in TERM INT HUP KILL; do
	interrupted "$signal"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
