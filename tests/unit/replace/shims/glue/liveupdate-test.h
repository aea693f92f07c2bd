/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Only make coverage compiles sources that have the switches of tests/kernel/. None is
 * on here: what they leave out is tried in tests/vm.
 */
#ifndef _SHIM_GLUE_LIVEUPDATE_TEST_H
#define _SHIM_GLUE_LIVEUPDATE_TEST_H

#define intel_liveupdate_test(name)	false

#endif
