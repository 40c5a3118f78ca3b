#!/usr/bin/env python3
"""Works on the board's images and flash files; needs nothing but Python.

  image.py bin ELF BIN          writes the bytes of an image, as they lie in its slot
  image.py new FLASH            makes an erased flash, where there is none
  image.py prepare FLASH ELF    writes the provisioning page from standard input, and the image into
                                the active slot where ELF is not the one that was written last
The flash is a file of 16 MiB; its map is that of
flash/src/lib.rs. Exit codes: 0; 65 what is given is no image or no provisioning; 66 a file is missing
or cannot be made.
"""

import hashlib
import os
import struct
import sys

FLASH_BYTES = 16 << 20
BASE = 0x2100_0000
PROVISION, PAGE = 0x10_0000, 0x1000
UPDATE = (0x10_1000, 0x10_4000)  # progress and the boot loader's state
ACTIVE = (0x11_0000, 0x16_0000)
DFU = (0x16_0000, 0x1B_1000)
WRITTEN = 0xFF_F000  # the SHA-256 of the ELF in the slot


def fail(code, message):
    print(f"image.py: {message}", file=sys.stderr)
    sys.exit(code)


def load(path):
    """Returns the bytes that an ELF puts into the active slot: its loadable segments, by address."""
    elf = open(path, "rb").read()
    if elf[:6] != b"\x7fELF\x01\x01" or len(elf) < 52:
        fail(65, f"`{path}` is no ELF of 32 bits")
    first = struct.unpack_from("<I", elf, 28)[0]
    size, count = struct.unpack_from("<HH", elf, 42)
    image = bytearray()
    for at in range(first, first + size * count, size):
        kind, offset, _, address, length = struct.unpack_from("<5I", elf, at)
        if kind != 1 or length == 0:
            continue
        start = address - BASE - ACTIVE[0]
        if start < 0 or start + length > ACTIVE[1] - ACTIVE[0]:
            fail(65, f"`{path}` has bytes at {address:#010x}, outside of the active slot")
        image.extend(b"\xff" * (start + length - len(image)))
        image[start : start + length] = elf[offset : offset + length]
    if not image:
        fail(65, f"`{path}` has nothing to load")
    return bytes(image.ljust((len(image) + 3) // 4 * 4, b"\xff")), hashlib.sha256(elf).digest()


def make(path):
    """Makes an erased flash, which appears whole or not at all."""
    new = f"{path}.new.{os.getpid()}"
    with open(new, "wb") as flash:
        flash.write(b"\xff" * DFU[1])
        flash.truncate(FLASH_BYTES)
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(new)


def put(flash, start, end, data=b""):
    flash.seek(start)
    flash.write(data.ljust(end - start, b"\xff"))


def prepare(path, elf):
    size = os.path.getsize(path)
    if size != FLASH_BYTES:
        fail(66, f"`{path}` is no flash of this image: it has {size} bytes, not {FLASH_BYTES}")
    image, digest = load(elf)
    text = sys.stdin.buffer.read()
    head = f"miaopu-provision-1 sha256={hashlib.sha256(text).hexdigest()}\n".encode()
    if len(head) + len(text) > PAGE:
        fail(65, f"the provisioning has {len(head) + len(text)} bytes; {PAGE} fit its page")
    with open(path, "r+b", buffering=0) as flash:
        put(flash, PROVISION, PROVISION + PAGE, head + text)
        flash.seek(WRITTEN)
        if flash.read(len(digest)) == digest:
            return
        # The note goes first and comes last: whoever is killed in between writes all of it again.
        put(flash, WRITTEN, WRITTEN + PAGE)
        put(flash, *UPDATE)
        put(flash, *DFU)
        put(flash, *ACTIVE, image)
        put(flash, WRITTEN, WRITTEN + PAGE, digest)
    print(f"image.py: wrote {len(image)} bytes of `{elf}` into the active slot", file=sys.stderr)


def main(arguments):
    try:
        match arguments:
            case ["bin", elf, to]:
                with open(to, "wb") as file:
                    file.write(load(elf)[0])
            case ["new", flash]:
                make(flash)
            case ["prepare", flash, elf]:
                prepare(flash, elf)
            case _:
                print(__doc__, file=sys.stderr)
                sys.exit(64)
    except (OSError, struct.error) as error:
        fail(66, error)


if __name__ == "__main__":
    main(sys.argv[1:])
