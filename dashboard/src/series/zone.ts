// Local time at a site. Not here: words and number formats.

const formats = new Map<string, Intl.DateTimeFormat>();

function fields(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formats.set(zone, format);
  }
  return format;
}

/** Returns how far the zone's local time is ahead of UTC at `time_ms`. */
export function offsetAt(time_ms: number, zone: string): number {
  const whole = Math.floor(time_ms / 1_000) * 1_000;
  const part: Record<string, number> = {};
  for (const { type, value } of fields(zone).formatToParts(whole)) part[type] = Number(value);
  const local = Date.UTC(
    part['year'] ?? 1970,
    (part['month'] ?? 1) - 1,
    part['day'] ?? 1,
    part['hour'] ?? 0,
    part['minute'] ?? 0,
    part['second'] ?? 0,
  );
  return local - whole;
}

/** Returns the text of an `<input type="datetime-local">` for a time: `2026-08-14T06:30`. */
export function toLocalInput(time_ms: number, zone: string): string {
  return new Date(time_ms + offsetAt(time_ms, zone)).toISOString().slice(0, 16);
}

/** Returns the time that such a text means in the zone, or null where it means none. */
export function fromLocalInput(text: string, zone: string): number | null {
  const local = Date.parse(`${text}Z`);
  if (Number.isNaN(local)) return null;
  const guess = local - offsetAt(local, zone);
  return local - offsetAt(guess, zone);
}

/** Returns the number of the local day, which grows by one at each local midnight. */
export function localDay(time_ms: number, zone: string): number {
  return Math.floor((time_ms + offsetAt(time_ms, zone)) / 86_400_000);
}

/** Returns the local date at a time: `2026-08-14`. */
export function localDate(time_ms: number, zone: string): string {
  return new Date(time_ms + offsetAt(time_ms, zone)).toISOString().slice(0, 10);
}

/** Returns the date so many days later; what is no date stays as it is. */
export function shiftedDate(date: string, days: number): string {
  const at = Date.parse(`${date}T00:00:00Z`);
  return Number.isNaN(at) ? date : new Date(at + days * 86_400_000).toISOString().slice(0, 10);
}
