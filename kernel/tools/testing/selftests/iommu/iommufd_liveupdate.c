// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, as far as it can be tested without
 * preserving the iommufd: the mock IOMMU cannot be preserved, as it has no
 * callbacks for that.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#define __EXPORTED_HEADERS__
#include "iommufd_utils.h"

/* All 64 bits count */
#define TOKEN		0x100000001ULL
#define LOW_TOKEN	0x1ULL

static __attribute__((constructor)) void setup_buffer(void)
{
	PAGE_SIZE = sysconf(_SC_PAGE_SIZE);
	BUFFER_SIZE = PAGE_SIZE;

	/* Not mapped by any test, but teardown looks for references to it */
	mfd_buffer = memfd_mmap(BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				&mfd);
	assert(mfd_buffer != MAP_FAILED);
	buffer = mfd_buffer;
}

static int _test_cmd_mark(int fd, __u32 hwpt_id, __u64 token)
{
	struct iommu_hwpt_liveupdate_mark_preserve cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt_id,
		.hwpt_token = token,
	};

	return ioctl(fd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &cmd);
}

#define test_cmd_mark(hwpt_id, token) \
	ASSERT_EQ(0, _test_cmd_mark(self->fd, hwpt_id, token))
#define test_err_mark(_errno, hwpt_id, token) \
	EXPECT_ERRNO(_errno, _test_cmd_mark(self->fd, hwpt_id, token))

FIXTURE(mark)
{
	int fd;
	uint32_t ioas_id;
	uint32_t stdev_id;
	uint32_t auto_hwpt_id;
	uint32_t device_id;
	uint32_t hwpt_id;
};

FIXTURE_SETUP(mark)
{
	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);

	/* Without CONFIG_IOMMU_LIVEUPDATE the ioctl does not exist */
	if (_test_cmd_mark(self->fd, 0, 0) && errno == ENOTTY)
		SKIP(return, "Kernel has no CONFIG_IOMMU_LIVEUPDATE");

	test_ioctl_ioas_alloc(&self->ioas_id);
	test_cmd_mock_domain(self->ioas_id, &self->stdev_id,
			     &self->auto_hwpt_id, &self->device_id);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &self->hwpt_id);
}

FIXTURE_TEARDOWN(mark)
{
	teardown_iommufd(self->fd, _metadata);
}

TEST_F(mark, length)
{
	struct {
		struct iommu_hwpt_liveupdate_mark_preserve cmd;
		uint8_t extra;
	} cmd = {};
	const size_t min = offsetofend(struct iommu_hwpt_liveupdate_mark_preserve,
				       hwpt_token);

	cmd.cmd.hwpt_id = self->hwpt_id;
	cmd.cmd.hwpt_token = TOKEN;

	cmd.cmd.size = min - 1;
	EXPECT_ERRNO(EINVAL,
		     ioctl(self->fd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &cmd));

	cmd.cmd.size = sizeof(cmd.cmd) + 1;
	cmd.extra = UINT8_MAX;
	EXPECT_ERRNO(E2BIG,
		     ioctl(self->fd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &cmd));

	/* Neither has marked it, and what is not known must be 0 only */
	cmd.extra = 0;
	EXPECT_EQ(0, ioctl(self->fd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &cmd));
}

TEST_F(mark, no_hwpt)
{
	test_err_mark(ENOENT, 0, TOKEN);
	test_err_mark(ENOENT, UINT32_MAX, TOKEN);
	test_err_mark(ENOENT, self->ioas_id, TOKEN);
	test_err_mark(ENOENT, self->device_id, TOKEN);

	/* The token was not used up */
	test_cmd_mark(self->hwpt_id, TOKEN);
}

TEST_F(mark, auto_hwpt)
{
	test_err_mark(EOPNOTSUPP, self->auto_hwpt_id, TOKEN);
	test_cmd_mark(self->hwpt_id, TOKEN);
}

TEST_F(mark, nested_hwpt)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	uint32_t nested_id;

	test_cmd_hwpt_alloc_nested(self->device_id, self->hwpt_id, 0, &nested_id,
				   IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
	test_err_mark(EOPNOTSUPP, nested_id, TOKEN);

	/* Its parent may have a mark */
	test_cmd_mark(self->hwpt_id, TOKEN);
	test_ioctl_destroy(nested_id);
}

TEST_F(mark, faulting_hwpt)
{
	uint32_t fault_id, fault_fd, hwpt_id;

	test_ioctl_fault_alloc(&fault_id, &fault_fd);
	test_cmd_hwpt_alloc_iopf(self->device_id, self->ioas_id, fault_id,
				 IOMMU_HWPT_FAULT_ID_VALID, &hwpt_id,
				 IOMMU_HWPT_DATA_NONE, NULL, 0);
	test_err_mark(EOPNOTSUPP, hwpt_id, TOKEN);
	test_cmd_mark(self->hwpt_id, TOKEN);

	test_ioctl_destroy(hwpt_id);
	close(fault_fd);
	test_ioctl_destroy(fault_id);
}

TEST_F(mark, twice)
{
	test_cmd_mark(self->hwpt_id, TOKEN);
	test_err_mark(EEXIST, self->hwpt_id, TOKEN);
	test_err_mark(EEXIST, self->hwpt_id, TOKEN + 1);
}

TEST_F(mark, token_in_use)
{
	uint32_t hwpt_id, fd_hwpt_id;
	uint32_t ioas_id, device_id;
	int fd = self->fd;

	test_cmd_mark(self->hwpt_id, TOKEN);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_err_mark(EADDRINUSE, hwpt_id, TOKEN);
	test_cmd_mark(hwpt_id, LOW_TOKEN);

	/* Tokens are of one iommufd */
	self->fd = open("/dev/iommu", O_RDWR);
	ASSERT_NE(-1, self->fd);
	test_ioctl_ioas_alloc(&ioas_id);
	test_cmd_mock_domain(ioas_id, NULL, NULL, &device_id);
	test_cmd_hwpt_alloc(device_id, ioas_id, 0, &fd_hwpt_id);
	test_cmd_mark(fd_hwpt_id, TOKEN);
	close(self->fd);
	self->fd = fd;

	test_ioctl_destroy(hwpt_id);
}

TEST_F(mark, destroy)
{
	uint32_t hwpt_id;

	/* A mark does not keep it, and its token is free afterwards */
	test_cmd_mark(self->hwpt_id, TOKEN);
	test_ioctl_destroy(self->hwpt_id);
	test_err_mark(ENOENT, self->hwpt_id, TOKEN);

	test_cmd_hwpt_alloc(self->device_id, self->ioas_id, 0, &hwpt_id);
	test_cmd_mark(hwpt_id, TOKEN);
	test_ioctl_destroy(hwpt_id);
}

TEST_HARNESS_MAIN
