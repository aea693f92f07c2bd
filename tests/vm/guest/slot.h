/* SPDX-License-Identifier: GPL-2.0 */
/* The slots of vm-run --hotplug: what is taken out of them and put into them. */
#ifndef TESTS_VM_GUEST_SLOT_H
#define TESTS_VM_GUEST_SLOT_H

#include <stdbool.h>

/* Without --hotplug: the function is still in its slot, and does not answer any more. */
void slot_switch_off(const char *bdf);
/*
 * With it: the card is pulled out of its slot, it and all that is below it are gone,
 * and the kernel hears of it afterwards.
 */
void slot_pull(const char *bdf);
/* Out of the slot above: the port that the function is below goes with it. */
void slot_pull_above(const char *bdf);
/* The host puts a card in, with frames of this netdev, if not "". */
void slot_plug(const char *card, const char *slot, const char *netdev);

bool function_is_there(const char *bdf);
/* Whether the kernel has got so far within ten seconds. */
bool function_comes(unsigned int vendor, unsigned int device, char *bdf);
bool function_goes(const char *bdf);

#endif
