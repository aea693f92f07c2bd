# SPDX-License-Identifier: GPL-2.0
# What the makefiles of the tests have in common. Theirs say of which files a program
# is made; what is compiled are the .c files among them, the .o files are linked as well.
#
#   test_NAME, fuzz_NAME  with cmocka, with a generator of its own
#   libfuzzer_NAME        the fuzzer for libFuzzer (clang)
#
#   KSRC                  tree with the sources under test, default kernel/ of this clone
#   O                     where all is built
UNIT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP := $(abspath $(UNIT)/../..)
KSRC ?= $(TOP)/kernel
O ?= $(if $(BUILD_DIR),$(BUILD_DIR),$(TOP)/out)/unit
ABI := $(O)/include/linux/kho/abi

WERROR := -Werror
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare $(WERROR) $(SANITIZE)
CPPFLAGS := -D_GNU_SOURCE -I$(CURDIR) -I$(UNIT)/shims -I$(O)/include -I$(UNIT)
SHIMS := $(UNIT)/shims/shims.c
SHIM_HDRS := $(wildcard $(UNIT)/shims/*/*.h $(UNIT)/shims/*/*/*/*.h)

compile = $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c %.o,$^)

.PHONY: programs fuzz
.DEFAULT_GOAL := programs

$(O)/test_%: $(UNIT)/test.c $(UNIT)/test.h $(UNIT)/bytes.c $(UNIT)/bytes.h $(UNIT)/common.mk
	@mkdir -p $(@D)
	$(CC) $(compile) -lcmocka

$(O)/fuzz_%: $(UNIT)/fuzz.c $(UNIT)/fuzz.h $(UNIT)/bytes.c $(UNIT)/bytes.h $(UNIT)/common.mk
	@mkdir -p $(@D)
	$(CC) $(compile)

$(O)/libfuzzer_%: $(UNIT)/fuzz.c $(UNIT)/fuzz.h $(UNIT)/bytes.c $(UNIT)/bytes.h $(UNIT)/common.mk
	@mkdir -p $(@D)
	clang -DFUZZ_LIBFUZZER -fsanitize=fuzzer $(compile)

# only this header of the kernel sources is meant, the others are shims
$(ABI)/%.h: $(KSRC)/include/linux/kho/abi/%.h
	@mkdir -p $(@D)
	@ln -sf $(abspath $<) $@

# $(call cut,FILE,FROM,LAST): from the line that is FROM to the end of the definition of
# LAST; errors and counters are those of the file itself
cut = awk -v from='$(2)' -v last='$(3)' \
	'$$0 ~ from && !on { on = 1; printf "\#line %d \"%s\"\n", NR, FILENAME } \
	 on { print } on && $$0 ~ last { ending = 1 } \
	 on && ending && /^}/ { done = 1; exit } END { exit !done }' $(1)

# The saved config space, which the record of vfio-pci has in it
PCI := $(KSRC)/drivers/pci
$(O)/cut/state.h: $(PCI)/liveupdate.c $(PCI)/liveupdate_finish.c $(UNIT)/common.mk
	@mkdir -p $(@D)
	@{ $(call cut,$(PCI)/liveupdate.c,^size_t pci_export_saved_state,^size_t pci_export_saved_state) && \
	   $(call cut,$(PCI)/liveupdate_finish.c,^/. The saved capability at,^pci_import_saved_state); } >$@
