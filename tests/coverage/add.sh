#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: COVERAGE=STORE add.sh KERNEL MEMORY [PLACE]
# Adds the counters that KERNEL, a bzImage or its directory, left in the file MEMORY to
# those in STORE; one at a time. PLACE is where it is in there; without it the first
# that is found is taken. The program is built where the counters are kept.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
store=${COVERAGE:?a directory for the counters} kernel=${1%/arch/x86/boot/bzImage}
kernel=${kernel%/} memory=$2
mkdir -p "$store"
exec 9>"$store/lock"
flock 9
if [ ! -x "$store/counters" ] || [ -n "$(find "$here/counters.c" -newer "$store/counters")" ]; then
	"${CC:-gcc}" -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -o "$store/counters" "$here/counters.c"
fi
"$store/counters" "$kernel" "$memory" "$store/of/$(basename "$kernel")" "${3:-}"
