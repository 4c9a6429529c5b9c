import { describe, expect, it } from "vitest";
import { money, parseMoney, unitOf } from "./money";
import { bytes, compact, exact, hashrate, hashrateText, percent, plural, shorten, whole } from "./number";
import { ago, localTime, localTimeOfDay, parseTime, span, utcTime, zoneNote } from "./time";

describe("numbers", () => {
  it("scales hash rates to a readable unit", () => {
    expect(hashrate(0)).toEqual({ value: "0", unit: "H/s" });
    expect(hashrateText(999)).toBe("999\u00a0H/s");
    expect(hashrateText(1000)).toBe("1.00\u00a0kH/s");
    expect(hashrateText(12_430_000_000)).toBe("12.43\u00a0GH/s");
    expect(hashrateText(418_200_000_000)).toBe("418.2\u00a0GH/s");
    expect(hashrateText(1e30)).toBe("1000000.0\u00a0YH/s");
    expect(hashrateText(null)).toBe("—\u00a0H/s");
  });

  it("rolls over to the next unit instead of writing 1000.0", () => {
    expect(hashrateText(999_960)).toBe("1.00\u00a0MH/s");
  });

  it("writes sizes in their largest unit", () => {
    expect([-1, 1023, 48_213, 314_572_800, 987_654_321_098, 2 ** 52].map(bytes)).toEqual([
      "0 B",
      "1023 B",
      "47.1 KiB",
      "300.0 MiB",
      "919.8 GiB",
      "4096.0 TiB",
    ]);
  });

  it("writes compact and grouped counts", () => {
    expect(compact(12)).toBe("12");
    expect(compact(12.345)).toBe("12.35");
    expect(compact(0.00123)).toBe("0.00123");
    expect(compact(0.0000152)).toBe("0.0000152");
    expect(compact(2e-9)).toBe("2.00e-9");
    expect(compact(-1500)).toBe("-1.50k");
    expect(compact(undefined)).toBe("—");
    expect(compact(Number.NaN)).toBe("—");
    expect(whole(1_234_567)).toBe("1,234,567");
    expect([987.5e15, 0.0000152, "123456789012345678901", "8.5"].map(exact)).toEqual([
      "987,500,000,000,000,000",
      "0.0000152",
      "123,456,789,012,345,678,901",
      "8.5",
    ]);
    expect(whole(null)).toBe("—");
    expect(plural(1, "block")).toBe("1 block");
    expect(plural(2, "block")).toBe("2 blocks");
  });

  it("never rounds a loss away", () => {
    expect(percent(0, 0)).toBeNull();
    expect(percent(1, 1)).toBe("100%");
    expect(percent(0, 5)).toBe("0%");
    expect(percent(99_999, 100_000)).toBe(">99.9%");
    expect(percent(1, 100_000)).toBe("<0.1%");
    expect(percent(1, 3)).toBe("33.3%");
  });

  it("keeps both ends of an identifier", () => {
    expect(shorten("0123456789abcdef", 4, 4)).toBe("0123…cdef");
    expect(shorten("short", 4, 4)).toBe("short");
  });
});

describe("money", () => {
  const coin = { symbol: "X", decimals: 8 };

  it("is exact beyond what floats can hold", () => {
    expect(money("987654321012345678", coin)).toBe("9,876,543,210.12345678");
    expect(money("90071992547409930000000001", coin)).toBe("900,719,925,474,099,300.00000001");
  });

  it("keeps two places, drops further zeros, groups thousands", () => {
    expect(money("0", coin)).toBe("0.00");
    expect(money("1", coin)).toBe("0.00000001");
    expect(money("440000000000", coin)).toBe("4,400.00");
    expect(money("-150000000", coin)).toBe("−1.50");
    expect(money("1234567", { symbol: "Y", decimals: 0 })).toBe("1,234,567");
    expect(money("15", { symbol: "Y", decimals: 1 })).toBe("1.5");
  });

  it("reads what somebody typed, exactly or not at all", () => {
    expect(parseMoney(" 0.01 ", coin)).toBe("1000000");
    expect(parseMoney("90071992547409930.00000001", coin)).toBe("9007199254740993000000001");
    expect(parseMoney("1.500000000", coin)).toBe("150000000");
    expect(parseMoney("7", null)).toBe("7");
    for (const odd of ["", "0", "0.00", "-1", "1e3", "1,5", ".5", "0.000000001", "1.000000001", "a", "1.2.3"])
      expect(parseMoney(odd, coin)).toBeNull();
  });

  it("shows smallest units while the currency is not known", () => {
    expect(money("1500", null)).toBe("1,500");
    expect(unitOf(null)).toBe("smallest units");
    expect(unitOf(coin)).toBe("X");
    expect(money(null, coin)).toBe("—");
  });
});

describe("time", () => {
  it("names the zone that times are in", () => {
    expect(zoneNote("Europe/Berlin")).toBe("Times are in your zone (Europe/Berlin), UTC on hover.");
    expect(zoneNote("UTC")).toBe("Times are in UTC.");
    expect(zoneNote()).toContain(Intl.DateTimeFormat().resolvedOptions().timeZone);
  });

  it("says spans in their largest unit", () => {
    expect([-5, 850, 12_000, 200_000, 18_720_000, 273_600_000].map((ms) => span(ms))).toEqual([
      "0\u00a0ms",
      "850\u00a0ms",
      "12\u00a0s",
      "3\u00a0m\u00a020\u00a0s",
      "5\u00a0h\u00a012\u00a0m",
      "3\u00a0d\u00a04\u00a0h",
    ]);
    expect(span(null)).toBe("—");
  });

  it("says how long ago, forgiving a clock that is a little ahead", () => {
    expect(ago(1000, 900)).toBe("now");
    expect(ago(1000, 13_000)).toBe("12\u00a0s\u00a0ago");
    expect(ago(1000, 125_000)).toBe("2\u00a0m\u00a0ago");
    expect(ago(1000, 5_401_000)).toBe("1\u00a0h\u00a030\u00a0m\u00a0ago");
    expect(ago(null, 0)).toBe("never");
  });

  it("parses and writes instants", () => {
    const at = Date.parse("2026-11-22T23:59:59Z");
    expect(parseTime("2026-11-22T23:59:59Z")).toBe(at);
    expect(parseTime("soon")).toBeNull();
    expect(parseTime("")).toBeNull();
    expect(utcTime(at)).toBe("2026-11-22 23:59:59 UTC");
    expect(localTime(at)).toContain("2026");
    expect(localTimeOfDay(at)).toMatch(/\d\d:59:59/);
  });
});
