import type { Currency } from "../feed/schema";

const groups = /\B(?=(\d{3})+(?!\d))/g;

/**
 * Formats an amount given in the smallest unit, exactly: integers all the way, no rounding.
 *
 * At least two places are kept where the currency has them; further zeros at the end are dropped.
 */
export function money(amount: string | null | undefined, currency: Currency | null): string {
  if (amount === null || amount === undefined) return "—";
  const value = BigInt(amount);
  const sign = value < 0n ? "−" : "";
  const digits = (value < 0n ? -value : value).toString();
  const decimals = currency?.decimals ?? 0;
  const padded = digits.padStart(decimals + 1, "0");
  const integer = padded.slice(0, padded.length - decimals).replace(groups, ",");
  const fraction = decimals === 0 ? "" : padded.slice(-decimals).replace(/0+$/, "").padEnd(Math.min(2, decimals), "0");
  return `${sign}${integer}${fraction && `.${fraction}`}`;
}

/** What somebody typed, in the smallest unit; null when it is no positive amount of this currency. */
export function parseMoney(text: string, currency: Currency | null): string | null {
  const decimals = currency?.decimals ?? 0;
  const [, whole = "", fraction = ""] = text.trim().match(/^(\d{1,30})(?:\.(\d+))?$/) ?? [];
  if (whole === "" || fraction.replace(/0+$/, "").length > decimals) return null;
  const value = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, "0"));
  return value > 0n ? value.toString() : null;
}

/** The unit to write beside `money`. */
export function unitOf(currency: Currency | null): string {
  return currency === null ? "smallest units" : currency.symbol;
}
