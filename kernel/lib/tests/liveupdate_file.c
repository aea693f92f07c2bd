// SPDX-License-Identifier: GPL-2.0

/**
 * DOC: Live Update Test Files
 *
 * A file type that exists to be preserved. /dev/liveupdate_test gives a file
 * that stores a number and, if told so, depends on another file of its session.
 * Its handler asks for an explicit finish, as handlers of running devices do.
 * With it the selftests reach those parts of the Live Update Orchestrator that
 * memfd does not use.
 *
 * Commands are written as text, one per write(2):
 *
 * 1. "value N" stores a number, which read(2) gives back.
 *
 * 2. "dep FD" makes the file depend on another one. test_file_preserve() fails
 *    if that is not preserved in the same session, and test_file_retrieve() gets
 *    it from there.
 *
 * 3. "token N" is the same for a token that is passed on as it is. Thus a file
 *    can depend on itself or on a later one, which "dep" does not allow.
 *
 * 4. "again N" makes the first N attempts to retrieve the file fail by -EAGAIN.
 *
 * 5. "busy 1" keeps the retrieved file from being finished, until "busy 0".
 *
 * 6. "refuse 1" has the file refuse the kexec, until "refuse 0".
 *
 * 7. "slow N" makes it last N ms to preserve the file, a minute at most.
 *
 * read(2) says "value=N dep=D", where D is 1 if the file holds one that it
 * depends on.
 *
 * Two FLBs depend on the file type, to have their calls come in other orders than
 * those of the other test FLBs, which are fetched once when the first file handler
 * registers: test_flb "late" is handed over, but the first that is heard of it in
 * the new kernel is the finish of a file. "new" is known only to a kernel that was
 * started by KHO, so the first live update enters a kernel that has an FLB of
 * which nothing was handed over.
 *
 * Locking: test_file->lock protects the content of a file. It is taken below the
 * session and file locks of LUO.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define TEST_FILE_MAGIC		0x4c554f46494c45ULL
#define TEST_FILE_COMPATIBLE	"liveupdate-test-file-v1"
#define LATE_FLB_COMPATIBLE	"liveupdate-test-file-flb-late"
#define NEW_FLB_COMPATIBLE	"liveupdate-test-file-flb-new"

/* What is handed over. Both kernels are built from this source. */
struct test_file_ser {
	u64 magic;
	u64 value;
	u64 dep_token;
	u32 has_dep;
	u32 again;
};

struct test_file {
	struct mutex lock; /* protects all of it */
	u64 value;
	struct file *dep;
	u64 dep_token;
	bool has_dep_token;
	u32 again;
	bool busy;
	bool refuse;
	bool frozen;
	u32 slow_ms;
};

static const struct file_operations test_file_fops;

static struct test_file *test_file_alloc(void)
{
	struct test_file *tf = kzalloc_obj(*tf);

	if (tf)
		mutex_init(&tf->lock);

	return tf;
}

static void test_file_free(struct test_file *tf)
{
	if (tf->dep)
		fput(tf->dep);
	mutex_destroy(&tf->lock);
	kfree(tf);
}

static int test_file_open(struct inode *inode, struct file *file)
{
	struct test_file *tf = test_file_alloc();

	if (!tf)
		return -ENOMEM;

	file->private_data = tf;

	return 0;
}

static int test_file_release(struct inode *inode, struct file *file)
{
	test_file_free(file->private_data);

	return 0;
}

static ssize_t test_file_read(struct file *file, char __user *ubuf,
			      size_t count, loff_t *ppos)
{
	struct test_file *tf = file->private_data;
	loff_t start = 0;
	char buf[64];
	int len;

	scoped_guard(mutex, &tf->lock) {
		len = scnprintf(buf, sizeof(buf), "value=%llu dep=%d\n",
				tf->value, !!tf->dep);
	}

	/* Every read says it all: retrieved files have no position. */
	return simple_read_from_buffer(ubuf, count, &start, buf, len);
}

static int test_file_set_dep(struct test_file *tf, int fd)
{
	struct file *dep = fget(fd);

	if (!dep)
		return -EBADF;

	/* A file that holds itself would never be released. */
	if (dep->f_op == &test_file_fops && dep->private_data == tf) {
		fput(dep);
		return -EINVAL;
	}

	if (tf->dep)
		fput(tf->dep);
	tf->dep = dep;

	return 0;
}

