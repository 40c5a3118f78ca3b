// The time zone that the page tells times in: that of the site it shows. Not here: formats of times.

/** Until a site is known. */
export const ZONE_DEFAULT = 'Asia/Shanghai';

let shown = $state(ZONE_DEFAULT);

/** Returns the IANA zone of the site that the page is about. */
export function siteZone(): string {
  return shown;
}

/** Tells times in `zone` from now on; a name that this browser doesn't know changes nothing. */
export function keepTime(zone: string): void {
  if (isZone(zone)) shown = zone;
}

/** Whether this browser can tell times in the zone. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
