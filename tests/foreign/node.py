"""A stranger plays a node at our gateway: birth, readings, a gap, an event, repeats and another order.

usage: SECRET=... node.py PORT SITE NODE

Prints a line `reading SEQUENCE VALUE QUALITY` for each that was acknowledged, then `done`.
"""

import os
import sys
import time

from contract import client, connect, decode, encode

PORT, SITE, NODE = int(sys.argv[1]), *sys.argv[2:4]
SECRET = os.environ["SECRET"]
TOPIC = f"miaopu/1/{SITE}/{NODE}"
FLASH, BOOT = 0x5EED0001, 1
BEGAN = time.monotonic()
acknowledged, answered, commands, troubles = set(), [], [], []


def uptime():
    return int((time.monotonic() - BEGAN) * 1000) + 60_000


def heard(_client, _data, arrived):
    try:
        if arrived.topic.endswith("/cmd"):
            commands.append(arrived.payload)
            return
        message = decode("ack", arrived.payload)
        assert message[1] == FLASH
        answered.append((message, time.time_ns() // 1000))
        for first, last in message[7]:
            acknowledged.update(range(first, last + 1))
    except Exception as error:  # paho would swallow it
        troubles.append(f"{arrived.topic}: {error!r}: {arrived.payload.hex()}")


node = client(f"{SITE}/{NODE}", f"{SITE}/{NODE}", SECRET, (f"{TOPIC}/death", encode({0: 1, 2: BOOT, 4: 1})))
node.on_message = heard
connect(node, PORT)
node.loop_start()
node.subscribe([(f"{TOPIC}/ack", 1), (f"{TOPIC}/cmd", 1), (f"{TOPIC}/ota", 1)])
deadline = time.time() + 30


def wait(what, ready):
    while not ready():
        if troubles or time.time() > deadline:
            sys.exit("\n".join(troubles) or f"waited in vain for {what}")
        time.sleep(0.02)


def say(kind, message, retain=False):
    node.publish(f"{TOPIC}/{kind}", encode(message), qos=1, retain=retain).wait_for_publish(5)


def frame(first, values):
    """One reading a second of channel 0, the first five seconds after the boot; None is a broken wire."""
    items, before = [], 0
    for nth, value in enumerate(values):
        after = (first + 5) * 1000 if nth == 0 else 1000
        if value is None:
            items.append([0, after, None, 9, 9])
        else:
            items.append([0, after, value - before, 3] if value > 40_000 else [0, after, value - before])
            before = value
    return {0: 1, 8: items, 6: first, 3: uptime(), 2: BOOT, 1: FLASH, 5: boot_utc}


# Keys in another order than ours, keys that nobody knows, and numbers longer than they need to be.
channels = [{0: 1, 1: "canopy", 2: "thermistor", 77: "later"}, {0: 21, 1: "cabinet", 2: "relay", 4: True}]
say("birth", {0: 1, 17: channels, 16: "a stranger 1", 14: 1000, 13: 50_000, 12: 9, 6: 100, 4: 1, 3: uptime(),
              2: BOOT, 1: FLASH, 99: {"unknown": [1, None]}}, retain=True)  # fmt: skip
wait("the answer to the birth", lambda: answered)
message, received = answered[0]
assert message[7] == [] and abs(message[5] - received) < 60_000_000, "the gateway's clock"
boot_utc = message[5] - uptime() * 1000

taken = {sequence: 20_000 + 10 * sequence for sequence in range(10)}
taken[3] = None
taken[7] = 41_000
values = [taken[sequence] for sequence in range(10)]
say("data", frame(5, values[5:]))
say("data", frame(0, values[:5]))
say("data", frame(0, values[:5]))
say("data", {0: 1, 1: FLASH, 2: BOOT, 3: uptime(), 7: [[10, 19]], 9: 2})
event = {0: 0, 1: 4711, 2: 20, 3: 1, 4: 25_000, 5: 41_000, 6: 1}
say("data", {0: 1, 1: FLASH, 2: BOOT, 3: uptime(), 6: 20, 5: boot_utc, 28: event})
wait("all acknowledgements", lambda: acknowledged >= set(range(21)))
# An answer to a command that was never given, and an update that was never offered, disturb nobody.
say("data", {0: 1, 1: FLASH, 2: BOOT, 3: uptime(), 18: 1, 21: 1, 27: "nothing"})
say("data", {0: 1, 1: FLASH, 2: BOOT, 3: uptime(), 26: 9, 29: 1, 30: 0, 31: 512})
say("data", frame(21, [25_000]))
taken[21] = 25_000
wait("the last acknowledgement", lambda: 21 in acknowledged)
node.loop_stop()
node.disconnect()
for sequence, value in sorted(taken.items()):
    quality = 9 if value is None else 3 if value > 40_000 else 1
    print(f"reading {sequence} {'open' if value is None else value} {quality}")
print("done")
