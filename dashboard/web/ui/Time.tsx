import { ago, localTime, utcTime } from "../format/time";

/** An instant in the viewer's zone, with UTC on hover. */
export function Instant({ at }: { at: number | null }) {
  if (at === null) return <>—</>;
  return (
    <time dateTime={new Date(at).toISOString()} title={utcTime(at)}>
      {localTime(at)}
    </time>
  );
}

/** How long ago; the instant itself on hover. `now` is by the pool's clock, like `at`. */
export function Ago({ at, now }: { at: number | null; now: number }) {
  if (at === null) return <>never</>;
  return (
    <time dateTime={new Date(at).toISOString()} title={`${localTime(at)} (${utcTime(at)})`}>
      {ago(at, now)}
    </time>
  );
}
