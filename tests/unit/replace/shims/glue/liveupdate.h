/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_GLUE_LIVEUPDATE_H
#define _SHIM_GLUE_LIVEUPDATE_H

struct device;
void intel_liveupdate_disown(struct device *dev);

#endif
