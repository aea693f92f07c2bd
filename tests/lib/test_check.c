// SPDX-License-Identifier: GPL-2.0
/* What a check finds, and that nothing has changed after it. */
#include <linux/vfio.h>

#include "program.h"
#include "internal.h"
#include "uapi.h"

#define FINDINGS	16

struct findings {
	int nr;
	struct {
		enum ilu_verdict verdict;
		enum ilu_id id;
		int err;
		char object[64], text[256], hint[256];
	} at[FINDINGS];
};

static void note(void *arg, const struct ilu_finding *finding)
{
	struct findings *findings = arg;

	assert_true(findings->nr < FINDINGS);
	assert_int_equal(finding->size, sizeof(*finding));
	assert_true(finding->verdict == ILU_PASS || ilu_id_name(finding->id)[0]);
	assert_true(finding->text[0]);
	findings->at[findings->nr].verdict = finding->verdict;
	findings->at[findings->nr].id = finding->id;
	findings->at[findings->nr].err = finding->err;
	snprintf(findings->at[findings->nr].object, 64, "%s", finding->object);
	snprintf(findings->at[findings->nr].hint, sizeof(findings->at[0].hint), "%s", finding->hint);
	snprintf(findings->at[findings->nr++].text, sizeof(findings->at[0].text), "%s", finding->text);
}

static int worst(const struct findings *findings, enum ilu_id *id, const char **object)
{
	for (int i = 0; i < findings->nr; i++)
		if (findings->at[i].verdict != ILU_PASS) {
			*id = findings->at[i].id;
			*object = findings->at[i].object;
			return findings->at[i].verdict;
		}
	*id = ILU_ID_NONE;
	*object = "";
	return ILU_PASS;
}

/* The first thing that is not fine, of which object; and all is as before. */
static void expect(struct program *program, int verdict, enum ilu_id id, const char *object)
{
	struct findings findings = { 0 };
	char *before = fake_text(program->fake), *after;
	unsigned int fired = program->fake->cards[0].fired;
	enum ilu_id found;
	const char *about;

	assert_int_equal(ilu_check(program->ilu, note, &findings), verdict);
	assert_int_equal(worst(&findings, &found, &about), verdict);
	assert_string_equal(ilu_id_name(found), ilu_id_name(id));
	assert_string_equal(about, object);
	program->fake->cards[0].fired = fired;
	after = fake_text(program->fake);
	assert_string_equal(before, after);
	assert_string_equal(program->fake->broken, "");
	free(before);
	free(after);
}

static int set_up(void **state)
{
	struct program *program = calloc(1, sizeof(*program));

	program_start(program, fake_new());
	program_run(program, set_up_steps);
	program->fake->image = true;
	program->fake->image_kind = LIVEUPDATE_IMAGE_HANDOVER;
	*state = program;
	return 0;
}

static int tear_down(void **state)
{
	struct program *program = *state;

	program_end(program);
	fake_free(program->fake);
	free(program);
	return 0;
}

/* Before and after it is preserved, and with interrupts that stay off */
static void test_fine(void **state)
{
	struct program *program = *state;
	struct card *card = &program->fake->cards[0];

	expect(program, ILU_PASS, ILU_ID_NONE, "");
	assert_int_equal(card->irqs[VFIO_PCI_MSIX_IRQ_INDEX], 3);
	assert_ok(program, ilu_preserve(program->ilu));
	expect(program, ILU_PASS, ILU_ID_NONE, "");
	assert_int_equal(card->irqs[VFIO_PCI_MSIX_IRQ_INDEX], 3);
	assert_ok(program, ilu_quiesce(program->ilu));
	expect(program, ILU_PASS, ILU_ID_NONE, "");
	assert_int_equal(card->irqs[VFIO_PCI_MSIX_IRQ_INDEX], 0);
	assert_int_equal(program->fake->tests, 6);
}

/* What was raised while they were off is not lost. */
static void test_interrupts(void **state)
{
	struct program *program = *state;
	unsigned int fired = program->fake->cards[0].fired;

	assert_int_equal(ilu_check(program->ilu, NULL, NULL), ILU_PASS);
	assert_true(program->fake->cards[0].fired > fired);
}

