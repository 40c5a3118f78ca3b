"""The wire contract as a stranger writes it from firmware/wire/miaopu.cddl: cbor2, and nothing of ours."""

import os

import cbor2
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

OLD = os.environ.get("MQTT") == "311"
GOOD = 1
QUALITIES = (1, 2, 3, 4, 9)
FAULTS = range(1, 11)
QUANTITIES = range(1, 24)
LIMITS = {"birth": 3000, "data": 1024, "death": 32, "ack": 256, "cmd": 1152}


def client(name, user=None, password=None, will=None):
    """Returns a client with a session that ends with its connection: of MQTT 5, or 3.1.1 where MQTT says 311."""
    more = {}
    if hasattr(mqtt, "CallbackAPIVersion"):
        more["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION1
    if OLD:
        more["clean_session"] = True
    made = mqtt.Client(client_id=name, protocol=mqtt.MQTTv311 if OLD else mqtt.MQTTv5, **more)
    if user:
        made.username_pw_set(user, password)
    if will:
        made.will_set(will[0], will[1], qos=1, retain=False)
    return made


def connect(made, port):
    if OLD:
        made.connect("127.0.0.1", port, keepalive=20)
        return
    properties = Properties(PacketTypes.CONNECT)
    made.connect("127.0.0.1", port, keepalive=20, clean_start=True, properties=properties)


def encode(message):
    return cbor2.dumps(message)


def decode(kind, payload):
    """Reads one message and checks it against its rule of the CDDL."""
    assert len(payload) <= LIMITS[kind], f"{kind} of {len(payload)} bytes"
    message = cbor2.loads(payload)
    assert list(message)[0] == 0 and message[0] == 1, "the version comes first"
    check = {"birth": birth, "data": data, "death": death, "ack": ack}[kind]
    check(message)
    return message


def uint(value, bits=64):
    assert isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << bits, value


def slug(value):
    assert isinstance(value, str) and 1 <= len(value) <= 32, value
    assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in value), value


def birth(message):
    for key in (1, 2, 4, 12, 13, 14):
        uint(message[key], 32)
    uint(message[3])
    uint(message[6])
    assert isinstance(message[16], str) and len(message[16].encode()) <= 32
    assert len(message[17]) <= 32
    for channel in message[17]:
        assert channel[0] in QUANTITIES
        slug(channel[1])
        slug(channel[2])
    places = [(channel[0], channel[1]) for channel in message[17]]
    assert len(places) == len(set(places)), "quantity and position are unique"


def data(message):
    uint(message[1], 32)
    uint(message[2], 32)
    uint(message[3])
    bodies = [key for key in (8, 7, 21, 28, 29) if key in message]
    assert len(bodies) == 1, f"one body, not {bodies}"
    if 8 in message:
        uint(message[6])
        assert len(message[8]) <= 128
    if 7 in message:
        [[first, last]] = message[7]
        assert first <= last and message[9] in (1, 2, 3)
    if 21 in message:
        uint(message[18], 32)
        assert message[21] in (0, 1, 2)
        assert len(message.get(27, "").encode()) <= 48
    if 28 in message:
        uint(message[6])
        assert message[28][3] in (1, 2, 3)
    if 29 in message:
        assert message[29] in range(1, 7) and 0 <= message[31] <= 512


def death(message):
    uint(message[2], 32)
    uint(message[4], 32)


def ack(message):
    uint(message[1], 32)
    uint(message[3])
    uint(message[5])
    assert len(message[7]) <= 8
    for first, last in message[7]:
        assert first <= last


def readings(message):
    """Yields sequence, channel, uptime in ms, value or None, quality and fault of a frame's readings."""
    uptime, values = 0, {}
    for nth, reading in enumerate(message[8]):
        assert len(reading) in (3, 4, 5), reading
        channel, after, delta = reading[:3]
        assert 0 <= channel < 32
        uint(after)
        uptime += after
        quality = reading[3] if len(reading) > 3 else GOOD
        assert quality in QUALITIES
        value = fault = None
        if len(reading) == 5:
            assert delta is None and reading[4] in FAULTS
            fault = reading[4]
        else:
            value = values[channel] = values.get(channel, 0) + delta
            assert -(1 << 31) <= value < 1 << 31
        yield message[6] + nth, channel, uptime, value, quality, fault
