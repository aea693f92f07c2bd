/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_GLUE_LIVEUPDATE_H
#define _SHIM_GLUE_LIVEUPDATE_H

struct device_domain_info;
bool intel_liveupdate_device_incoming(struct device_domain_info *info);

#endif