static void arm_the_other(struct program *program)
{
	int fd = fake_eventfd(program->fake);

	assert_ok(program, ilu_device_irqs(ilu_device(program->ilu, "nic2"),
					   VFIO_PCI_MSIX_IRQ_INDEX, 1, &fd, 0));
	fake_close(program->fake, fd);
}

/* The last thing that is found, and the error of the context */
static void stay_off(struct program *program, int error, struct findings *findings)
{
	int last;

	*findings = (struct findings) { 0 };
	assert_refused(program, ilu_check(program->ilu, note, findings), error);
	last = findings->nr - 1;
	assert_true(last > 0);
	assert_int_equal(findings->at[last].verdict, ILU_FAIL);
	assert_string_equal(ilu_id_name(findings->at[last].id), "dev.irqs-off");
	assert_string_equal(findings->at[last].object, "nic");
	assert_int_equal(findings->at[last].err, -error);
	assert_true(findings->at[last].hint[0]);
	assert_int_equal(ilu_error(program->ilu)->id, ILU_ID_DEV_IRQS_OFF);
	assert_string_equal(ilu_error(program->ilu)->object, "nic");
}

/* Interrupts that stay off after it are told; others, also of this device, are on again. */
static void test_interrupts_stay_off(void **state)
{
	struct program *program = *state;
	struct card *cards = program->fake->cards;
	struct findings findings;

	arm_the_other(program);
	cards[0].on_errno = EIO;
	stay_off(program, EIO, &findings);
	assert_int_equal(cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 0);
	assert_int_equal(cards[0].irqs[VFIO_PCI_REQ_IRQ_INDEX], 1);
	assert_int_equal(cards[1].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 1);
	/* When it is over, the next one switches them on. */
	cards[0].on_errno = 0;
	assert_int_equal(ilu_check(program->ilu, NULL, NULL), ILU_PASS);
	assert_int_equal(cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 3);
}

/* Likewise if not even all could be switched off */
static void test_interrupts_half_off(void **state)
{
	struct program *program = *state;
	struct card *cards = program->fake->cards;
	struct findings findings;

	arm_the_other(program);
	cards[1].off_errno = EIO;
	expect(program, ILU_FAIL, ILU_ID_CALL_IO, "nic2");
	assert_refused(program, ilu_quiesce(program->ilu), EIO);
	assert_int_equal(cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 3);
	cards[0].on_errno = EBUSY;
	stay_off(program, EBUSY, &findings);
	assert_int_equal(findings.at[findings.nr - 2].id, ILU_ID_CALL_IO);
	cards[0].on_errno = 0;
	assert_int_equal(ilu_check(program->ilu, NULL, NULL), ILU_FAIL);
	cards[0].on_errno = EBUSY;
	assert_refused(program, ilu_quiesce(program->ilu), EBUSY);
	assert_int_equal(ilu_error(program->ilu)->id, ILU_ID_DEV_IRQS_OFF);
}

static void test_image(void **state)
{
	static const enum ilu_id ids[] = {
		ILU_ID_IMAGE_NONE, ILU_ID_IMAGE_SEGMENTS, ILU_ID_IMAGE_NO_DATA,
	};
	struct program *program = *state;

	for (unsigned int kind = 0; kind < NR(ids); kind++) {
		program->fake->image_kind = kind;
		expect(program, ILU_FAIL, ids[kind], "");
	}
}

/* The line of the kernel says which rule it is. */
static void test_device(void **state)
{
	struct program *program = *state;

	program->fake->cards[1].refusal = "it is capable of ATS";
	expect(program, ILU_FAIL, ILU_ID_DEV_ATS, "nic2");
	assert_string_equal(ilu_error(program->ilu)->reason,
			    "cannot be preserved: it is capable of ATS");
	assert_refused(program, ilu_preserve(program->ilu), EOPNOTSUPP);
	assert_int_equal(ilu_error(program->ilu)->id, ILU_ID_DEV_ATS);
	assert_string_equal(ilu_error(program->ilu)->text, ilu_id_text(ILU_ID_DEV_ATS));
	program->fake->cards[1].refusal = NULL;
	expect(program, ILU_PASS, ILU_ID_NONE, "");
}

