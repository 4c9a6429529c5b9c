import { compact, exact } from "../format/number";

/** A figure that may be very large or very small, such as a difficulty: short, with all of its digits on hover. */
export function Compact({ value }: { value: number | string | null | undefined }) {
  if (value === null || value === undefined) return <>—</>;
  return <span title={exact(value)}>{compact(Number(value))}</span>;
}
