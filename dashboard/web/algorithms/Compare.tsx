import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clocks, font, grid, height, ink } from "../charts/look";
import { axisOf } from "../charts/series";
import { Empty } from "../ui/Panel";
import { type ComparePoint, nanoseconds, rate } from "./rollout";
import type { Figures } from "./schema";

const rangeMs = 3_600_000;
const control = "#00d4ff";
const candidate = "#00ff41";

type Pick = (group: Figures) => number | null;

const charts: readonly { name: string; pick: Pick; format: (value: number | null) => string }[] = [
  { name: "LATENCY_P99", pick: (group) => group.p99_ns, format: nanoseconds },
  { name: "ERROR_RATE", pick: (group) => group.error_rate, format: rate },
  { name: "REJECT_RATE", pick: (group) => group.reject_rate, format: rate },
];

/** Control group and candidate side by side over time: latency, errors, rejects. */
export function Compare({ points }: { points: readonly ComparePoint[] }) {
  if (points.length < 2) {
    return <Empty title="COLLECTING">The lines start once both groups have been measured twice.</Empty>;
  }
  return (
    <div className="compare">
      {charts.map((chart) => (
        <CompareChart key={chart.name} {...chart} points={points} />
      ))}
    </div>
  );
}

interface ChartProps {
  name: string;
  pick: Pick;
  format: (value: number | null) => string;
  points: readonly ComparePoint[];
}

function options(format: ChartProps["format"], width: number) {
  const line = (stroke: string, dash: number[]) => ({
    stroke,
    dash,
    width: 2,
    spanGaps: true,
    points: { show: false },
  });
  return {
    width,
    height,
    legend: { show: false },
    padding: [12, 20, 0, 0],
    cursor: { show: false },
    scales: { y: { range: (_: uPlot, __: number, max: number) => [0, max > 0 ? max * 1.125 : 0.01] } },
    axes: [
      { stroke: ink, grid: { show: false }, ticks: grid, font, space: 70, size: 34, values: clocks },
      { stroke: ink, grid, ticks: { show: false }, font, size: 72, values: (_: uPlot, at: number[]) => at.map(format) },
    ],
    // Told apart by more than colour: the control group is dashed.
    series: [{}, line(control, [6, 4]), line(candidate, [])],
  } satisfies uPlot.Options;
}

function CompareChart({ name, pick, format, points }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const columns = useMemo(() => {
    const of = (group: Figures | null) => (group ? pick(group) : null);
    return [
      points.map(({ at }) => at / 1000),
      points.map((p) => of(p.control)),
      points.map((p) => of(p.candidate)),
    ] as const;
  }, [points, pick]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(options(format, element.clientWidth || 300), [[], [], []], element);
    plot.current = made;
    const watcher = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width > 0 && width !== made.width) made.setSize({ width, height });
    });
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [format]);
  useEffect(() => {
    const [times, first, second] = columns;
    plot.current?.setData([times, first, second], false);
    plot.current?.setScale("x", axisOf(times, rangeMs));
  }, [columns]);
  const [last, other] = [columns[1].at(-1) ?? null, columns[2].at(-1) ?? null];
  return (
    <figure className="chart" aria-label={`${name}: control ${format(last)}, candidate ${format(other)}`}>
      <h3 className="sub">{name}</h3>
      <div ref={box} className="chart-box" aria-hidden="true" />
      <figcaption className="compare-legend">
        <span className="compare-control">control {format(last)}</span>
        <span className="compare-candidate">candidate {format(other)}</span>
      </figcaption>
    </figure>
  );
}
