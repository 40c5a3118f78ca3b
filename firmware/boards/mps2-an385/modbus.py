#!/usr/bin/env python3
"""A Modbus RTU soil probe (DFRobot SEN0601) behind QEMU's serial port: `modbus.py SOCKET`.

It listens on a Unix socket, answers function 3 at address 1 with 31.2 % of moisture, 24.5 degrees and
1,180 uS/cm, and refuses other registers with exception 2. A line `quiet` on standard input makes it
silent, `speak` ends that. It ends with its standard input or when QEMU hangs up."""
import os
import select
import socket
import struct
import sys

REGISTERS = [312, 245, 1180]
QUESTION_BYTES = 8


def with_checksum(body):
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return body + struct.pack("<H", crc)


def answer(question):
    address, function, first, count = struct.unpack(">BBHH", question[:6])
    if with_checksum(question[:6]) != question or address != 1:
        return b""
    if function != 3 or first + count > len(REGISTERS) or count == 0:
        return with_checksum(bytes([address, function | 0x80, 2]))
    values = b"".join(struct.pack(">H", value) for value in REGISTERS[first : first + count])
    return with_checksum(bytes([address, function, len(values)]) + values)


def main():
    path = sys.argv[1]
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    print("ready", flush=True)
    line, _ = listener.accept()
    pending, quiet, inputs = b"", False, [line, sys.stdin]
    while True:
        readable, _, _ = select.select(inputs, [], [])
        if sys.stdin in readable:
            word = sys.stdin.readline()
            if not word:
                return
            quiet = word.strip() == "quiet"
        if line in readable:
            more = line.recv(256)
            if not more:
                return
            pending += more
            while len(pending) >= QUESTION_BYTES:
                question, pending = pending[:QUESTION_BYTES], pending[QUESTION_BYTES:]
                if not quiet:
                    line.sendall(answer(question))


main()
