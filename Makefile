# SPDX-License-Identifier: GPL-2.0
# iommu-liveupdate: see README.md. 'make help' lists what there is.
#
# All work is done by scripts/; everything fetched or built is kept outside the
# clone, in $IOMMU_LIVEUPDATE_CACHE (default ~/.cache/iommu-liveupdate).

# only what is given on the command line or in the environment
export KDIR QEMU IOMMU_LIVEUPDATE_CACHE OUT N MODE NIC CPUS RATE JOBS NAMES
ifeq ($(KDIR),)
unexport KDIR
endif
ifeq ($(QEMU),)
unexport QEMU
endif
ifeq ($(JOBS),)
unexport JOBS
endif
ifeq ($(RATE),)
unexport RATE
endif

.PHONY: help packages fetch kernels demo lib tool install uninstall deb kernel-deb check check-packages check-scripts check-lib check-tool check-long check-debug check-debian check-systemd check-vm check-kernel check-mutations check-planted coverage soak chain replace-baseline series check-series check-arch apply clean
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

help:
	@echo "iommu-liveupdate: devices keep their DMA through a kexec"
	@echo
	@echo "  make demo          show it: the same program with and without preservation,"
	@echo "                     then a table and a picture"
	@echo "  make lib           libiommu-liveupdate, into O= (default: out/lib); make -C lib install"
	@echo "  make tool          the command iommu-liveupdate, into O= (default: out/tool)"
	@echo "  make install       library, command, manual, and what a host needs; DESTDIR=, PREFIX=/usr/local"
	@echo "  make deb           packages of all that, into OUT= (default: out/deb)"
	@echo "  make kernel-deb CONFIG=file  packages of a kernel with the series, into OUT= (default: out/kernel-deb)"
	@echo "  make check         unit tests, script tests, and the scenarios in QEMU"
	@echo "  make check-lib     the tests of the library alone"
	@echo "  make check-tool    the tests of the command alone"
	@echo "  make check-packages  the packages on fresh systems of Debian 12 and 13, as root; SUITES= PARTS="
	@echo "  make check-long    what make check leaves out for its time: scenarios, and check-planted"
	@echo "  make check-kernel  the kernel's own tests (KUnit, kselftest), with the series and without"
	@echo "  make check-debug   the scenarios on kernels with KASAN, lockdep and so on; RATE= lowers the rate"
	@echo "  make check-debian  the scenarios on kernels with Debian's own configuration, with modules"
	@echo "  make check-systemd services below systemd 262 as PID 1: a kexec that would be refused is called"
	@echo "                     off before they are stopped; in QEMU a card goes through systemctl kexec"
	@echo "  make check-vm      virtual machines of a QEMU as Debian ships it, with cards passed through, in a"
	@echo "                     machine of the rig; NAMES= for some"
	@echo "  make check-mutations  takes one rule of the kernel half away at a time: the scenario"
	@echo "                     that guards it has to fail; NAMES= for some"
	@echo "  make replace-baseline  what the VT-d part that replaces a page table without a gap changes,"
	@echo "                     beside the kernel as it is; N= runs, NIC=igb|e1000e"
	@echo "  make check-planted puts one bug into a copy of a check, or of the library, at a time: its"
	@echo "                     fuzzer or its tests have to find it"
	@echo "  make coverage      what of the series the tests execute, by gcov; NAMES= for some scenarios"
	@echo "  make soak N=100    many runs; MODE=legacy|sm-ss|sm-fs NIC=igb|e1000e CPUS=1|2"
	@echo "  make chain N=10    many live updates in a row in one machine; MODE=, NIC=, CPUS= as above"
	@echo
	@echo "  make fetch         get the kernel source and QEMU, install missing packages"
	@echo "  make kernels       build the kernels that the tests use"
	@echo "  make series        export the patches for git am into OUT= (default: out/series)"
	@echo "  make check-series  every step: apply, build with the option on and off, checkpatch, sparse"
	@echo "  make check-arch    compiles what the series touches for arm64 and riscv"
	@echo "  make apply KDIR=   put the series into your own Linux 7.3 tree"
	@echo "  make clean         remove all builds; downloads and the pristine source are kept"
	@echo
	@echo "  KDIR=directory     use your own Linux 7.3 tree as base instead of Debian's"
	@echo "  QEMU=path          use this qemu-system-x86_64 (10 or later)"
	@echo "  JOBS=n             parallel jobs (default: all processors)"
	@echo "  IOMMU_LIVEUPDATE_CACHE=directory  where all is kept (default: ~/.cache/iommu-liveupdate, 10 GB)"

packages:
	@scripts/install-packages.sh

fetch: packages
	@scripts/fetch-kernel.sh
	@scripts/fetch-qemu.sh

kernels:
	@scripts/install-packages.sh build
	@scripts/env.sh

demo:
	@scripts/install-packages.sh build demo
	@scripts/run.sh demo

lib:
	@scripts/install-packages.sh lib
	@$(MAKE) -C lib

tool:
	@scripts/install-packages.sh tool
	@$(MAKE) -C tools/iommu-liveupdate

# Neither looks for packages of Debian, nor writes outside of DESTDIR and O.
install:
	@$(MAKE) -C lib install
	@$(MAKE) -C tools/iommu-liveupdate install
	@$(MAKE) -C system install

uninstall:
	@$(MAKE) -C lib uninstall
	@$(MAKE) -C tools/iommu-liveupdate uninstall
	@$(MAKE) -C system uninstall

deb:
	@scripts/install-packages.sh deb
	@scripts/deb.sh

kernel-deb:
	@[ -n "$(CONFIG)" ] || { echo "make kernel-deb: CONFIG= is missing, the configuration of a kernel" >&2; exit 2; }
	@scripts/install-packages.sh build kernel-deb
	@scripts/kernel-deb.sh "$(CONFIG)"

check:
	@scripts/install-packages.sh series build unit lib tool
	@scripts/check.sh

check-scripts:
	@scripts/install-packages.sh series
	@tests/scripts/run.sh

check-lib:
	@scripts/install-packages.sh lib
	@PARTS=lib scripts/check.sh

check-tool:
	@scripts/install-packages.sh tool
	@PARTS=tool scripts/check.sh

check-packages:
	@scripts/install-packages.sh build kernel-deb chroot
	@scripts/check-packages.sh

check-long:
	@scripts/install-packages.sh build unit lib
	@PARTS="planted planted-lib long" scripts/check.sh

check-planted:
	@scripts/install-packages.sh unit lib
	@PARTS="planted planted-lib" scripts/check.sh

check-debug check-debian check-mutations soak chain replace-baseline:
	@scripts/install-packages.sh build
	@scripts/run.sh $@

check-systemd:
	@scripts/install-packages.sh build systemd
	@scripts/check-systemd.sh

check-vm:
	@scripts/install-packages.sh build vm
	@scripts/check-vm.sh

coverage:
	@scripts/install-packages.sh build unit
	@scripts/run.sh $@

check-kernel:
	@scripts/install-packages.sh build kernel
	@scripts/run.sh check-kernel

series:
	@scripts/install-packages.sh series
	@scripts/make-series.sh

check-series:
	@scripts/install-packages.sh series build static
	@scripts/check-series.sh

check-arch:
	@scripts/install-packages.sh series build arch
	@scripts/check-arch.sh

apply:
	@scripts/apply-to-tree.sh

clean:
	@scripts/clean.sh
