#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Live updates in a row in one machine, over the same device and memory, the old
# and the new kernel in turn: N=10 MODE=legacy|sm-ss|sm-fs NIC=igb|e1000e CPUS=1|2
# RATE=frames per second.  Ends with a line
#   chain: updates=N lost=N faults=N warnings=N pages_leaked=N
set -eu
here=$(cd "$(dirname "$0")" && pwd)
N=${N:-10} MODE=${MODE:-legacy} NIC=${NIC:-igb} CPUS=${CPUS:-1}
# one minute for each, and what a single run gets
TIMEOUT=${TIMEOUT:-$((180 + N * 60))}
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
: "${KERNEL_OLD:?bzImage}" "${KERNEL_NEW:?bzImage}"
[ "$N" -ge 2 ] || { echo "a chain has at least two updates: N=2" >&2; exit 2; }

vm_run "chain-$MODE-$NIC-$CPUS" "$KERNEL_OLD" "$KERNEL_NEW" --script chain --updates "$N" \
	--mode "$MODE" --nic "$NIC" --cpus "$CPUS"
