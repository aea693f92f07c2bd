/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_LIVEUPDATE_NOTE_H
#define _LINUX_LIVEUPDATE_NOTE_H

#define LIVEUPDATE_NOTE(compatible)

#endif
