/* SPDX-License-Identifier: GPL-2.0 */
/* What a manifest must be, by code that has nothing of the library's. */
#ifndef TESTS_LIB_JUDGE_H
#define TESTS_LIB_JUDGE_H

#include <stddef.h>

/* Makes the checksum right again, if the header has a length that is there. */
void judge_seal(unsigned char *bytes, size_t length);
/* NULL, or what is not true of one that was accepted */
const char *judge(const unsigned char *bytes, size_t length);

#endif
