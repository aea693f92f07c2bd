/* SPDX-License-Identifier: GPL-2.0 */
/* the seals are copied, see linux/kho/abi/memfd.h */
