"""A stranger plays a node that takes an update: it knows the CDDL, openssl and the public key, and nothing of ours.

usage: SECRET=... update.py PORT SITE NODE TARGET PUBLIC_KEY_HEX FOLDER

It runs release 1 and loses every fourth chunk. Halfway it prints `half` and says nothing until its connection
breaks; then it goes on from there. When the image is whole it prints `image SHA256 RESUMED_AT`, restarts into it
by a new birth, says trial and confirmed, and prints `done`.
"""

import hashlib
import os
import subprocess
import sys
import time

import cbor2
from contract import client, connect, decode, encode

PORT, SITE, NODE, TARGET, PUBLIC, FOLDER = int(sys.argv[1]), *sys.argv[2:7]
TOPIC = f"miaopu/1/{SITE}/{NODE}"
FLASH, BOOT = 0x5EED0002, 1
BEGAN = time.monotonic()
births, offers, troubles, chunks = [], [], [], []
broken = []


def uptime():
    return int((time.monotonic() - BEGAN) * 1000) + 60_000


def heard(_client, _data, arrived):
    try:
        kind = arrived.topic.rsplit("/", 1)[1]
        if kind == "ack":
            births.append(decode("ack", arrived.payload))
            return
        message = cbor2.loads(arrived.payload)
        assert list(message)[0] == 0 and message[0] == 1, "the version comes first"
        if kind == "cmd" and message[19] == 6:
            assert len(arrived.payload) <= 1152
            offers.append(message)
        elif kind == "ota":
            assert len(arrived.payload) <= 576
            assert set(message) == {0, 26, 30, 32} and 1 <= len(message[32]) <= 512
            chunks.append(message)
    except Exception as error:  # paho would swallow it
        troubles.append(f"{arrived.topic}: {error!r}: {arrived.payload.hex()}")


def connected(_client, *_):
    node.subscribe([(f"{TOPIC}/ack", 1), (f"{TOPIC}/cmd", 1), (f"{TOPIC}/ota", 1)])


node = client(f"{SITE}/{NODE}", f"{SITE}/{NODE}", os.environ["SECRET"])
node.reconnect_delay_set(1, 1)
node.on_message, node.on_connect = heard, connected
node.on_disconnect = lambda *_: broken.append(True)
connect(node, PORT)
node.loop_start()
deadline = time.time() + 90


def wait(what, ready, seconds=None):
    until = deadline if seconds is None else time.time() + seconds
    while not ready():
        if troubles or time.time() > deadline:
            sys.exit("\n".join(troubles) or f"waited in vain for {what}")
        if time.time() > until:
            return False
        time.sleep(0.005)
    return True


def say(kind, message, retain=False):
    node.publish(f"{TOPIC}/{kind}", encode(message), qos=1, retain=retain)


def be_born(release, session):
    before = len(births)
    channels = [{0: 1, 1: "canopy", 2: "thermistor"}]
    birth = {0: 1, 1: FLASH, 2: BOOT, 3: uptime(), 4: session, 6: 0, 12: 0, 13: 10, 14: 1000, 16: "a stranger",
             17: channels, 25: TARGET, 26: release}  # fmt: skip
    while len(births) == before:
        say("birth", birth, retain=True)
        wait("the answer to the birth", lambda: len(births) > before, 2)


def update(release, state, offset, length):
    say("data", {0: 1, 1: FLASH, 2: BOOT, 3: uptime(), 26: release, 29: state, 30: offset, 31: length})


def check(manifest, signature):
    paths = {name: os.path.join(FOLDER, name) for name in ("key.der", "manifest", "signature")}
    for name, content in (("key.der", bytes.fromhex("302a300506032b6570032100" + PUBLIC)), ("manifest", manifest),
                          ("signature", signature)):  # fmt: skip
        with open(paths[name], "wb") as file:
            file.write(content)
    subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths["key.der"], "-rawin",
         "-in", paths["manifest"], "-sigfile", paths["signature"]],
        check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    told = cbor2.loads(manifest)
    assert set(told) == set(range(6)) and told[0] == 1 and told[1] == TARGET and told[2] == 2, told
    return told


be_born(1, 1)
wait("the offer", lambda: offers)
offer = offers[0]
told = check(offer[34], offer[35])
say("data", {0: 1, 1: FLASH, 2: BOOT, 3: uptime(), 18: offer[18], 21: 0})
length, image, lost, resumed = told[4], b"", 0, None

# Bytes that there are not, and more than fit a chunk, bring no answer and no harm.
for offset, count in ((length, 1), (length - 1, 512), (0, 0)):
    update(2, 1, offset, count)
    time.sleep(0.3)
assert not chunks, "nothing was there to be sent"

while len(image) < length:
    if resumed is None and len(image) >= length // 2:
        print("half", flush=True)
        wait("the end of the connection", lambda: broken)
        broken.clear()
        resumed = len(image)
        wait("a new connection", node.is_connected)
        be_born(1, 2)
    want = min(512, length - len(image))
    chunks.clear()
    update(2, 1, len(image), want)
    if not wait("a chunk", lambda: chunks, 1):
        continue
    found = chunks[0]
    lost += 1
    if lost % 4 == 0:
        continue
    if found[26] == 2 and found[30] == len(image):
        assert len(found[32]) == want
        image += found[32]

digest = hashlib.sha256(image).digest()
assert digest == told[5], "the image is another than was signed"
print(f"image {digest.hex()} {resumed}", flush=True)
update(2, 2, length, 0)
BOOT = 2
be_born(2, 1)
update(2, 3, length, 0)
time.sleep(0.2)
update(2, 4, length, 0)
wait("the words to be heard", lambda: False, 3)
node.loop_stop()
node.disconnect()
print("done", flush=True)
