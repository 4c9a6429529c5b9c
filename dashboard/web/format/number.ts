const prefixes = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"] as const;

export interface Quantity {
  value: string;
  unit: string;
}

/** Scales to the largest prefix that leaves at least 1, with about four significant digits. */
function scale(value: number): { value: string; prefix: string } {
  if (!Number.isFinite(value)) return { value: "—", prefix: "" };
  let power = 0;
  let rest = Math.abs(value);
  while (rest >= 999.95 && power < prefixes.length - 1) {
    rest /= 1000;
    power += 1;
  }
  const signed = value < 0 ? -rest : rest;
  // Difficulties far below 1 are usual where the unit is that of a much harder chain.
  if (rest > 0 && rest < 0.01) return { value: signed.toPrecision(3), prefix: "" };
  const digits = power === 0 && Number.isInteger(rest) ? 0 : rest >= 100 ? 1 : 2;
  return { value: signed.toFixed(digits), prefix: prefixes[power] ?? "" };
}

/** 12_430_000_000 -> 12.43 GH/s */
export function hashrate(value: number | null | undefined): Quantity {
  if (value === null || value === undefined) return { value: "—", unit: "H/s" };
  const scaled = scale(value);
  return { value: scaled.value, unit: `${scaled.prefix}H/s` };
}

export function hashrateText(value: number | null | undefined): string {
  const { value: digits, unit } = hashrate(value);
  // A figure and its unit stay together.
  return `${digits}\u00a0${unit}`;
}

/** 1_234_567 -> 1.23M; small whole numbers stay as they are. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined) return "—";
  const scaled = scale(value);
  return `${scaled.value}${scaled.prefix}`;
}

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 1234567 -> 1,234,567 */
export function whole(value: number | null | undefined): string {
  return value === null || value === undefined ? "—" : grouped.format(value);
}

const everyDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 20 });

/** All digits of what `compact` shortens; whole numbers may come as text, which keeps more digits than a number. */
export function exact(value: number | string): string {
  return everyDigit.format(typeof value === "string" && /^\d+$/.test(value) ? BigInt(value) : Number(value));
}

/** A share of a whole in percent; null when there is nothing to be a share of. */
export function percent(part: number, total: number): string | null {
  if (total <= 0) return null;
  const value = (part / total) * 100;
  // Never round a loss away: 99.96% is not 100%.
  if (part < total && value > 99.9) return ">99.9%";
  if (part > 0 && value < 0.1) return "<0.1%";
  return `${value.toFixed(value === 100 || value === 0 ? 0 : 1)}%`;
}

/** 1 block, 2 blocks */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

/** The ends of a long identifier, which is what people compare. */
export function shorten(id: string, head = 6, tail = 6): string {
  return id.length <= head + tail + 1 ? id : `${id.slice(0, head)}…${id.slice(-tail)}`;
}

const binary = ["KiB", "MiB", "GiB", "TiB"] as const;

/** 48_213 -> 47.1 KiB */
export function bytes(size: number): string {
  if (size < 1024) return `${Math.max(0, Math.round(size))} B`;
  let [rest, power] = [size / 1024, 0];
  while (rest >= 1024 && power < binary.length - 1) {
    rest /= 1024;
    power += 1;
  }
  return `${rest.toFixed(1)} ${binary[power]}`;
}
