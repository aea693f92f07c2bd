#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What of the series was executed, from memory that kernels with gcov left.

  coverage.py add STORE KERNEL MEMORY      adds the counters in MEMORY
  coverage.py report STORE KERNEL...       prints lines and branches per file, and the
                                           functions that were never executed

KERNEL is the directory of a kernel that build-kernel.sh made, with vmlinux, System.map
and the notes of gcov; STORE a directory for the sums. The counters are read where the
compiler has put them: so those of a kernel that has handed over are there as well.
"""
import json
import mmap
import os
import pickle
import struct
import subprocess
import sys

ALIGNMENT = 0x200000            # of a kernel in memory
IMAGE_SIZE = 0x40000000         # of what is mapped for it, and its alignment there
# struct gcov_info of kernel/gcov/gcc_4_7.c, for gcc 12 and 13
COUNTERS = 8
INFO = struct.Struct(f"<I4xQII Q {COUNTERS}Q I4xQ".replace(" ", ""))
FUNCTION = struct.Struct("<QIIIxxxx")
MAGIC, FUNCTION_TAG, FUNCTION_LENGTH, UNIT = 0x67636461, 0x01000000, 3, 4


def symbols(kernel):
    with open(os.path.join(kernel, "System.map")) as lines:
        return {name: int(address, 16) for address, _, name in map(str.split, lines)}


class Image:
    """The image of one kernel in the memory of a machine."""

    def __init__(self, kernel, memory):
        self.symbols = symbols(kernel)
        if "gcov_info_head" not in self.symbols:
            sys.exit(f"coverage.py: {kernel} has no counters")
        self.base = self.symbols["linux_banner"] & -IMAGE_SIZE
        self.memory = memory
        self.offset = self.find(self.banner(kernel))

    @staticmethod
    def banner(kernel):
        with open(os.path.join(kernel, "vmlinux"), "rb") as image:
            data = mmap.mmap(image.fileno(), 0, access=mmap.ACCESS_READ)
            at = data.find(b"Linux version ")
            return data[at:data.find(b"\0", at)]

    def find(self, banner):
        """The banner is in the log as well; the image is where the list begins."""
        at = -1
        while (at := self.memory.find(banner, at + 1)) >= 0:
            offset = at - (self.symbols["linux_banner"] - self.base)
            if offset % ALIGNMENT == 0 and self.is_list(offset):
                return offset
        return None

    def is_list(self, offset):
        self.offset = offset
        head = self.pointer(self.symbols["gcov_info_head"])
        return head is not None and head > self.base

    def read(self, address, size):
        at = address - self.base + self.offset
        if address < self.base or at < 0 or at + size > len(self.memory):
            return None
        return self.memory[at:at + size]

    def pointer(self, address):
        data = self.read(address, 8)
        return struct.unpack("<Q", data)[0] if data else None

    def text(self, address):
        at = address - self.base + self.offset
        return self.memory[at:self.memory.find(b"\0", at)].decode()

    def files(self):
        """(name, version, stamp, [(ident, lineno, cfg, {counter: values})])"""
        address = self.pointer(self.symbols["gcov_info_head"])
        while address:
            fields = INFO.unpack(self.read(address, INFO.size))
            version, following, stamp, _, name = fields[:5]
            active = [i for i in range(COUNTERS) if fields[5 + i]]
            count, functions = fields[-2:]
            yield self.text(name), version, stamp, [
                self.function(self.pointer(functions + 8 * i), active) for i in range(count)]
            address = following

    def function(self, address, active):
        _, ident, lineno, cfg = FUNCTION.unpack(self.read(address, FUNCTION.size))
        values = {}
        for place, counter in enumerate(active):
            number, at = struct.unpack("<I4xQ", self.read(address + 24 + 16 * place, 16))
            values[counter] = list(struct.unpack(f"<{number}Q", self.read(at, 8 * number) or b""))
        return ident, lineno, cfg, values


def store_path(store, kernel):
    return os.path.join(store, os.path.basename(os.path.normpath(kernel)) + ".pickle")


def load(store, kernel):
    try:
        with open(store_path(store, kernel), "rb") as file:
            return pickle.load(file)
    except FileNotFoundError:
        return {}


def merge(sums, image):
    for name, version, stamp, functions in image.files():
        old = sums.setdefault(name, (version, stamp, {}))[2]
        for ident, lineno, cfg, values in functions:
            known = old.setdefault((ident, lineno, cfg), {})
            for counter, numbers in values.items():
                before = known.get(counter, [0] * len(numbers))
                known[counter] = [a + b for a, b in zip(before, numbers)]


def add(store, kernel, path):
    os.makedirs(store, exist_ok=True)
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        image = Image(kernel, memory)
        if image.offset is None:
            sys.exit(f"coverage.py: no kernel of {kernel} in {path}")
        sums = load(store, kernel)
        try:
            merge(sums, image)
        except (TypeError, ValueError, struct.error):
            sys.exit(f"coverage.py: the counters of {kernel} in {path} are damaged")
    with open(store_path(store, kernel) + ".new", "wb") as file:
        pickle.dump(sums, file)
    os.rename(store_path(store, kernel) + ".new", store_path(store, kernel))


def gcda(version, stamp, functions):
    data = [MAGIC, version, stamp, 0]
    for (ident, lineno, cfg), values in functions.items():
        data += [FUNCTION_TAG, FUNCTION_LENGTH * UNIT, ident, lineno, cfg]
        for counter, numbers in sorted(values.items()):
            data += [0x01A10000 + (counter << 17), len(numbers) * 2 * UNIT]
            for number in numbers:
                data += [number & 0xFFFFFFFF, number >> 32 & 0xFFFFFFFF]
    return struct.pack(f"<{len(data)}I", *data)


def in_tree(name):
    """drivers/iommu/replace of /.../build-coverage-old/drivers/iommu/replace.gcda"""
    return name.split("/build-coverage", 1)[1].split("/", 1)[1].removesuffix(".gcda")


def gcov(store, kernel, name, sums):
    work = os.path.join(store, "work")
    os.makedirs(work, exist_ok=True)
    version, stamp, functions = sums
    with open(os.path.join(kernel, in_tree(name) + ".gcno"), "rb") as notes:
        with open(os.path.join(work, "file.gcno"), "wb") as copy:
            copy.write(notes.read())
    with open(os.path.join(work, "file.gcda"), "wb") as counters:
        counters.write(gcda(version, stamp, functions))
    out = subprocess.run(["gcov", "-b", "-j", "-t", "file.gcda"], cwd=work, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return json.loads(out.stdout)


class Figures:
    """Of one file, of all kernels together: what one of them does counts."""

    def __init__(self):
        self.lines, self.branches, self.functions = {}, {}, {}

    def take(self, file):
        for line in file["lines"]:
            where = line["line_number"]
            self.lines[where] = self.lines.get(where, 0) + line["count"]
            for i, branch in enumerate(line["branches"]):
                where = line["line_number"], i
                self.branches[where] = self.branches.get(where, 0) + branch["count"]
        for function in file["functions"]:
            name = function["name"].split(".")[0]
            self.functions[name] = self.functions.get(name, 0) + function["execution_count"]


def share(counts):
    done = sum(1 for count in counts.values() if count)
    return f"{done:5} of {len(counts):5}  {100 * done // len(counts) if counts else 100:3} %"


def total(all_figures, what):
    return {(path, key): count for path, figures in all_figures.items()
            for key, count in getattr(figures, what).items()}


def report(store, kernels):
    all_figures = {}
    for kernel in kernels:
        for name, sums in load(store, kernel).items():
            source = in_tree(name) + ".c"
            for file in gcov(store, kernel, name, sums)["files"]:
                if file["file"].endswith(source):
                    all_figures.setdefault(source, Figures()).take(file)
    if not all_figures:
        sys.exit("coverage.py: there are no counters")
    print(f"{'file':52}{'lines':>16}{'branches':>24}")
    for path, figures in sorted(all_figures.items()):
        print(f"{path:46}{share(figures.lines)}  {share(figures.branches)}")
    lines, branches = total(all_figures, "lines"), total(all_figures, "branches")
    print(f"{'all':46}{share(lines)}  {share(branches)}")
    print("\nfunctions that were never executed:")
    for path, figures in sorted(all_figures.items()):
        names = sorted(name for name, count in figures.functions.items() if not count)
        if names:
            print(f"  {path}: {' '.join(names)}")


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "add":
        add(*sys.argv[2:])
    elif len(sys.argv) > 3 and sys.argv[1] == "report":
        report(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(__doc__)


main()
