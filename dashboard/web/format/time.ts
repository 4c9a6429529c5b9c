const local = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const localClock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});

/** Milliseconds since the epoch, or null when the text is no time. */
export function parseTime(text: string | null | undefined): number | null {
  if (!text) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

/** In the viewer's zone. */
export function localTime(at: number): string {
  return local.format(at);
}

/** Time of day in the viewer's zone. */
export function localTimeOfDay(at: number): string {
  return localClock.format(at);
}

/** What zone the times of a page are in: a phone has nothing to hover with. */
export function zoneNote(zone = Intl.DateTimeFormat().resolvedOptions().timeZone): string {
  return zone === "UTC" ? "Times are in UTC." : `Times are in your zone (${zone}), UTC on hover.`;
}

/** 2026-11-22 23:59:59 UTC */
export function utcTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A span in its largest fitting unit: 850 ms, 12 s, 3 m 20 s, 5 h 12 m, 3 d 4 h; it stays on one line. */
export function span(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "—";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}\u00a0ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}\u00a0s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0m\u00a0${seconds % 60}\u00a0s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24
    ? `${hours}\u00a0h\u00a0${minutes % 60}\u00a0m`
    : `${Math.floor(hours / 24)}\u00a0d\u00a0${hours % 24}\u00a0h`;
}

const minuteMs = 60_000;

/** How long ago, by a clock that may run a little apart from the one that made the stamp. */
export function ago(at: number | null, now: number): string {
  if (at === null) return "never";
  const age = now - at;
  if (age < 1500) return "now";
  // Seconds that count up beside minutes are unrest, no news.
  const whole = age >= minuteMs && age < 60 * minuteMs ? `${Math.floor(age / minuteMs)}\u00a0m` : span(age);
  return `${whole}\u00a0ago`;
}
