#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests of vm-run without a machine: the judge, the sender, what of two logs counts, and
# that nothing is left when a run is interrupted. Ends with a line "N passed, N failed, N skipped".
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
		-pthread -I "$host/../include" -I "$host/../../../examples" -I "$host" -o "$output" "$@"
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

# What the rig wants of every kernel must not go when a scenario has a wish of its own.
options_add_up()
{
	title="options of a scenario come on top of the rig's"
	rm -rf "$work/output"
	mkdir -p "$work/output"
	"$work/vm-run" --qemu "$work/ended" --old-kernel "$work/qemu" --init "$work/qemu" \
		--output "$work/output" --memory 16 --append one=1 --new-append two=2 --append three=3 \
		>/dev/null 2>&1 || :
	if grep -q ' one=1 three=3 ' "$work/output/command"; then
		pass "$title"
	else
		fail "$title: $(cat "$work/output/command")"
	fi
}

# logs TITLE WANTED-STATUS TEXT SED-SCRIPT ; two logs, the second one changed
logs()
{
	sed "$4" "$work/log" >"$work/other"
	status=0
	"$host/../compare-logs.sh" "$work/log" "$work/other" >"$work/out" 2>&1 || status=$?
	if [ "$status" -ne "$2" ] || { [ -n "$3" ] && ! grep -qF -e "$3" "$work/out"; }; then
		fail "logs: $1"
		cat "$work/out"
	else
		pass "logs: $1"
	fi
}

# shellcheck disable=SC2016
compare_logs()
{
	cat >"$work/log" <<-'LOG'
	   0.3100 [    0.000000] Linux version 7.3.4-ordinary
	   0.3200 [    0.000000] Memory: 495596K/523732K available (3434K kernel code)
	   0.3300 [    0.100000] pci 0000:00:04.0: BAR 0 [mem 0xfebf0000-0xfebf3fff 64bit]
	   0.3400 [    0.200000] DMAR: Host address width 39
	   0.3500 [    0.300000] tsc: Fast TSC calibration failed
	   0.3600 [    0.400000] kexec_core: Starting new kernel
	   1.3100 [    0.000000] Linux version 7.3.4-ordinary
	   1.3400 [    0.200000] DMAR: Host address width 39
	   1.3500 [    0.300000] DMAR: Intel(R) Virtualization Technology for Directed I/O
	LOG
	logs "the same" 0 '' ''
	logs "times, measures and a busy host do not count" 0 '' \
		'/Fast TSC/d; s/0\.[0-9]*/9.9999/g; s/495596K/495000K/'
	logs "nor does the order" 0 '' '/BAR 0/{h;d}; /Starting/G'
	logs "a line more" 1 '> 1 kernel 1: DMAR: planted' '/address width/{p;s/Host.*/planted/}'
	logs "a line of live update" 1 'live update: planted' '$a [ 1.0] pci 0000:00:04.0: live update: planted'
	logs "a line less" 1 '< 1 kernel 2: DMAR: Intel(R)' '/Directed/d'
	logs "a line twice" 1 '> 2 kernel 1: kexec_core: Starting' '/Starting/p'
	logs "another address" 1 'febf4000' 's/0xfebf0000/0xfebf4000/'
	logs "another device" 1 '0000:00:05.0' 's/00:04.0/00:05.0/'
	logs "said by another kernel" 1 '> 2 kernel 1: DMAR: Host' \
		'/Starting/i 1.0 [ 0.2] DMAR: Host address width 39
		8d'
	logs "nothing at all" 1 'proves nothing' d
}

compile "$work/test_rig" "$host"/tests/test_rig.c "$host"/judge.c "$host"/trace.c \
	"$host"/decoding.c "$host"/updates.c "$host"/memory.c "$host"/firmware.c \
	"$host"/monitor.c "$host"/stall.c "$host"/disk.c
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

compare_logs

compile "$work/vm-run" "$host"/*.c
printf '#!/bin/sh\necho $$ >%s/pid\nexec sleep 1000\n' "$work" >"$work/qemu"
chmod +x "$work/qemu"
for signal in TERM INT HUP KILL; do
	interrupted "$signal"
done
printf '#!/bin/sh\n' >"$work/ended"
chmod +x "$work/ended"
options_add_up
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
