import { lazy, Suspense, useState } from "react";
import { compact, hashrateText } from "../format/number";
import type { Sample } from "../state/model";
import { Empty, type Freshness, Loading, Panel } from "../ui/Panel";
import { Switch } from "../ui/Switch";

/** The library that draws comes after the figures, once nothing else is to be done: they are what one looks for first. */
const Chart = lazy(async () => {
  await idle();
  return import("./Chart");
});

const idleMaxMs = 1_500;

function idle(): Promise<void> {
  // Safari has no such call.
  if (!("requestIdleCallback" in window)) return Promise.resolve();
  return new Promise((done) => requestIdleCallback(() => done(), { timeout: idleMaxMs }));
}

const ranges = { "2": "2 MIN", "10": "10 MIN", "30": "30 MIN" } as const;
type Range = keyof typeof ranges;

const pickHashrate = (sample: Sample) => sample.hashrate;
const pickShares = (sample: Sample) => sample.sharesPerSecond;
const formatShares = (value: number | null) => `${compact(value)}/s`;

interface ChartsProps {
  samples: readonly Sample[];
  freshness: Freshness;
}

export function ChartsRow({ samples, freshness }: ChartsProps) {
  const [range, setRange] = useState<Range>("10");
  const rangeMs = Number(range) * 60_000;
  const body = (chart: React.ReactNode) => {
    if (freshness === "waiting") return <Loading what="history" lines={4} />;
    if (samples.length < 2) return <Empty title="COLLECTING">The line starts after a few seconds of live data.</Empty>;
    return <Suspense fallback={<Loading what="chart" lines={4} />}>{chart}</Suspense>;
  };
  const aside = (
    <Switch
      name="Time range of both charts"
      options={(Object.keys(ranges) as Range[]).map((key) => [key, ranges[key]] as const)}
      value={range}
      onChange={setRange}
    />
  );
  return (
    <>
      <Panel title="HASHRATE" className="panel-chart" freshness={freshness} aside={aside}>
        {body(
          <Chart
            name="Pool hash rate"
            samples={samples}
            pick={pickHashrate}
            format={hashrateText}
            stroke="#00ff41"
            rangeMs={rangeMs}
          />,
        )}
      </Panel>
      <Panel title="SHARES_PER_SECOND" className="panel-chart" freshness={freshness}>
        {body(
          <Chart
            name="Shares per second"
            samples={samples}
            pick={pickShares}
            format={formatShares}
            stroke="#00d4ff"
            rangeMs={rangeMs}
          />,
        )}
      </Panel>
    </>
  );
}
