#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: add.sh STORE KERNEL MEMORY
# Adds the counters that the kernel in the directory KERNEL left in the file MEMORY to
# those in STORE; one at a time. The program is built where the counters are kept.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
store=$1 kernel=${2%/} memory=$3
mkdir -p "$store"
exec 9>"$store/lock"
flock 9
if [ ! -x "$store/counters" ] || [ -n "$(find "$here/counters.c" -newer "$store/counters")" ]; then
	"${CC:-gcc}" -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -o "$store/counters" "$here/counters.c"
fi
"$store/counters" "$kernel" "$memory" "$store/of/$(basename "$kernel")"