static ssize_t test_file_write(struct file *file, const char __user *ubuf,
			       size_t count, loff_t *ppos)
{
	struct test_file *tf = file->private_data;
	char buf[64] = {};
	int err = 0;
	u64 arg;

	if (count >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, count))
		return -EFAULT;

	guard(mutex)(&tf->lock);

	if (sscanf(buf, "value %llu", &arg) == 1) {
		tf->value = arg;
	} else if (sscanf(buf, "dep %llu", &arg) == 1) {
		err = test_file_set_dep(tf, arg);
	} else if (sscanf(buf, "token %llu", &arg) == 1) {
		tf->dep_token = arg;
		tf->has_dep_token = true;
	} else if (sscanf(buf, "again %llu", &arg) == 1) {
		tf->again = arg;
	} else if (sscanf(buf, "busy %llu", &arg) == 1) {
		tf->busy = arg;
	} else if (sscanf(buf, "refuse %llu", &arg) == 1) {
		tf->refuse = arg;
	} else if (sscanf(buf, "slow %llu", &arg) == 1) {
		tf->slow_ms = min(arg, 60000);
	} else {
		err = -EINVAL;
	}

	return err ? err : count;
}

static const struct file_operations test_file_fops = {
	.owner = THIS_MODULE,
	.open = test_file_open,
	.release = test_file_release,
	.read = test_file_read,
	.write = test_file_write,
};

static struct miscdevice test_file_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "liveupdate_test",
	.fops = &test_file_fops,
};

static bool test_file_can_preserve(struct liveupdate_file_handler *handler,
				   struct file *file)
{
	return file->f_op == &test_file_fops;
}

static int test_file_preserve(struct liveupdate_file_op_args *args)
{
	struct test_file *tf = args->file->private_data;
	struct test_file_ser *ser;
	u64 token = 0;
	int err;

	guard(mutex)(&tf->lock);

	if (tf->slow_ms)
		msleep(tf->slow_ms);

	if (tf->has_dep_token) {
		token = tf->dep_token;
	} else if (tf->dep) {
		err = liveupdate_get_token_outgoing(args->session, tf->dep,
						    &token);
		if (err)
			return err;
	}

	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	ser->magic = TEST_FILE_MAGIC;
	ser->value = tf->value;
	ser->has_dep = tf->dep || tf->has_dep_token;
	ser->dep_token = token;
	ser->again = tf->again;

	args->serialized_data = virt_to_phys(ser);

	return 0;
}

static void test_file_unpreserve(struct liveupdate_file_op_args *args)
{
	kho_unpreserve_free(phys_to_virt(args->serialized_data));
}

static int test_file_freeze(struct liveupdate_file_op_args *args)
{
	struct test_file *tf = args->file->private_data;

	pr_info("freeze was triggered\n");

	guard(mutex)(&tf->lock);
	if (tf->refuse) {
		liveupdate_refuse_warn("kexec refused, a test file was told to\n");
		return -EBUSY;
	}

	if (tf->frozen)
		pr_err("ERROR - frozen twice\n");
	tf->frozen = true;

	return 0;
}

static void test_file_unfreeze(struct liveupdate_file_op_args *args)
{
	struct test_file *tf = args->file->private_data;

	guard(mutex)(&tf->lock);
	if (!tf->frozen)
		pr_err("ERROR - unfrozen, and was not frozen\n");
	tf->frozen = false;
}

static int test_file_retrieve(struct liveupdate_file_op_args *args)
{
	struct test_file_ser *ser = phys_to_virt(args->serialized_data);
	struct test_file *tf;
	struct file *file;
	int err;

	if (ser->magic != TEST_FILE_MAGIC)
		return -EINVAL;

	if (ser->again) {
		ser->again--;
		return -EAGAIN;
	}

	tf = test_file_alloc();
	if (!tf)
		return -ENOMEM;

	tf->value = ser->value;
	if (ser->has_dep) {
		err = liveupdate_get_file_incoming(args->session,
						   ser->dep_token, &tf->dep);
		if (err)
			goto err_free;
	}

	file = anon_inode_getfile("[liveupdate_test]", &test_file_fops, tf,
				  O_RDWR);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_free;
	}

	args->file = file;

	return 0;

