#!/usr/bin/env python3
"""Computes what batches lived through anew from a study's raw readings, and compares.

    python3 exposure_brute_force.py FOLDER [ZIP]

An independent voice: it knows nothing but the study's own files and the words of its dictionary, uses
the standard library alone, and looks at every instant by itself instead of sweeping over time. It ends
with 0 where every number of exposure.csv and days.csv is the same within 1e-6 (of 1, or of the number
where that is larger), and where the ZIP, if one is named, holds the very bytes of the folder.
"""

import bisect
import csv
import json
import math
import sys
import zipfile
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
FAR_US = 10**18
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
LIGHTS = ("illuminance", "ppfd")
NUMBERS = ("hours", "coverage", "min", "mean", "max", "hours_below", "hours_above", "integral")


def microseconds(text):
    """Reads RFC 3339 in UTC as whole microseconds since 1970."""
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // timedelta(microseconds=1)


def rows(folder, name):
    with open(folder / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Study:
    def __init__(self, folder):
        self.words = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
        self.segments = defaultdict(list)
        for row in rows(folder, "batches.csv"):
            row["from"], row["to"] = microseconds(row["from"]), microseconds(row["to"])
            self.segments[row["site"], row["batch"]].append(row)
        self.nights = defaultdict(list)
        for row in rows(folder, "nights.csv"):
            night = (microseconds(row["from"]), microseconds(row["to"]))
            self.nights[row["site"], row["zone"]].append(night)
        self.readings = defaultdict(list)
        for row in rows(folder, "series.csv"):
            key = (row["site"], row["node"], row["position"], row["quantity"])
            usable = row["value"] != "" and row["quality"] not in ("4", "9")
            value = float(row["value"]) if usable else None
            self.readings[key].append((microseconds(row["time"]), value, row["zone"]))
        for readings in self.readings.values():
            readings.sort()
        self.times = {key: [time for time, *_ in it] for key, it in self.readings.items()}
        self.hold = {
            (it["site"], it["zone"]): round(it["hold_s"] * 1e6) for it in self.words["zones"]
        }
        self.zone_times = {it["site"]: ZoneInfo(it["time_zone"]) for it in self.words["sites"]}
        self.stages = {
            (it["crop"], it["method"], it["stage"]): it for it in self.words["stages"]
        }
        self.places = defaultdict(list)
        for it in self.words["node_placements"]:
            self.places[it["site"], it["node"]].append((microseconds(it["from"]), it["zone"]))
        for places in self.places.values():
            places[0] = (-FAR_US, places[0][1])
        self.channels = [
            (it["site"], it["node"], it["position"], it["quantity"])
            for it in self.words["channels"]
        ]

    def place(self, node, at):
        """Returns where a node stands, and since when."""
        found = None
        for since, zone in self.places[node]:
            if since <= at:
                found = (zone, since) if found is None or found[0] != zone else found
        return found

    def counting(self, segment, quantity, at):
        """Returns the channels of a quantity that count for a segment at an instant."""
        site = segment["site"]
        here = [
            key
            for key in self.channels
            if key[0] == site
            and key[3] == quantity
            and self.place(key[:2], at)[0] == segment["zone"]
        ]
        own = [key for key in here if key[2] == segment["position"]]
        return own or here

    def value(self, segment, quantity, at):
        """Returns the mean of the readings that stand at an instant, or None."""
        site, zone = segment["site"], segment["zone"]
        standing = []
        for key in self.counting(segment, quantity, at):
            index = bisect.bisect_right(self.times.get(key, []), at) - 1
            if index < 0:
                continue
            time, value, taken_in = self.readings[key][index]
            stays = self.place(key[:2], at)[1] <= time and taken_in == zone
            if value is not None and stays and at - time < self.hold[site, zone]:
                standing.append(value)
        return sum(standing) / len(standing) if standing else None

    def is_night(self, segment, at):
        nights = self.nights[segment["site"], segment["zone"]]
        return any(dusk <= at < dawn for dusk, dawn in nights)

    def target(self, segment, quantity, night):
        """Returns the lower and the upper edge of what the segment's stage wants."""
        stage = self.stages[segment["crop"], segment["method"], segment["stage"]]
        of = [it for it in stage["targets"] if it["quantity"] == quantity]
        own = [it for it in of if it["period"] == ("night" if night else "day")]
        chosen = own or [it for it in of if it["period"] == "all"]
        if not chosen:
            return None, None
        low, high = chosen[0]["low"], chosen[0]["high"]
        return (None if night and quantity in LIGHTS else low), high

    def rate(self, segment, quantity, value):
        """Returns what a microsecond at a value adds to the integral, or None."""
        stage = self.stages[segment["crop"], segment["method"], segment["stage"]]
        if quantity in ("air_temperature", "substrate_temperature"):
            thermal = stage["thermal_time"]
            upper = thermal["upper_cel"]
            capped = value if upper is None else min(value, upper)
            return max(0.0, capped - thermal["base_cel"]) / DAY_US
        if quantity == "ppfd":
            return value / 1e12
        if quantity == "illuminance":
            return value / self.words["constants"]["sunlight_lux_per_micromole"] / 1e12
        if quantity == "vapour_pressure_deficit":
            return value / HOUR_US
        return None

    def midnights(self, site, start, end):
        """Returns the local days that a span touches: (date, from, to)."""
        zone = self.zone_times[site]
        date = (EPOCH + timedelta(microseconds=start)).astimezone(zone).date()
        while True:
            bounds = []
            for day in (date, date + timedelta(days=1)):
                local = datetime(day.year, day.month, day.day, tzinfo=zone)
                bounds.append((local - EPOCH) // timedelta(microseconds=1))
            if bounds[0] >= end:
                return
            yield date.isoformat(), bounds[0], bounds[1]
            date += timedelta(days=1)


class Sum:
    def __init__(self):
        self.us = self.covered = self.below = self.above = 0
        self.parts, self.integrals = [], []
        self.min = self.max = None
        self.has_low = self.has_high = self.has_integral = False

    def take(self, study, segment, quantity, us, value, night):
        if value is None:
            return
        self.covered += us
        self.parts.append(us * value)
        self.min = value if self.min is None else min(self.min, value)
        self.max = value if self.max is None else max(self.max, value)
        low, high = study.target(segment, quantity, night)
        self.below += us if low is not None and value < low - 1e-9 else 0
        self.above += us if high is not None and value > high + 1e-9 else 0
        rate = study.rate(segment, quantity, value)
        if rate is not None:
            self.integrals.append(us * rate)

    def knows(self, study, segment, quantity):
        for night in (False, True):
            low, high = study.target(segment, quantity, night)
            self.has_low |= low is not None
            self.has_high |= high is not None
        self.has_integral |= study.rate(segment, quantity, 0.0) is not None

    def numbers(self):
        return {
            "hours": self.us / HOUR_US,
            "coverage": self.covered / self.us if self.us else 0.0,
            "min": self.min,
            "mean": math.fsum(self.parts) / self.covered if self.covered else None,
            "max": self.max,
            "hours_below": self.below / HOUR_US if self.has_low else None,
            "hours_above": self.above / HOUR_US if self.has_high else None,
            "integral": math.fsum(self.integrals) if self.has_integral else None,
        }


def deficit(air, humidity):
    saturated = 0.6108 * math.exp(17.27 * air / (air + 237.3))
    return saturated * (1 - humidity / 100)


def instants(study, segment, edges):
    """Returns every instant of a segment at which anything may change."""
    cuts = {segment["from"], segment["to"], *edges}
    hold = study.hold[segment["site"], segment["zone"]]
    for key in study.channels:
        if key[0] == segment["site"]:
            for time in study.times.get(key, []):
                cuts.update((time, time + hold))
    for node, places in study.places.items():
        cuts.update(since for since, _ in places)
    for night in study.nights[segment["site"], segment["zone"]]:
        cuts.update(night)
    return sorted(cut for cut in cuts if segment["from"] <= cut <= segment["to"])


def live(study, batch):
    """Returns the sums of a batch by (date, stage) and quantity, and the time by (date, stage)."""
    sums, times, lengths = defaultdict(Sum), defaultdict(int), {}
    measured = sorted({key[3] for key in study.channels})
    for segment in study.segments[batch]:
        days = list(study.midnights(segment["site"], segment["from"], segment["to"]))
        cuts = instants(study, segment, [edge for _, *edges in days for edge in edges])
        for start, end in zip(cuts, cuts[1:]):
            date, first, last = next(it for it in days if it[1] <= start < it[2])
            lengths[date] = last - first
            part = (date, segment["stage"])
            times[part] += end - start
            night = study.is_night(segment, start)
            values = {}
            for quantity in measured:
                if not study.counting(segment, quantity, start):
                    continue
                values[quantity] = study.value(segment, quantity, start)
            if "air_temperature" in values and "relative_humidity" in values:
                both = (values["air_temperature"], values["relative_humidity"])
                values["vapour_pressure_deficit"] = None if None in both else deficit(*both)
            for quantity, value in values.items():
                sum_ = sums[part, quantity]
                sum_.knows(study, segment, quantity)
                sum_.take(study, segment, quantity, end - start, value, night)
    return sums, times, lengths


def merged(sums, times, wanted):
    """Returns the sum of each quantity over the parts that are wanted."""
    whole = {}
    for (part, quantity), sum_ in sums.items():
        if not wanted(part):
            continue
        into = whole.setdefault(quantity, Sum())
        for name in ("covered", "below", "above"):
            setattr(into, name, getattr(into, name) + getattr(sum_, name))
        into.parts += sum_.parts
        into.integrals += sum_.integrals
        for name in ("has_low", "has_high", "has_integral"):
            setattr(into, name, getattr(into, name) or getattr(sum_, name))
        for name, choose in (("min", min), ("max", max)):
            both = [it for it in (getattr(into, name), getattr(sum_, name)) if it is not None]
            setattr(into, name, choose(both) if both else None)
    for into in whole.values():
        into.us = sum(us for part, us in times.items() if wanted(part))
    return whole


def whole_days(sums, times, lengths, wanted, least):
    """Returns the integrals of the days that were spent whole and are covered well enough."""
    found = defaultdict(list)
    for date, length in lengths.items():
        of_day = merged(sums, times, lambda part: part[0] == date and wanted(part))
        for quantity, sum_ in of_day.items():
            if sum_.us == length and sum_.covered >= least * length:
                found[quantity].append(math.fsum(sum_.integrals))
    return found


class Comparison:
    def __init__(self):
        self.numbers = 0
        self.faults = []

    def same(self, where, name, cell, value):
        self.numbers += 1
        if value is None or cell == "":
            if (value is None) != (cell == ""):
                self.faults.append(f"{where} {name}: `{cell}` in the file, {value} computed")
        elif abs(float(cell) - value) > 1e-6 * max(1.0, abs(value)):
            self.faults.append(f"{where} {name}: {cell} in the file, {value} computed")


def compare(study, folder):
    check = Comparison()
    least = study.words["constants"]["day_coverage_min"]
    exposure = {
        (it["site"], it["batch"], it["stage"], it["quantity"]): it
        for it in rows(folder, "exposure.csv")
    }
    days = {
        (it["site"], it["batch"], it["date"], it["quantity"]): it for it in rows(folder, "days.csv")
    }
    expected = set()
    for batch in study.segments:
        sums, times, lengths = live(study, batch)
        for stage in ["", *dict.fromkeys(it["stage"] for it in study.segments[batch])]:
            wanted = lambda part, stage=stage: stage in ("", part[1])
            counted = whole_days(sums, times, lengths, wanted, least)
            for quantity, sum_ in merged(sums, times, wanted).items():
                key = (*batch, stage, quantity)
                expected.add(key)
                if key not in exposure:
                    check.faults.append(f"exposure.csv lacks {key}")
                    continue
                row = exposure[key]
                for name in NUMBERS:
                    check.same(key, name, row[name], sum_.numbers()[name])
                if sum_.has_integral:
                    found = counted[quantity]
                    mean = math.fsum(found) / len(found) if found else None
                    check.same(key, "a_day", row["a_day"], mean)
                    check.same(key, "days", row["days"], len(found))
        for date in lengths:
            of_day = merged(sums, times, lambda part, date=date: part[0] == date)
            for quantity, sum_ in of_day.items():
                key = (*batch, date, quantity)
                expected.add(key)
                if key not in days:
                    check.faults.append(f"days.csv lacks {key}")
                    continue
                check.same(key, "day_hours", days[key]["day_hours"], lengths[date] / HOUR_US)
                for name in NUMBERS:
                    check.same(key, name, days[key][name], sum_.numbers()[name])
    for key in [*exposure, *days]:
        if key not in expected:
            check.faults.append(f"nothing computes {key}")
    return check


def main():
    folder = Path(sys.argv[1])
    check = compare(Study(folder), folder)
    if len(sys.argv) > 2:
        with zipfile.ZipFile(sys.argv[2]) as archive:
            names = sorted(archive.namelist())
            if names != sorted(it.name for it in folder.iterdir()):
                check.faults.append(f"the ZIP holds {names}")
            for name in names:
                if archive.read(name) != (folder / name).read_bytes():
                    check.faults.append(f"{name} differs between ZIP and folder")
    for fault in check.faults[:20]:
        print(fault, file=sys.stderr)
    print(f"{check.numbers} numbers compared, {len(check.faults)} differ")
    return 1 if check.faults or check.numbers == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
