import type uPlot from "uplot";
import { localTimeOfDay } from "../format/time";

export const height = 190;
export const font = "11px 'JetBrains Mono', monospace";
export const ink = "#b0b0b0";
export const grid = { stroke: "#2a2a2a", width: 1 };

/** Times of day in the viewer's zone; seconds only where they differ. */
export function clocks(_: uPlot, splits: number[]): string[] {
  const whole = splits.every((at) => at % 60 === 0);
  return splits.map((at) => localTimeOfDay(at * 1000).slice(0, whole ? 5 : 8));
}
