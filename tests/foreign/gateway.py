"""A stranger plays the gateway at a plain broker: decodes every frame of a node, acknowledges it, commands it.

usage: gateway.py PORT SITE NODE READINGS

Prints a line `reading FLASH SEQUENCE CHANNEL UPTIME_MS VALUE QUALITY` for each that is new, then `done`.
"""

import sys
import time

from contract import client, connect, decode, encode, readings

PORT, SITE, NODE, WANTED = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
TOPIC = f"miaopu/1/{SITE}/{NODE}"
FAULT_NAMES = [
    "", "not_present", "bus", "checksum", "not_ready", "out_of_range", "saturated", "device", "shorted", "open",
    "refused",
]  # fmt: skip
kept, answers, births, troubles = {}, {}, [], []

# id -> command and what its answer must be
SETTINGS = {0: 7, 1: 300, 5: [{0: 0, 3: 0}], 6: [[9, 0, 2, 90_000, 500, 1, 1, 1]]}
COMMANDS = {
    11: ({19: 2}, 0),
    12: ({19: 3, 20: 250}, 0),
    13: ({19: 3, 20: 1}, 1),
    14: ({19: 99}, 2),
    15: ({19: 5, 33: {**SETTINGS, 5: [{0: 31}]}}, 1),
    16: ({19: 5, 33: SETTINGS}, 0),
}


def acknowledge(message, ranges):
    utc = time.time_ns() // 1000
    gateway.publish(f"{TOPIC}/ack", encode({0: 1, 1: message[1], 3: message[3], 5: utc, 7: ranges}), qos=1)


def heard(_client, _data, arrived):
    try:
        take(arrived)
    except Exception as error:  # paho would swallow it
        troubles.append(f"{arrived.topic}: {error!r}: {arrived.payload.hex()}")


def take(arrived):
    kind = arrived.topic.rsplit("/", 1)[1]
    message = decode(kind, arrived.payload)
    if kind == "birth":
        births.append(message)
        acknowledge(message, [])
    elif kind == "data" and 8 in message:
        ranges = []
        for sequence, channel, uptime, value, quality, fault in readings(message):
            said = (channel, uptime, FAULT_NAMES[fault] if value is None else value, quality)
            before = kept.setdefault((message[1], sequence), said)
            assert before == said, f"sequence {sequence} stands for {before} and {said}"
            ranges = [[message[6], sequence]]
        acknowledge(message, ranges)
    elif kind == "data" and 7 in message:
        acknowledge(message, message[7])
    elif kind == "data" and 28 in message:
        acknowledge(message, [[message[6], message[6]]])
    elif kind == "data" and 21 in message:
        answers[message[18]] = (message[21], message.get(27, ""))


gateway = client("a-stranger")
gateway.on_message = heard
connect(gateway, PORT)
gateway.subscribe([(f"miaopu/1/+/+/{kind}", 1) for kind in ("birth", "data", "death")])
gateway.loop_start()
deadline = time.time() + 90


def wait(what, ready):
    while not ready():
        if troubles or time.time() > deadline:
            sys.exit("\n".join(troubles) or f"waited in vain for {what}")
        time.sleep(0.05)


wait("a birth", lambda: births)
wait("a reading", lambda: kept)
for number, (command, outcome) in COMMANDS.items():
    gateway.publish(f"{TOPIC}/cmd", encode({0: 1, 18: number, **command}), qos=1)
    wait(f"the answer to {command}", lambda: number in answers)
    if answers[number][0] != outcome:
        sys.exit(f"command {command} was answered {answers[number]}, not {outcome}")
if "channels[0]" not in answers[15][1]:
    sys.exit(f"the refusal does not name what is wrong: {answers[15]}")
wait("a birth with the settings", lambda: any(birth.get(22) == 7 for birth in births))
wait(f"{WANTED} readings", lambda: len(kept) >= WANTED)
gateway.loop_stop()
for (flash, sequence), (channel, uptime, value, quality) in sorted(kept.items()):
    print(f"reading {flash:08x} {sequence} {channel} {uptime} {value} {quality}")
print("done")
