import { describe, expect, it } from "vitest";
import { axisOf, summarize, windowOf } from "./series";

const samples = [0, 1, 2, 3].map((second) => ({ at: second * 1000, hashrate: second, sharesPerSecond: null }));

describe("series", () => {
  it("cut what is older than the range", () => {
    expect(windowOf(samples, (sample) => sample.hashrate, 2000)).toEqual({ times: [1, 2, 3], values: [1, 2, 3] });
    expect(windowOf([], (sample) => sample.hashrate, 2000)).toEqual({ times: [], values: [] });
  });

  it("sum up what is there, and say nothing of what is not", () => {
    expect(summarize([1, null, 3])).toEqual({ last: 3, min: 1, max: 3, mean: 2 });
    expect(summarize([null])).toEqual({ last: null, min: null, max: null, mean: null });
  });

  it("start the axis where the data does, but show a minute at least", () => {
    expect(axisOf([100, 103], 600_000)).toEqual({ min: 43, max: 103 });
    expect(axisOf([0, 300], 600_000)).toEqual({ min: 0, max: 300 });
    expect(axisOf([0, 3000], 600_000)).toEqual({ min: 2400, max: 3000 });
    expect(axisOf([], 600_000)).toEqual({ min: -60, max: 0 });
  });
});
