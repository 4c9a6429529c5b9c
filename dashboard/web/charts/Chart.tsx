import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { localTimeOfDay, utcTime } from "../format/time";
import type { Sample } from "../state/model";
import { clocks, font, grid, height, ink } from "./look";
import { axisOf, summarize, windowOf } from "./series";

interface ChartProps {
  name: string;
  samples: readonly Sample[];
  pick: (sample: Sample) => number | null;
  format: (value: number | null) => string;
  /** A colour of the palette. */
  stroke: string;
  rangeMs: number;
}

function options(
  { format, stroke }: Pick<ChartProps, "format" | "stroke">,
  width: number,
  onPoint: (i: number | null) => void,
) {
  const fill = (plot: uPlot) => {
    const { top, height: tall } = plot.bbox;
    const gradient = plot.ctx.createLinearGradient(0, top, 0, top + tall);
    gradient.addColorStop(0, `${stroke}40`);
    gradient.addColorStop(1, `${stroke}00`);
    return gradient;
  };
  return {
    width,
    height,
    legend: { show: false },
    padding: [12, 26, 0, 0],
    // Charts of one key show the same instant.
    cursor: { sync: { key: "pool" }, y: false, drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_: uPlot, __: number, max: number) => [0, max > 0 ? max * 1.125 : 1] } },
    axes: [
      { stroke: ink, grid: { show: false }, ticks: grid, font, space: 70, size: 34, values: clocks },
      { stroke: ink, grid, ticks: { show: false }, font, size: 84, values: (_: uPlot, at: number[]) => at.map(format) },
    ],
    series: [{}, { stroke, width: 2, fill, spanGaps: false, points: { show: false } }],
    hooks: { setCursor: [(plot: uPlot) => onPoint(plot.cursor.idx ?? null)] },
  } satisfies uPlot.Options;
}

/** A line over time that ends now. Times are in the viewer's zone; the readout adds UTC. */
export default function Chart({ name, samples, pick, format, stroke, rangeMs }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [index, setIndex] = useState<number | null>(null);
  const shown = useMemo(() => windowOf(samples, pick, rangeMs), [samples, pick, rangeMs]);
  const summary = useMemo(() => summarize(shown.values), [shown]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(options({ format, stroke }, element.clientWidth || 300, setIndex), [[], []], element);
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
  }, [format, stroke]);

  useEffect(() => {
    plot.current?.setData([shown.times, shown.values], false);
    plot.current?.setScale("x", axisOf(shown.times, rangeMs));
  }, [shown, rangeMs]);

  const time = index === null ? undefined : shown.times[index];
  const value = index === null ? null : (shown.values[index] ?? null);
  const caption = `now ${format(summary.last)}, mean ${format(summary.mean)}, lowest ${format(summary.min)}, highest ${format(summary.max)}`;
  return (
    <figure className="chart" aria-label={`${name}: ${caption}`}>
      <div ref={box} className="chart-box" aria-hidden="true" />
      <figcaption className="chart-caption">
        {time === undefined
          ? `mean ${format(summary.mean)} · low ${format(summary.min)} · high ${format(summary.max)}`
          : `${localTimeOfDay(time * 1000)} · ${utcTime(time * 1000).slice(11)} · ${format(value)}`}
      </figcaption>
    </figure>
  );
}
