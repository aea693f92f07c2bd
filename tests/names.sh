# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Of the scripts that take names of tests. To be sourced.

# wanted NAME [PATTERN...]: without a pattern each one is
wanted()
{
	wanted_name=$1
	shift
	[ $# -gt 0 ] || return 0
	for pattern; do
		# shellcheck disable=SC2254
		case $wanted_name in $pattern) return 0 ;; esac
	done
	return 1
}
