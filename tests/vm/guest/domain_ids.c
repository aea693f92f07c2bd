// SPDX-License-Identifier: GPL-2.0
/*
 * As long as the running card is not taken back, its domain id is given to no
 * domain of the next kernel: neither at boot, nor to a program that makes one
 * page table after the other for the spare card. Once it is finished, the id is
 * free for all.
 *
 * And where there is no id beside that of the old page table, the running card stays
 * where it is, while an ordinary one is blocked first, as ever, and gets it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "scenarios.h"
#include "wayback.h"

#define TABLES		"/sys/kernel/debug/iommu/intel/dmar_translation_struct"
#define HWPTS		32
#define ENTRIES		64
#define NO_REPLACE_ID	"/sys/module/iommu_liveupdate_test/parameters/no_replace_id"

struct entry {
	unsigned int bus, slot, function, domain_id;
};

/* B.D.F, root entry, context entry, PASID, PASID entry; high words first. */
static bool parse_entry(const char *line, struct entry *entry)
{
	unsigned long long context, pasid_entry;
	int pasid;

	if (sscanf(line, "%x:%x.%x %*[^ \t] 0x%llx:%*[^ \t] %d %*[^:]:0x%llx", &entry->bus,
		   &entry->slot, &entry->function, &context, &pasid, &pasid_entry) != 6)
		return false;
	/* Without scalable mode there is no PASID, and the id is in the context entry. */
	entry->domain_id = (pasid < 0 ? context >> 8 : pasid_entry) & 0xffff;
	return true;
}

static int read_entries(struct entry *entries)
{
	char line[256];
	int count = 0;
	FILE *file = fopen(TABLES, "r");

	if (!file)
		give_up("%s: %m", TABLES);
	while (count < ENTRIES && fgets(line, sizeof(line), file))
		count += parse_entry(line, &entries[count]);
	fclose(file);
	return count;
}

static bool is_of(const struct entry *entry, const char *bdf)
{
	char name[BDF_LENGTH];

	snprintf(name, sizeof(name), "%02x:%02x.%x", entry->bus, entry->slot, entry->function);
	return !strcmp(name, bdf + strlen("0000:"));
}

static unsigned int domain_id_of(const char *bdf)
{
	struct entry entries[ENTRIES];
	int count = read_entries(entries);

	for (int i = 0; i < count; i++)
		if (is_of(&entries[i], bdf))
			return entries[i].domain_id;
	give_up("%s is not attached", bdf);
}

static void expect_sole_owner(const char *bdf, unsigned int domain_id)
{
	struct entry entries[ENTRIES];
	int count = read_entries(entries), others = 0;

	for (int i = 0; i < count; i++)
		others += entries[i].domain_id == domain_id && !is_of(&entries[i], bdf);
	check(count > 1 && !others, "domain id %u is in %d of the other %d entries", domain_id,
	      others, count - 1);
}

static unsigned int attach_another(struct device *device)
{
	__u32 ioas, hwpt;

	must(ioas_create(device->iommufd, 0, &ioas), "create IOAS");
	must(hwpt_create(device, ioas, &hwpt), "create HWPT");
	must(device_attach(device, hwpt), "attach");
	return domain_id_of(device->bdf);
}

/* Each has an id only as long as the card is on it: also detached in between. */
static int count_given_out(struct device *device, unsigned int domain_id)
{
	int given = 0;

	for (int i = 0; i < HWPTS; i++) {
		given += attach_another(device) == domain_id;
		if (i % 4 == 3)
			must(device_detach(device), "detach");
	}
	return given;
}

static void open_spare(struct device *device)
{
	struct receiver spare;
	char bdf[BDF_LENGTH];

	receiver_choose(&spare);
	receiver_find_device(&spare, 1, bdf);
	must(device_open(device, bdf, must(iommufd_open(), "open iommufd")),
	     "open the spare card");
}

void domain_ids_new_kernel(void)
{
	struct receiver receiver;
	struct device spare;
	struct way_back back;
	unsigned int recorded;
	int given;

	back_begin(&back, &receiver);
	recorded = domain_id_of(back.bdf);
	expect_sole_owner(back.bdf, recorded);
	open_spare(&spare);
	given = count_given_out(&spare, recorded);
	check(!given, "domain id %u was given to %d of %d new domains", recorded, given, HWPTS);
	back_go_to(&back, BACK_SWITCH);
	given = count_given_out(&spare, recorded);
	check(!given, "domain id %u was given to %d of %d new domains", recorded, given, HWPTS);
	expect_sole_owner(back.bdf, recorded);
	back_take(&back, BACK_SWITCH);
	back_take(&back, BACK_FINISH);
	given = count_given_out(&spare, recorded);
	/* Else it would prove little that it was not given out before. */
	check(given, "domain id %u, finished, was given to %d of %d new domains", recorded, given,
	      HWPTS);
	device_close(&spare);
	close(spare.iommufd);
	back_end(&back);
}

void no_replace_id_new_kernel(void)
{
	struct receiver receiver;
	struct device spare;
	struct way_back back;

	back_begin(&back, &receiver);
	open_spare(&spare);
	attach_another(&spare);
	back_go_to(&back, BACK_SWITCH);
	must(write_file(NO_REPLACE_ID, "1"), "test option");
	check_errno(device_attach(&receiver.device, receiver.hwpt_id), ENOSPC,
		    "switch without a domain id");
	attach_another(&spare);
	must(write_file(NO_REPLACE_ID, "0"), "end of the test option");
	device_close(&spare);
	close(spare.iommufd);
	back_complete(&back, BACK_SWITCH);
	back_end(&back);
}
