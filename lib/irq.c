// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Interrupts. They have to be off at a kexec, by whomever they were switched on: a
 * program that died may have left some. Those of this context are remembered, with
 * eventfds of its own, so that they can be on again if the kexec is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "uapi.h"

/* More is in no MSI-X table. */
#define MOST_VECTORS	2048

static int set_irqs(struct ilu_device *device, unsigned int index, uint32_t type,
		    unsigned int count, const int *eventfds)
{
	size_t length = eventfds ? count * sizeof(*eventfds) : 0;
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + length);
	int error;

	if (!set)
		return -ENOMEM;
	set->argsz = sizeof(*set) + length;
	set->flags = type | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->count = count;
	if (eventfds)
		memcpy(set->data, eventfds, length);
	error = ilu_try_ioctl(device->object.ilu, device->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return error;
}

/* EINVAL: they are off. */
static int switch_off(struct ilu_device *device, unsigned int index)
{
	int error = set_irqs(device, index, VFIO_IRQ_SET_DATA_NONE, 0, NULL);

	return error == -EINVAL ? 0 : error;
}

/* The other kinds tell of errors and requests: to fire these would be a lie. */
static bool can_inject(unsigned int index)
{
	return index <= VFIO_PCI_MSIX_IRQ_INDEX;
}

/* A vector that is not armed is not fired. */
static int inject(struct ilu_device *device, unsigned int index, unsigned int count)
{
	return set_irqs(device, index, VFIO_IRQ_SET_DATA_NONE, count, NULL);
}

/* What cannot be fired is off, but for another program's: that one would wait for ever. */
static int switch_on(struct ilu_device *device, unsigned int index, unsigned int count,
		     const int *eventfds, bool fire)
{
	int error = set_irqs(device, index, VFIO_IRQ_SET_DATA_EVENTFD, count, eventfds);

	if (error || !fire)
		return error;
	error = inject(device, index, count);
	if (error && !device->object.ilu->foreign)
		switch_off(device, index);
	return error;
}

static void forget(struct ilu *ilu, struct ilu_irqs *irqs)
{
	for (unsigned int i = 0; i < irqs->count; i++)
		ilu_close(ilu, &irqs->eventfds[i]);
	free(irqs->eventfds);
	*irqs = (struct ilu_irqs) { 0 };
}

void ilu_irqs_forget(struct ilu_device *device)
{
	for (int i = 0; i < ILU_NR_IRQS; i++)
		forget(device->object.ilu, &device->irqs[i]);
}

/* The program may close its own. */
static int remember(struct ilu_device *device, struct ilu_irqs *irqs, unsigned int count,
		    const int *eventfds)
{
	struct ilu *ilu = device->object.ilu;

	*irqs = (struct ilu_irqs) { 0 };
	if (!count)
		return 0;
	irqs->eventfds = calloc(count, sizeof(*eventfds));
	if (!irqs->eventfds)
		return ilu_refuse(ilu, ILU_OWN_NO_MEMORY, device->object.name);
	for (; irqs->count < count; irqs->count++) {
		int fd = eventfds[irqs->count];

		if (fd >= 0)
			fd = ilu_dup(ilu, fd, device->object.name);
		if (fd < 0 && eventfds[irqs->count] >= 0) {
			forget(ilu, irqs);
			return fd;
		}
		irqs->eventfds[irqs->count] = fd < 0 ? -1 : fd;
	}
	return 0;
}

/*
 * Off in between, as the number of vectors may be another. What fails leaves the old ones,
 * or, if these cannot be on again either, those that are off.
 */
static int replace(struct ilu_device *device, unsigned int index, const struct ilu_irqs *new,
		   bool fire)
{
	struct ilu_irqs *old = &device->irqs[index];
	int error = switch_off(device, index);

	if (error || !new->count)
		return error;
	error = switch_on(device, index, new->count, new->eventfds, fire);
	if (error && old->count && !old->off)
		old->off = switch_on(device, index, old->count, old->eventfds, can_inject(index));
	return error;
}

static int check_irqs(const struct ilu_device *device, unsigned int index, unsigned int count,
		      const int *eventfds, unsigned int flags)
{
	if (index >= ILU_NR_IRQS || count > MOST_VECTORS || (count && !eventfds) ||
	    flags & ~ILU_IRQ_INJECT || (flags && !can_inject(index)))
		return ilu_refuse(device->object.ilu, ILU_OWN_BAD_ARGUMENT, device->object.name);
	return 0;
}

