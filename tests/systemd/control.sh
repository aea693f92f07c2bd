# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Runs as a service below systemd in a container, and writes what it finds to /found. The
# dry run is a stub that ends as /run/refuse says: see run.sh.

found() { echo "$*" >>/found; }
# expect TEXT WANTED GOT
expect()
{
	if [ "$2" = "$3" ]; then found "ok $1"; else found "not ok $1: $3, wanted $2"; fi
}
state() { systemctl show -P ActiveState "$1"; }
pid() { systemctl show -P MainPID "$1"; }
jobs_left() { systemctl list-jobs --no-legend; }

# await STATE UNIT ; each question takes a moment
await()
{
	tries=0
	while [ "$(state "$2")" != "$1" ] && [ "$tries" -lt 2000 ]; do tries=$((tries + 1)); done
	expect "$2 is $1" "$1" "$(state "$2")"
}

# what systemctl kexec comes down to, see its page of manual
kexec() { systemctl start --no-block --job-mode=replace-irreversibly kexec.target; }

# between the end of all jobs and the guard's start there is none
settled() { [ "$(state liveupdate-guard.service)" = active ] && [ -z "$(jobs_left)" ]; }

# called_off WHY ; the dry run as it is now
called_off()
{
	card=$(pid "$CARD") other=$(pid bystander.service)
	kexec
	tries=0
	until settled || [ "$tries" -eq 2000 ]; do tries=$((tries + 1)); done
	expect "$1: the guard is there again" active "$(state liveupdate-guard.service)"
	expect "$1: no job is left" '' "$(jobs_left)"
	expect "$1: the card's service is the same" "$card" "$(pid "$CARD")"
	expect "$1: a service that has nothing to do with it is the same" "$other" "$(pid bystander.service)"
	expect "$1: nothing was stopped" '' "$(cat_file /stopped)"
	expect "$1: the system runs" running "$(systemctl is-system-running)"
}
cat_file() { [ ! -e "$1" ] || while read -r line; do echo "$line"; done <"$1"; }

CARD=nic@0000:02:00.0.service
systemctl start liveupdate-guard.service
expect 'a kernel without live update has no guard' inactive "$(state liveupdate-guard.service)"
# What a kernel of ours has: the guard asks for no more than that it is there.
: >/dev/liveupdate
systemctl start liveupdate-guard.service
await active liveupdate-guard.service
echo 1 >/run/refuse
called_off 'a kexec that would be refused'
echo 3 >/run/refuse
called_off 'a dry run that cannot tell'
echo hang >/run/refuse
called_off 'a dry run that does not end'
echo 1 >/run/refuse
systemctl stop liveupdate-guard.service
expect 'the guard stopped by hand stays so' failed "$(state liveupdate-guard.service)"
expect 'the guard stopped by hand: the system runs' degraded "$(systemctl is-system-running)"
systemctl reset-failed
systemctl start liveupdate-guard.service
: >/run/refuse
found 'ok the dry run is fine now'
kexec
