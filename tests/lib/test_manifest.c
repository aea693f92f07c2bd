// SPDX-License-Identifier: GPL-2.0
/* A manifest that is damaged, cut off, or newer: nothing is touched, and it can be abandoned. */
#include "judge.h"
#include "manifest.h"
#include "program.h"

/* A machine in which the program's session has just come in */
static struct fake *arrived(struct program *program)
{
	struct fake *fake = fake_new();

	program_start(program, fake);
	program_live(program);
	program_next(program);
	return fake;
}

static uint64_t size_of(const struct content *manifest)
{
	uint64_t size;

	memcpy(&size, manifest->bytes + 24, sizeof(size));
	return size;
}

/* A context that may have it refuses, and leaves it in the session, untouched. */
static void assert_refuses(struct program *program, int error)
{
	struct fake *fake = program->fake;
	unsigned long ioctls = fake->ioctls;

	assert_refused(program, ilu_session_open(program->ilu, "vm1"), error);
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_FOREIGN);
	/* the session, its manifest, and no more */
	assert_int_equal(fake->ioctls, ioctls + 2);
	assert_null(ilu_memory(program->ilu, "ram"));
	assert_refused(program, ilu_restore(program->ilu), EBUSY);
	assert_refused(program, ilu_finish(program->ilu), EBUSY);
	assert_refused(program, ilu_preserve(program->ilu), EBUSY);
	program_check(program);
	ilu_free(program->ilu);
	program->ilu = fake_context(fake);
}

static void test_sound(void **state)
{
	struct ilu_manifest manifest;
	struct program program;
	struct fake *fake = arrived(&program);
	struct content *content = fake_manifest(fake);

	(void)state;
	assert_int_equal(ilu_manifest_check(&manifest, content->bytes, content->length), 0);
	assert_null(judge(content->bytes, content->length));
	assert_int_equal(manifest.generation, 1);
	assert_int_equal(manifest.nr.memories, 2);
	assert_int_equal(manifest.nr.spaces, 2);
	assert_int_equal(manifest.nr.maps, 4);
	assert_int_equal(manifest.nr.devices, 3);
	assert_int_equal(manifest.nr.blobs, 3);
	program_end(&program);
	fake_free(fake);
}

/* Each byte that counts, by the check alone: one changed byte is always found. */
static void test_each_byte(void **state)
{
	static const unsigned char masks[] = { 0x01, 0x80, 0xff };
	struct ilu_manifest manifest;
	struct program program;
	struct fake *fake = arrived(&program);
	struct content *content = fake_manifest(fake);
	unsigned long flips = 0;

	(void)state;
	for (uint64_t at = 0; at < size_of(content); at++)
		for (size_t i = 0; i < NR(masks); i++, flips++) {
			int error;

			content->bytes[at] ^= masks[i];
			error = ilu_manifest_check(&manifest, content->bytes, content->length);
			if (error != -EBADMSG && error != -EPROTONOSUPPORT) {
				print_error("byte %llu is not missed\n", (unsigned long long)at);
				fail();
			}
			content->bytes[at] ^= masks[i];
		}
	print_message("%lu flips\n", flips);
	assert_int_equal(ilu_manifest_check(&manifest, content->bytes, content->length), 0);
	program_end(&program);
	fake_free(fake);
}

