import { type PointerEvent, useEffect, useMemo, useState } from "react";
import { hashrateText, whole } from "../format/number";
import { localTime, parseTime } from "../format/time";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Switch } from "../ui/Switch";
import { loadHours, NotThere } from "./api";
import type { Hours } from "./schema";

const ranges = { 24: "24 H", 168: "7 D", 720: "30 D" } as const;
type Range = keyof typeof ranges;
/** A new hour, or a better figure of the one that is under way. */
const refreshMs = 60_000;
const hourMs = 3_600_000;

export interface Bar {
  at: number;
  hashrate: number;
  accepted: number;
}

/** One bar for each hour of the range; an hour without a share is nothing. What several functions gave is added up. */
export function barsOf({ items }: Hours, range: number, now: number): Bar[] {
  const newest = Math.floor(now / hourMs) * hourMs;
  const bars = Array.from({ length: range }, (_, back) => ({
    at: newest - (range - 1 - back) * hourMs,
    hashrate: 0,
    accepted: 0,
  }));
  for (const { at, hashrate, accepted } of items) {
    const bar = bars[range - 1 - Math.round((newest - (parseTime(at) ?? 0)) / hourMs)];
    if (bar === undefined) continue;
    bar.hashrate += hashrate;
    bar.accepted += accepted;
  }
  return bars;
}

type Answer =
  | { state: "loading" }
  | { state: "failed" }
  | { state: "unserved" }
  | { state: "shown"; hours: Hours; range: number; at: number };

/** The account's hash rate by the hour, from what the ledger credited. */
export function HashrateHours({ account, away }: { account: string; away: boolean }) {
  const [range, setRange] = useState<`${Range}`>("24");
  const [answer, setAnswer] = useState<Answer>({ state: "loading" });
  // biome-ignore lint/correctness/useExhaustiveDependencies: when the database is back, it is asked at once
  useEffect(() => {
    let open = true;
    const ask = () =>
      loadHours(account, Number(range))
        .then((hours) => open && setAnswer({ state: "shown", hours, range: Number(range), at: Date.now() }))
        .catch((error: unknown) => {
          if (!open) return;
          const state = error instanceof NotThere ? "unserved" : "failed";
          setAnswer((known) => (known.state === "shown" ? known : { state }));
        });
    void ask();
    const timer = setInterval(() => void ask(), refreshMs);
    return () => {
      open = false;
      clearInterval(timer);
    };
  }, [account, range, away]);
  const bars = useMemo(() => (answer.state === "shown" ? barsOf(answer.hours, answer.range, answer.at) : []), [answer]);
  return (
    <Panel
      title="HASHRATE_BY_HOUR"
      className="panel-whole"
      freshness={answer.state === "loading" ? "waiting" : away ? "stale" : "fresh"}
      aside={
        <Switch
          name="Hours that are shown"
          options={(Object.keys(ranges) as `${Range}`[]).map((key) => [key, ranges[key]] as const)}
          value={range}
          onChange={setRange}
        />
      }
    >
      {answer.state === "loading" ? (
        <Loading what="hash rates" lines={4} />
      ) : answer.state === "unserved" ? (
        <Empty title="NOT_SERVED">This pool serves no hash rates of accounts.</Empty>
      ) : answer.state === "failed" ? (
        <Empty title={away ? "DATABASE_AWAY" : "NO_ANSWER"}>
          {away
            ? "Hash rates can't be told while the database is away. Nothing of them is lost."
            : "The pool did not tell the hash rates; asking again every minute."}
        </Empty>
      ) : bars.every(({ accepted, hashrate }) => accepted === 0 && hashrate === 0) ? (
        <Empty title="NO_SHARES">No share was credited in this time.</Empty>
      ) : (
        <Bars bars={bars} now={answer.at} />
      )}
    </Panel>
  );
}

const high = 150;

/** Over the time that has passed: the hour that is under way counts for its part. */
export function meanOf(bars: readonly Bar[], now: number): number {
  const passed = bars.map(({ at }) => Math.min(Math.max(now - at, 0), hourMs));
  const whole = passed.reduce((sum, ms) => sum + ms, 0);
  const hashes = bars.reduce((sum, { hashrate }, index) => sum + hashrate * (passed[index] ?? 0), 0);
  return whole === 0 ? 0 : hashes / whole;
}

function Bars({ bars, now }: { bars: readonly Bar[]; now: number }) {
  const [over, setOver] = useState<Bar | null>(null);
  const most = Math.max(...bars.map(({ hashrate }) => hashrate), 1);
  const mean = meanOf(bars, now);
  const shares = bars.reduce((sum, { accepted }) => sum + accepted, 0);
  const y = (hashrate: number) => high - (hashrate / most) * (high - 6);
  const path = bars
    .map(({ hashrate }, index) =>
      hashrate > 0 ? `M${index + 0.08},${high}V${y(hashrate).toFixed(2)}h0.84V${high}z` : "",
    )
    .join("");
  const said = `mean ${hashrateText(mean)} · highest ${hashrateText(most)} · ${whole(shares)} shares`;
  const onMove = (event: PointerEvent<SVGSVGElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    setOver(bars[Math.floor(((event.clientX - left) / Math.max(width, 1)) * bars.length)] ?? null);
  };
  const [first, middle] = [bars[0], bars[Math.floor(bars.length / 2)]];
  return (
    <figure className="hours" aria-label={`Hash rate of the last ${bars.length} hours: ${said}`}>
      <svg
        className="hours-bars"
        viewBox={`0 0 ${bars.length} ${high}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        onPointerMove={onMove}
        onPointerLeave={() => setOver(null)}
      >
        <path className="hours-mean" d={`M0,${y(mean)}H${bars.length}`} vectorEffect="non-scaling-stroke" />
        <path className="hours-path" d={path} />
        {over && <rect className="hours-over" x={bars.indexOf(over)} y={0} width={1} height={high} />}
      </svg>
      <div className="hours-axis" aria-hidden="true">
        <span>{first && localTime(first.at).slice(0, -3)}</span>
        <span>{middle && localTime(middle.at).slice(0, -3)}</span>
        <span>now</span>
      </div>
      <figcaption className="chart-caption">
        {over
          ? `${localTime(over.at).slice(0, -3)} · ${hashrateText(over.hashrate)} · ${whole(over.accepted)} shares`
          : said}
      </figcaption>
    </figure>
  );
}