/* What is in the way of the kexec though it is not this context's */
static void test_other_session(void **state)
{
	struct program *program = *state;
	int fd = fake_session(program->fake, "other", false);
	struct session *session = program->fake->sessions;

	session->entries = calloc(1, sizeof(*session->entries));
	session->entries->kind = FILE_IOMMUFD;
	session->incoming = true;
	expect(program, ILU_FAIL, ILU_ID_SESSION_UNFINISHED, "other");
	session->incoming = false;
	fake_close(program->fake, fd);
	program->fake->kexec_errno = EHWPOISON;
	expect(program, ILU_FAIL, ILU_ID_MEM_POISONED, "");
	program->fake->kexec_errno = 0;
	expect(program, ILU_PASS, ILU_ID_NONE, "");
}

/* It does not know, and so it is not fine. */
static void test_unknown(void **state)
{
	struct program *program = *state;

	program->fake->old_kernel = true;
	expect(program, ILU_UNKNOWN, ILU_ID_HOST_CANNOT_ANSWER, "vm1");
	program->fake->old_kernel = false;
	program->fake->liveupdate_late = program->fake->time + 100000;
	expect(program, ILU_UNKNOWN, ILU_ID_HOST_BUSY, "");
	program->fake->liveupdate_late = 0;
}

/* Without memory or files nothing can be asked; a kexec that is refused for it is refused. */
static void test_nothing_to_ask_with(void **state)
{
	struct program *program = *state;
	struct fake *fake = program->fake;

	fake->fail_at = fake->calls + 1;
	fake->fail_errno = ENOMEM;
	expect(program, ILU_UNKNOWN, ILU_ID_CALL_MEMORY, "");
	fake->fail_at = fake->calls + 1;
	fake->fail_errno = EMFILE;
	expect(program, ILU_UNKNOWN, ILU_ID_CALL_FILES, "");
	fake->kexec_errno = ENOMEM;
	expect(program, ILU_FAIL, ILU_ID_CALL_MEMORY, "");
}

/* The session remembers a refusal, but this call has failed otherwise. */
static void words_of_another_call(struct program *program)
{
	struct fake *fake = program->fake;

	fake->sessions->error = -EBUSY;
	strcpy(fake->sessions->reason, "is in low power");
	fake->fail_at = fake->calls + 1;
	fake->fail_errno = EIO;
	assert_refused(program, ilu_abandon(program->ilu), EIO);
	assert_string_equal(ilu_error(program->ilu)->reason, "");
}

/* In the next kernel, before it is finished; the errors are the kernel's own, too. */
static void test_incoming(void **state)
{
	struct program *program = *state;

	program_run(program, leave_steps);
	program_next(program);
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	expect(program, ILU_FAIL, ILU_ID_SESSION_UNFINISHED, "vm1");
	words_of_another_call(program);
	program_end(program);
	program->ilu = fake_context(program->fake);
	program_run(program, take_back_steps);
	program->fake->image = true;
	program->fake->image_kind = LIVEUPDATE_IMAGE_HANDOVER;
	expect(program, ILU_PASS, ILU_ID_NONE, "");
}

/* A session that somebody has handed over stays as it is, too. */
static void test_handed_over(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	int fd;

	(void)state;
	program_start(&program, fake);
	fd = fake_session(fake, "given", false);
	assert_ok(&program, ilu_session_from_fd(program.ilu, fd));
	program_run(&program, set_up_steps + 1);
	fake->image = true;
	fake->image_kind = LIVEUPDATE_IMAGE_HANDOVER;
	expect(&program, ILU_PASS, ILU_ID_NONE, "");
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_OUTGOING);
	assert_ok(&program, ilu_preserve(program.ilu));
	program_end(&program);
	fake_free(fake);
}