err_free:
	test_file_free(tf);

	return err;
}

static bool test_file_can_finish(struct liveupdate_file_op_args *args)
{
	struct test_file *tf;

	if (args->retrieve_status <= 0)
		return true;

	tf = args->file->private_data;
	guard(mutex)(&tf->lock);

	return !tf->busy;
}

static void test_file_finish(struct liveupdate_file_op_args *args)
{
	pr_info("finish was triggered\n");
	kho_restore_free(phys_to_virt(args->serialized_data));
}

static const struct liveupdate_file_ops test_file_ops = {
	.can_preserve = test_file_can_preserve,
	.preserve = test_file_preserve,
	.unpreserve = test_file_unpreserve,
	.freeze = test_file_freeze,
	.unfreeze = test_file_unfreeze,
	.retrieve = test_file_retrieve,
	.can_finish = test_file_can_finish,
	.finish = test_file_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler test_file_handler = {
	.ops = &test_file_ops,
	.compatible = TEST_FILE_COMPATIBLE,
	.explicit_finish = true,
};

enum {
	TEST_FLB_LATE,
	TEST_FLB_NEW,
	TEST_NFLBS,
};

static const struct liveupdate_flb_ops test_flb_ops;

static struct liveupdate_flb test_flbs[TEST_NFLBS] = {
	[TEST_FLB_LATE] = {
		.ops = &test_flb_ops,
		.compatible = LATE_FLB_COMPATIBLE,
	},
	[TEST_FLB_NEW] = {
		.ops = &test_flb_ops,
		.compatible = NEW_FLB_COMPATIBLE,
	},
};

static bool test_flb_finished[TEST_NFLBS];

static u64 test_flb_data(struct liveupdate_flb *flb)
{
	return TEST_FILE_MAGIC + (flb - test_flbs);
}

static int test_flb_preserve(struct liveupdate_flb_op_args *argp)
{
	argp->data = test_flb_data(argp->flb);
	argp->obj = argp->flb;

	return 0;
}

static void test_flb_unpreserve(struct liveupdate_flb_op_args *argp)
{
}

static int test_flb_retrieve(struct liveupdate_flb_op_args *argp)
{
	if (argp->data != test_flb_data(argp->flb)) {
		pr_err("%s: ERROR - incorrect data: %llx\n",
		       argp->flb->compatible, argp->data);
		return -EINVAL;
	}

	argp->obj = argp->flb;

	return 0;
}

static void test_flb_finish(struct liveupdate_flb_op_args *argp)
{
	bool *finished = &test_flb_finished[argp->flb - test_flbs];

	if (*finished || argp->obj != argp->flb) {
		pr_err("%s: ERROR - finish called twice or with an invalid object\n",
		       argp->flb->compatible);
	}

	*finished = true;
	pr_info("%s: finish was triggered\n", argp->flb->compatible);
}

static const struct liveupdate_flb_ops test_flb_ops = {
	.preserve = test_flb_preserve,
	.unpreserve = test_flb_unpreserve,
	.retrieve = test_flb_retrieve,
	.finish = test_flb_finish,
	.owner = THIS_MODULE,
};

static int __init test_file_register(void)
{
	int err = liveupdate_register_file_handler(&test_file_handler);

	if (err)
		return err;

	err = liveupdate_register_flb(&test_file_handler,
				      &test_flbs[TEST_FLB_LATE]);
	if (!err && is_kho_boot())
		err = liveupdate_register_flb(&test_file_handler,
					      &test_flbs[TEST_FLB_NEW]);
	if (err)
		liveupdate_unregister_file_handler(&test_file_handler);

	return err;
}

static int __init test_file_init(void)
{
	int err = test_file_register();

	if (err == -EOPNOTSUPP)
		return 0;
	if (err)
		return err;

	err = misc_register(&test_file_dev);
	if (err)
		liveupdate_unregister_file_handler(&test_file_handler);

	return err;
}
late_initcall(test_file_init);
