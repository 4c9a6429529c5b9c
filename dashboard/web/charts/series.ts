import type { Sample } from "../state/model";

export type Column = (number | null)[];

/** The part of the samples that a chart of `rangeMs` shows, as uPlot wants it: seconds and values. */
export function windowOf(
  samples: readonly Sample[],
  pick: (sample: Sample) => number | null,
  rangeMs: number,
): { times: number[]; values: Column } {
  const from = (samples.at(-1)?.at ?? 0) - rangeMs;
  const shown = samples.filter((sample) => sample.at >= from);
  return { times: shown.map((sample) => sample.at / 1000), values: shown.map(pick) };
}

/** The least that a chart shows, so that the first seconds are not a speck at its right end. */
const narrowestMs = 60_000;

/** Where the time axis starts and ends, in seconds: the range asked for, or what there is of it. */
export function axisOf(times: readonly number[], rangeMs: number): { min: number; max: number } {
  const max = times.at(-1) ?? 0;
  const first = Math.min(times[0] ?? max, max - narrowestMs / 1000);
  return { min: Math.max(first, max - rangeMs / 1000), max };
}

export interface Summary {
  last: number | null;
  min: number | null;
  max: number | null;
  mean: number | null;
}

/** What a chart says, for its caption and for those who cannot see it. */
export function summarize(values: Column): Summary {
  const real = values.filter((value) => value !== null);
  if (real.length === 0) return { last: null, min: null, max: null, mean: null };
  return {
    last: values.at(-1) ?? null,
    min: Math.min(...real),
    max: Math.max(...real),
    mean: real.reduce((sum, value) => sum + value, 0) / real.length,
  };
}
