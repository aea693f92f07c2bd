// SPDX-License-Identifier: GPL-2.0
/*
 * Every selection of memfd, iommufd and device file is retrieved in every order
 * and closed again, with the session.  The session stays as it was, and in the
 * end the whole way is open.
 */
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "scenarios.h"
#include "wayback.h"

#define FILES_MAX	3

static const char *const orders[] = {
	"m", "i", "d", "mi", "im", "md", "dm", "id", "di",
	"mid", "mdi", "imd", "idm", "dmi", "dim",
};

static __u64 token_of(char letter)
{
	switch (letter) {
	case 'm':
		return TOKEN_MEMORY;
	case 'i':
		return TOKEN_IOMMUFD;
	default:
		return TOKEN_DEVICE;
	}
}

static void retrieve_and_close(const char *order)
{
	int session = must(session_retrieve(SESSION_NAME), "retrieve session");
	int fds[FILES_MAX], count = 0;

	event("retrieve order=%s", order);
	for (const char *letter = order; *letter; letter++)
		fds[count++] = must(session_retrieve_fd(session, token_of(*letter)),
				    "retrieve a file");
	while (count--)
		close(fds[count]);
	close(session);
}

void retrieve_orders_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_take(&back, BACK_DRIVER);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		retrieve_and_close(orders[i]);
	back_complete(&back, BACK_SESSION);
	report_pages("finished");
	back_end(&back);
}
