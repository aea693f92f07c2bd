/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The manifest: what went along, for the next kernel's instance of the library. It
 * is bytes in a memfd that is preserved with the rest, under a token that is reserved
 * for it. Little-endian, records of fixed size, in this order:
 *
 *	header
 *	memories	name, token, length
 *	spaces		name, token of the iommufd
 *	maps		of which space and memory, iova, offset, length, flags
 *	devices		name, address, ids, serial number, token, space
 *	blobs		name, token, length; of two of a name the last one counts
 *
 * Blobs come last so that one can be added in place: first the record, behind what
 * counts so far, then the header in one piece. Whoever dies in between has added
 * nothing. One checksum covers it all.
 *
 * Nothing here calls the system, allocates or changes what it checks.
 */
#ifndef ILU_MANIFEST_H
#define ILU_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "iommu-liveupdate.h"

#define ILU_MANIFEST_VERSION	1u
#define ILU_MANIFEST_LONGEST	(256u << 10)

#define ILU_HEADER_SIZE		64u
#define ILU_MEMORY_SIZE		80u
#define ILU_SPACE_SIZE		72u
#define ILU_MAP_SIZE		40u
#define ILU_DEVICE_SIZE		112u
#define ILU_BLOB_SIZE		80u

/* So many can be added after ilu_preserve(), at least. */
#define ILU_BLOB_ROOM		64u

/*
 * Tokens of files in the session. Those of the library have a prefix, so that a
 * program can preserve files of its own in the same session under small numbers.
 */
#define ILU_TOKEN_MANIFEST	0x494c550000000000ull	/* "ILU" */
#define ILU_TOKEN_FIRST		(ILU_TOKEN_MANIFEST + 1)

struct ilu_counts {
	uint32_t memories, spaces, maps, devices, blobs;
};

/* One that was checked, or is being written. */
struct ilu_manifest {
	uint8_t *bytes;
	size_t size;		/* of what counts */
	uint64_t generation;
	struct ilu_counts nr;
};

struct ilu_memory_record {
	char name[ILU_NAME_MAX + 1];
	uint64_t token, length;
};

struct ilu_space_record {
	char name[ILU_NAME_MAX + 1];
	uint64_t iommufd_token;	/* the same in all of them; 0: no device uses it */
};

struct ilu_map_record {
	uint64_t iova, offset, length;
	uint32_t space, memory, flags;
};

#define ILU_BDF_SIZE		16
#define ILU_HAS_SERIAL		(1u << 0)

struct ilu_ids {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t flags;
	uint64_t serial;	/* with ILU_HAS_SERIAL */
};

struct ilu_device_record {
	char name[ILU_NAME_MAX + 1];
	char bdf[ILU_BDF_SIZE];	/* for people; "" if it is not known */
	struct ilu_ids ids;
	uint32_t space;
	uint64_t token;
};

struct ilu_blob_record {
	char name[ILU_NAME_MAX + 1];
	uint64_t token, length;
};

/* Of a manifest with so many records. */
size_t ilu_manifest_size(const struct ilu_counts *nr);

/*
 * Looks at all bytes, and believes none of them before. 0, -EBADMSG if it is damaged,
 * -EPROTONOSUPPORT if it is newer.
 */
int ilu_manifest_check(struct ilu_manifest *manifest, const void *bytes, size_t length);
/* The length of all of it, by its header, which is not checked otherwise: or as above. */
int ilu_manifest_header(const uint8_t header[ILU_HEADER_SIZE], size_t *length);

/* Of one that was checked; number below its count. */
void ilu_manifest_memory(const struct ilu_manifest *manifest, uint32_t number,
			 struct ilu_memory_record *record);
void ilu_manifest_space(const struct ilu_manifest *manifest, uint32_t number,
			struct ilu_space_record *record);
void ilu_manifest_map(const struct ilu_manifest *manifest, uint32_t number,
		      struct ilu_map_record *record);
void ilu_manifest_device(const struct ilu_manifest *manifest, uint32_t number,
			 struct ilu_device_record *record);
void ilu_manifest_blob(const struct ilu_manifest *manifest, uint32_t number,
		       struct ilu_blob_record *record);

/* Into bytes of ilu_manifest_size(), whose counts stand in the manifest. */
void ilu_manifest_put_memory(struct ilu_manifest *manifest, uint32_t number,
			     const struct ilu_memory_record *record);
void ilu_manifest_put_space(struct ilu_manifest *manifest, uint32_t number,
			    const struct ilu_space_record *record);
void ilu_manifest_put_map(struct ilu_manifest *manifest, uint32_t number,
			  const struct ilu_map_record *record);
void ilu_manifest_put_device(struct ilu_manifest *manifest, uint32_t number,
			     const struct ilu_device_record *record);
void ilu_manifest_put_blob(struct ilu_manifest *manifest, uint32_t number,
			   const struct ilu_blob_record *record);
/* The header, with size and checksum: last. */
void ilu_manifest_seal(struct ilu_manifest *manifest);

#endif