/* A kexec that is refused is explained by a test, if that finds the same. */
static void test_refused_kexec(void **state)
{
	struct program *program = *state;
	struct session *session;

	program_run(program, leave_steps + 1);
	program_next(program);
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	assert_ok(program, ilu_restore(program->ilu));
	session = program->fake->sessions;
	assert_non_null(session);
	assert_refused(program, ilu_kexec(program->ilu), EINVAL);
	assert_ok(program, ilu_finish(program->ilu));
	program->fake->image = true;
	program->fake->image_kind = LIVEUPDATE_IMAGE_HANDOVER;
	program->fake->kexec_errno = EHWPOISON;
	assert_ok(program, ilu_preserve(program->ilu));
	assert_refused(program, ilu_kexec(program->ilu), EHWPOISON);
	assert_int_equal(ilu_error(program->ilu)->id, ILU_ID_MEM_POISONED);
	assert_string_equal(ilu_error(program->ilu)->reason, "");
}

/* ---- reasons ---- */

static void test_ids(void **state)
{
	(void)state;
	assert_string_equal(ilu_id_name(ILU_ID_DEV_ATS), "dev.ats");
	assert_int_equal(ilu_id_by_name("dev.ats"), ILU_ID_DEV_ATS);
	assert_int_equal(ilu_id_by_name("dev.at"), ILU_ID_NONE);
	assert_int_equal(ilu_id_by_name(""), ILU_ID_NONE);
	assert_int_equal(ilu_id_by_name(NULL), ILU_ID_NONE);
	assert_string_equal(ilu_id_name(ILU_ID_NONE), "");
	assert_string_equal(ilu_id_name((enum ilu_id)100000), "");
	assert_string_equal(ilu_id_text((enum ilu_id)-1), "");
	for (int id = 1; ilu_id_name(id)[0]; id++) {
		assert_int_equal(ilu_id_by_name(ilu_id_name(id)), id);
		assert_true(ilu_id_text(id)[0]);
		assert_true(ilu_id_hint(id)[0]);
	}
}

/* What is known of something that failed: the command goes by it, too. */
static void test_verdicts(void **state)
{
	static const enum ilu_id unknown[] = {
		ILU_ID_HOST_BUSY, ILU_ID_HOST_PERMISSION, ILU_ID_HOST_CANNOT_ANSWER,
		ILU_ID_IMAGE_BUSY, ILU_ID_CALL_MEMORY, ILU_ID_CALL_FILES,
	};
	unsigned int found = 0;

	(void)state;
	for (int id = 1; ilu_id_name(id)[0]; id++)
		found += ilu_id_verdict(id) == ILU_UNKNOWN;
	for (size_t i = 0; i < NR(unknown); i++)
		assert_int_equal(ilu_id_verdict(unknown[i]), ILU_UNKNOWN);
	assert_int_equal(found, NR(unknown));
	assert_int_equal(ilu_id_verdict(ILU_ID_DEV_ATS), ILU_FAIL);
	/* Whatever a kernel may say one day */
	assert_int_equal(ilu_id_verdict(ILU_ID_NONE), ILU_FAIL);
}

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		enum ilu_id id;
	} lines[] = {
		{ "vfio-pci 0000:01:00.0: live update: is in low power", ILU_ID_DEV_POWER },
		{ "cannot be preserved: it is capable of ATS", ILU_ID_DEV_ATS },
		{ "IOAS 3: the file at IOVA 0x1000 is not preserved in this session: -ENOENT",
		  ILU_ID_MEM_NOT_PRESERVED },
		{ "IOAS 3: the file at IOVA", ILU_ID_NONE },
		{ "not preserved for live update: a PASID is attached, and other devices in its group: -EOPNOTSUPP",
		  ILU_ID_DEV_PASID },
		{ "", ILU_ID_NONE },
		{ "something new", ILU_ID_NONE },
	};

	(void)state;
	for (size_t i = 0; i < NR(lines); i++)
		assert_string_equal(ilu_id_name(ilu_id_by_line(lines[i].line)),
				    ilu_id_name(lines[i].id));
	assert_int_equal(ilu_id_by_line(NULL), ILU_ID_NONE);
	assert_int_equal(ilu_check(NULL, NULL, NULL), -EINVAL);
}

#define test(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_fine),
		test(test_interrupts),
		test(test_interrupts_stay_off),
		test(test_interrupts_half_off),
		test(test_image),
		test(test_device),
		test(test_other_session),
		test(test_unknown),
		test(test_nothing_to_ask_with),
		test(test_incoming),
		test(test_refused_kexec),
		cmocka_unit_test(test_handed_over),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