/* And through the session, a byte of each record and some of the header */
static void test_session(void **state)
{
	struct program program;
	struct fake *fake = arrived(&program);
	struct content *content = fake_manifest(fake);

	(void)state;
	for (uint64_t at = 0; at < size_of(content); at += 7) {
		content->bytes[at] ^= 0x10;
		assert_refuses(&program, at >= 8 && at < 12 ? EPROTONOSUPPORT : EBADMSG);
		content->bytes[at] ^= 0x10;
	}
	program_run(&program, take_back_steps);
	program_check(&program);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

static void test_truncated(void **state)
{
	struct ilu_manifest manifest;
	struct program program;
	struct fake *fake = arrived(&program);
	struct content *content = fake_manifest(fake);
	uint64_t length = content->length, size = size_of(content);

	(void)state;
	for (uint64_t to = 0; to < size; to++) {
		unsigned char *cut = malloc(to + !to);

		memcpy(cut, content->bytes, to);
		assert_int_equal(ilu_manifest_check(&manifest, cut, to), -EBADMSG);
		free(cut);
	}
	for (uint64_t to = 0; to < size; to += 13) {
		content->length = to;
		assert_refuses(&program, EBADMSG);
	}
	content->length = length;
	program_run(&program, take_back_steps);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* All that a newer one may have changed is not looked at, not even its checksum. */
static void test_newer(void **state)
{
	struct program program;
	struct fake *fake = arrived(&program);
	struct content *content = fake_manifest(fake);

	(void)state;
	content->bytes[8] = 2;
	memset(content->bytes + 16, 0xff, content->length - 16);
	assert_refuses(&program, EPROTONOSUPPORT);
	content->bytes[8] = 0;
	assert_refuses(&program, EBADMSG);
	program_end(&program);
	fake_free(fake);
}

/* What cannot be used can be abandoned. */
static void test_abandoned(void **state)
{
	struct program program;
	struct fake *fake = arrived(&program);

	(void)state;
	fake_manifest(fake)->bytes[100] ^= 1;
	assert_refused(&program, ilu_session_retrieve(program.ilu, "vm1"), EBADMSG);
	assert_ok(&program, ilu_abandon(program.ilu));
	for (int i = 0; i < FAKE_CARDS; i++)
		assert_int_equal(fake->cards[i].bar[0], 0);
	program_end(&program);
	assert_null(fake->sessions);
	fake_free(fake);
}

/* A session of another program */
static void test_foreign(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	struct session *session;

	(void)state;
	program_start(&program, fake);
	assert_true(fake_session(fake, "theirs", false) >= 0);
	fake->image = true;
	assert_int_equal(machine_kexec(fake), 0);
	fake_lose(fake, program.ilu);
	fake->jumped = false;
	program.ilu = fake_context(fake);
	for (session = fake->sessions; session; session = session->next)
		assert_true(session->incoming);
	assert_ok(&program, ilu_session_open(program.ilu, "theirs"));
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_FOREIGN);
	assert_true(ilu_session_fd(program.ilu) >= 0);
	assert_refused(&program, ilu_restore(program.ilu), EBUSY);
	assert_refused(&program, ilu_preserve(program.ilu), EBUSY);
	assert_ok(&program, ilu_abandon(program.ilu));
	assert_int_equal(ilu_session_fd(program.ilu), -EBADF);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* Each field wrong in turn, with a right checksum */
static const struct damage {
	const char *name;
	unsigned int at;	/* of the sample below */
	unsigned char byte;
	unsigned int more;	/* bytes after it, which are changed likewise */
} damages[] = {
	{ "reserved of the header", 12, 1 },
	{ "more reserved of the header", 60, 1 },
	{ "one memory more", 40, 3 },
	{ "one blob less", 56, 2 },
	{ "a memory without a name", 64, 0 },
	{ "bytes behind a name", 64 + 63, 'x' },
	{ "a memory with the manifest's token", 64 + 64, 0 },
	{ "two memories with one token", 64 + 64, 2 },
	{ "two iommufds", 64 + 160 + 64, 9 },
	{ "a map that goes round", 64 + 160 + 144 + 1, 0xff, 6 },
	{ "a map beyond its memory", 64 + 160 + 144 + 10, 1 },
	{ "a map of no length", 64 + 160 + 144 + 17, 0 },
	{ "a map of no space", 64 + 160 + 144 + 24, 2 },
	{ "a map of no memory", 64 + 160 + 144 + 28, 2 },
	{ "a map without flags", 64 + 160 + 144 + 32, 0 },
	{ "a map with unknown flags", 64 + 160 + 144 + 32, 4 },
	{ "reserved of a map", 64 + 160 + 144 + 36, 1 },
	{ "a device of no space", 64 + 160 + 144 + 160 + 92, 2 },
	{ "unknown flags of a device", 64 + 160 + 144 + 160 + 88, 3 },
	{ "a serial number that is none", 64 + 160 + 144 + 160 + 88, 0 },
	{ "bytes behind an address", 64 + 160 + 144 + 160 + 64 + 15, 'x' },
	{ "a blob that is too long", 64 + 160 + 144 + 160 + 336 + 72 + 7, 0xff },
};

static void test_names(void **state)
{
	struct ilu_manifest manifest;
	struct program program;
	struct fake *fake = arrived(&program);
	struct content *content = fake_manifest(fake);

	(void)state;
	/* "dma" becomes "other", which is the second one */
	memcpy(content->bytes + 64 + 160, "other", 6);
	judge_seal(content->bytes, content->length);
	assert_int_equal(ilu_manifest_check(&manifest, content->bytes, content->length), -EBADMSG);
	assert_string_equal(judge(content->bytes, content->length), "two spaces of a name");
	program_end(&program);
	fake_free(fake);
}

static void test_field(void **state)
{
	const struct damage *damage = *state;
	struct ilu_manifest manifest;
	struct program program;
	struct fake *fake = arrived(&program);
	struct content *content = fake_manifest(fake);

	assert_int_not_equal(content->bytes[damage->at], damage->byte);
	memset(content->bytes + damage->at, damage->byte, 1 + damage->more);
	judge_seal(content->bytes, content->length);
	assert_int_equal(ilu_manifest_check(&manifest, content->bytes, content->length), -EBADMSG);
	assert_non_null(judge(content->bytes, content->length));
	program_end(&program);
	fake_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_names),
	};
	struct CMUnitTest all[NR(tests) + NR(damages)];

	memcpy(all, tests, sizeof(tests));
	for (size_t i = 0; i < NR(damages); i++)
		all[NR(tests) + i] = (struct CMUnitTest) {
			.name = damages[i].name,
			.test_func = test_field,
			.initial_state = (void *)&damages[i],
		};
	return cmocka_run_group_tests(all, NULL, NULL);
}
