#!/usr/bin/env python3
"""Prints what each image takes, and checks it against its limits and against the table in firmware/FOOTPRINT.md.

usage: footprint.py [--write]

Flash is every byte that is programmed: allocated sections with contents, without padding. RAM is every byte of
data, zeroed data and code in RAM; the stack and the heap come on top and stand in the table by hand. `--write` puts
the measured numbers into the table.
"""

import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "firmware/FOOTPRINT.md"
BOARDS = ROOT / "firmware/boards"
KIB = 1024
# The compiler is the stable one of the day, so sizes move a little.
TOLERANCE = 0.03

# What is wanted of an image's flash and not reached yet, in bytes: told each time. Its limit below keeps it from
# growing meanwhile.
WANTED = {"esp32c6": 720 * KIB, "esp32c6-plain": 720 * KIB}

# name: path, limits of flash and RAM in bytes, addresses of RAM
IMAGES = {
    "mps2-an385": (BOARDS / "mps2-an385/target/thumbv7m-none-eabi/release/mps2-an385", 200 * KIB, 40 * KIB,
                   (0x2000_0000, 0x2100_0000)),
    "mps2-an385-tls": (BOARDS / "mps2-an385/target/thumbv7m-none-eabi/release/mps2-an385-tls", 320 * KIB, 64 * KIB,
                       (0x2000_0000, 0x2100_0000)),
    "mps2-an385-boot": (BOARDS / "mps2-an385/target/thumbv7m-none-eabi/release/mps2-an385-boot", 32 * KIB, 8 * KIB,
                        (0x2000_0000, 0x2100_0000)),
    "esp32c6": (BOARDS / "esp32c6/target/riscv32imac-unknown-none-elf/release/esp32c6", 852 * KIB, 320 * KIB,
                (0x4080_0000, 0x4088_0000)),
    "esp32c6-plain": (BOARDS / "esp32c6/target/riscv32imac-unknown-none-elf/release/esp32c6-plain", 752 * KIB, 320 * KIB,
                      (0x4080_0000, 0x4088_0000)),
}  # fmt: skip

PROGBITS, NOBITS, INIT_ARRAY = 1, 8, 14
WRITE, ALLOC = 1, 2
# Holes that the linker leaves, and the room of the stack: neither is programmed.
NOT_COUNTED = re.compile(r"\.(stack|.*gap.*|.*dummy.*)")


def sections(path):
    """Yields name, type, flags, address and size of each section of a 32-bit little-endian ELF."""
    elf = path.read_bytes()
    assert elf[:6] == b"\x7fELF\x01\x01", f"{path} is no 32-bit little-endian ELF"
    (offset,) = struct.unpack_from("<I", elf, 0x20)
    size, count, names_at = struct.unpack_from("<HHH", elf, 0x2E)
    headers = [struct.unpack_from("<10I", elf, offset + nth * size) for nth in range(count)]
    names = headers[names_at][4]
    for name, kind, flags, address, _, length, *_ in headers:
        end = elf.index(b"\0", names + name)
        yield elf[names + name : end].decode(), kind, flags, address, length


def measure(path, ram):
    flash_bytes = ram_bytes = 0
    for name, kind, flags, address, length in sections(path):
        if not flags & ALLOC or NOT_COUNTED.fullmatch(name):
            continue
        if kind in (PROGBITS, INIT_ARRAY):
            flash_bytes += length
        if ram[0] <= address < ram[1]:
            ram_bytes += length
    return flash_bytes, ram_bytes


def main():
    text = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    faults = []
    print(f"{'image':18} {'flash':>9} {'limit':>9} {'RAM':>9} {'limit':>9}   bytes")
    for name, (path, flash_max, ram_max, ram) in IMAGES.items():
        if not path.exists():
            faults.append(f"{name}: not built; {path.relative_to(ROOT)} is missing")
            continue
        found = measure(path, ram)
        print(f"{name:18} {found[0]:9,} {flash_max:9,} {found[1]:9,} {ram_max:9,}")
        wanted = WANTED.get(name, flash_max)
        if wanted < min(found[0], flash_max):
            print(f"{name}: {found[0] - wanted:,} bytes of flash above the {wanted:,} that are wanted of it")
        for what, is_now, limit in zip(("flash", "RAM"), found, (flash_max, ram_max), strict=True):
            if is_now > limit:
                faults.append(f"{name}: {is_now:,} bytes of {what}, the limit is {limit:,}")
        row = re.search(rf"^\| {re.escape(name)} \| ([\d,]+) \| ([\d,]+) \|", text, re.M)
        if not row:
            faults.append(f"{name}: has no row in firmware/FOOTPRINT.md")
            continue
        if "--write" in sys.argv:
            fresh = f"| {name} | {found[0]:,} | {found[1]:,} |"
            text = text.replace(row.group(0), fresh)
            continue
        for what, is_now, said in zip(("flash", "RAM"), found, row.groups(), strict=True):
            said = int(said.replace(",", ""))
            if abs(is_now - said) > TOLERANCE * said:
                faults.append(f"{name}: {is_now:,} bytes of {what}, the table says {said:,}: run footprint.py --write")
    if "--write" in sys.argv:
        TABLE.write_text(text, encoding="utf-8")
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
