// SPDX-License-Identifier: GPL-2.0
/*
 * A card that has ATS goes through a live update with ATS off: the old kernel is
 * told not to use it (pci=noats), the next one is not.  The running card must not
 * get another set of rules under its feet, so nobody writes to its ATS, PRI and
 * PASID capabilities until it is found anew.  The host sees that in the trace,
 * this looks at the control word.
 */
#include "events.h"
#include "function.h"
#include "machine.h"
#include "scenarios.h"
#include "vmm.h"

#define MEMORY			(4ul << 20)

#define ATS_CONTROL		6	/* from the capability on */
#define ATS_CONTROL_ENABLE	0x8000

static void find_card(char *bdf)
{
	ats_card_find(bdf);
	check(pci_find_extended(bdf, PCI_EXTENDED_ATS), "the card has ATS");
}

static __u16 ats_control(const char *bdf)
{
	__u16 control = 0;

	must(pci_config_read(bdf, pci_find_extended(bdf, PCI_EXTENDED_ATS) + ATS_CONTROL,
			     &control, sizeof(control)), "read the ATS control word");
	return control;
}

static void expect_untouched(const char *bdf, const char *when)
{
	check(!ats_control(bdf), "ATS control word %s: 0x%04x, wanted 0", when, ats_control(bdf));
}

/* Memory, a space and the card, which has nothing to do */
static void set_up(struct ilu *ilu, const char *bdf)
{
	struct ilu_memory *memory = ilu_memory_create(ilu, "memory", MEMORY, NULL);
	struct ilu_space *space = ilu_space_create(ilu, "dma");
	struct ilu_device *card;

	must_ilu(ilu, !memory || !space, "memory and space");
	must_ilu(ilu, ilu_map(space, RING_IOVA, memory, 0, MEMORY, ILU_MAP_RW), "map");
	card = ilu_device_open(ilu, "nic", bdf, space);
	must_ilu(ilu, !card, "open the card");
	must_ilu(ilu, ilu_device_allow_dma(card), "let the card master the bus");
}

static void begin(struct vmm *vmm)
{
	vmm_begin(vmm);
	find_card(vmm->bdf);
}

static void open_session(struct vmm *vmm)
{
	must(pci_bind_vfio(vmm->bdf), "bind vfio-pci to the virtio card");
	must_ilu(vmm->ilu, ilu_session_open(vmm->ilu, SESSION_NAME), "open the session");
}

void ats_off_old_kernel(void)
{
	struct vmm vmm;

	begin(&vmm);
	vmm_load_kernel(vmm.ilu);
	open_session(&vmm);
	report_preserved_function(vmm.bdf, "device");
	set_up(vmm.ilu, vmm.bdf);
	vmm_preserve(&vmm);
	expect_untouched(vmm.bdf, "when preserved");
	vmm_jump(&vmm);
}

/* What is found now has not gone on with anything.  In scalable mode ATS comes on at once. */
static void find_anew(const char *bdf)
{
	function_write(bdf, "remove", "1");
	must(write_file("/sys/bus/pci/rescan", "1"), "rescan");
	if (option_number("ats", 0))
		check(ats_control(bdf) & ATS_CONTROL_ENABLE, "ATS is used by the card found anew");
}

void ats_off_new_kernel(void)
{
	struct vmm vmm;

	begin(&vmm);
	expect_untouched(vmm.bdf, "at the start");
	open_session(&vmm);
	expect_untouched(vmm.bdf, "with a driver");
	vmm_take_device(&vmm);
	expect_untouched(vmm.bdf, "when reclaimed");
	vmm_switch(&vmm);
	expect_untouched(vmm.bdf, "after the switch");
	vmm_finish(&vmm);
	expect_untouched(vmm.bdf, "after the finish");
	ilu_free(vmm.ilu);
	find_anew(vmm.bdf);
}