int ilu_device_irqs(struct ilu_device *device, unsigned int index, unsigned int count,
		    const int *eventfds, unsigned int flags)
{
	struct ilu_irqs new;
	bool was_off;
	int error;

	if (!device)
		return -EINVAL;
	error = check_irqs(device, index, count, eventfds, flags);
	if (!error && device->object.ilu->foreign)
		error = ilu_refuse(device->object.ilu, ILU_OWN_NOT_OURS, device->object.name);
	if (!error)
		error = remember(device, &new, count, eventfds);
	if (error)
		return error;
	was_off = device->irqs[index].off;
	error = replace(device, index, &new, flags & ILU_IRQ_INJECT);
	if (error) {
		forget(device->object.ilu, &new);
		return ilu_fail(device->object.ilu, error, device->irqs[index].off && !was_off ?
				ILU_CALL_IRQS_AGAIN : ILU_CALL_SET_IRQS, device->object.name);
	}
	forget(device->object.ilu, &device->irqs[index]);
	device->irqs[index] = new;
	return 0;
}

/*
 * What is off now was on, by eventfds that are still needed. An INTx that is switched off
 * loses what unmasks it, which its owner has set and nobody else knows.
 */
static int check_irqs_adopt(const struct ilu_device *device, unsigned int index,
			    unsigned int count, const int *eventfds)
{
	struct ilu *ilu = device->object.ilu;
	int error = check_irqs(device, index, count, eventfds, 0);

	if (error)
		return error;
	if (!ilu->foreign)
		return ilu_refuse(ilu, ILU_OWN_NOT_ADOPTED, device->object.name);
	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		return ilu_refuse(ilu, ILU_OWN_FOREIGN_INTX, device->object.name);
	if (device->irqs[index].off)
		return ilu_refuse(ilu, ILU_OWN_IRQS_OFF, device->object.name);
	return 0;
}

int ilu_device_irqs_adopt(struct ilu_device *device, unsigned int index, unsigned int count,
			  const int *eventfds)
{
	struct ilu_irqs new;
	int error;

	if (!device)
		return -EINVAL;
	error = check_irqs_adopt(device, index, count, eventfds);
	if (!error)
		error = remember(device, &new, count, eventfds);
	if (error)
		return error;
	forget(device->object.ilu, &device->irqs[index]);
	device->irqs[index] = new;
	return 0;
}

/* ---- of all devices ---- */

/* What another program has armed, and cannot be armed for it again, is not switched off. */
static bool stays(const struct ilu_device *device, unsigned int index)
{
	return device->object.ilu->foreign && !device->irqs[index].count;
}

static int device_off(struct ilu_device *device)
{
	for (unsigned int i = 0; i < ILU_NR_IRQS; i++) {
		int error;

		if (stays(device, i))
			continue;
		error = switch_off(device, i);
		if (error)
			return ilu_fail(device->object.ilu, error, ILU_CALL_SET_IRQS,
					device->object.name);
		device->irqs[i].off = true;
	}
	return 0;
}

int ilu_irqs_try_off(struct ilu *ilu)
{
	int error = 0;

	for (struct ilu_object *object = ilu->devices; object && !error; object = object->next)
		error = device_off((struct ilu_device *)object);
	return error;
}

/* What was raised meanwhile is lost, so each vector is fired once. */
static int kind_again(struct ilu_device *device, unsigned int index)
{
	struct ilu_irqs *irqs = &device->irqs[index];
	int error = 0;

	if (irqs->off && irqs->count)
		error = switch_on(device, index, irqs->count, irqs->eventfds, can_inject(index));
	if (!error)
		irqs->off = false;
	return error;
}

/* One kind that stays off is no reason for the others to. */
static int device_again(struct ilu_device *device)
{
	int first = 0;

	for (unsigned int i = 0; i < ILU_NR_IRQS; i++) {
		int error = kind_again(device, i);

		if (!first)
			first = error;
	}
	return first;
}

int ilu_irqs_again(struct ilu *ilu)
{
	int first = 0;

	for (struct ilu_object *object = ilu->devices; object; object = object->next) {
		int error = device_again((struct ilu_device *)object);

		if (error && !first)
			first = ilu_fail(ilu, error, ILU_CALL_IRQS_AGAIN, object->name);
	}
	return first;
}

int ilu_irqs_again_after(struct ilu *ilu)
{
	struct ilu_stored_error refusal = ilu->error;
	int error = ilu_irqs_again(ilu);

	if (error)
		return error;
	ilu_error_restore(ilu, &refusal);
	return refusal.public.err;
}

int ilu_irqs_off(struct ilu *ilu)
{
	return ilu_irqs_try_off(ilu) ? ilu_irqs_again_after(ilu) : 0;
}
