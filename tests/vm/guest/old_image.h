/* SPDX-License-Identifier: GPL-2.0 */
/* Images loaded by kexec_load(2), which have no data of KHO. */
#ifndef TESTS_VM_GUEST_OLD_IMAGE_H
#define TESTS_VM_GUEST_OLD_IMAGE_H

/* What prepare_kexec() loads */
void prepare_old_image(void);
/* A single invalid instruction: when it is run the machine is gone. */
int load_image_without_data(void);

#endif
