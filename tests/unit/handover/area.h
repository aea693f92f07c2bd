/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_UNIT_HANDOVER_AREA_H
#define TESTS_UNIT_HANDOVER_AREA_H

#include <linux/kho/abi/memfd.h>

#include "kernel/liveupdate/kho_vmalloc_check.h"
#include "mm/memfd_luo_check.h"

/* A vmalloc area as kho_preserve_vmalloc() hands it over; the memory is cleared before. */
struct kho_vmalloc area_new(unsigned int blocks, unsigned int order);

#endif
