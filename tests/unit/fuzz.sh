#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The fuzzers with libFuzzer, one after the other. Called by make fuzz, with O.
#
#   FUZZ_SECONDS          for each, default 0: the first goes on until it is interrupted
set -eu
for fuzzer in "$O"/libfuzzer_*; do
	name=$(basename "$fuzzer")
	mkdir -p "$O/corpus/$name"
	"$fuzzer" -max_len=1024 -max_total_time="${FUZZ_SECONDS:-0}" -artifact_prefix="$O/" "$O/corpus/$name"
done
