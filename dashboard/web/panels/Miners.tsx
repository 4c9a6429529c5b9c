import { useMemo, useState } from "react";
import type { Currency, Miner } from "../feed/schema";
import { hashrateText, percent, shorten, whole } from "../format/number";
import { parseTime, span } from "../format/time";
import { Compact } from "../ui/Compact";
import { Empty } from "../ui/Panel";
import { Ago } from "../ui/Time";
import { MinerDetails } from "./MinerDetails";

type Key = "account" | "workers" | "hashrate" | "accepted" | "rejected" | "difficulty" | "last" | "since";

const columns: { key: Key; name: string; className: string }[] = [
  { key: "account", name: "account", className: "col-account" },
  { key: "workers", name: "workers", className: "col-number col-minor" },
  { key: "hashrate", name: "hash rate", className: "col-number" },
  { key: "accepted", name: "shares", className: "col-number" },
  { key: "rejected", name: "rejected", className: "col-number col-minor" },
  { key: "difficulty", name: "difficulty", className: "col-number col-minor" },
  { key: "last", name: "last", className: "col-number" },
  { key: "since", name: "connected", className: "col-number col-spare" },
];

/** Of those that were judged. */
function rejectedPart({ shares: { accepted, rejected } }: Miner): number {
  return rejected / Math.max(1, accepted + rejected);
}

function sortValue(miner: Miner, key: Key): number | string {
  switch (key) {
    case "account":
      return miner.account;
    case "workers":
      return miner.workers;
    case "hashrate":
      return miner.hashrate;
    case "accepted":
      return miner.shares.accepted;
    case "rejected":
      return rejectedPart(miner);
    case "difficulty":
      return miner.difficulty ?? 0;
    case "last":
      return parseTime(miner.last_share_at) ?? 0;
    case "since":
      return parseTime(miner.connected_since) ?? 0;
  }
}

/** Sorted copy; ties by account, so that rows do not dance from one second to the next. */
export function sortMiners(miners: readonly Miner[], key: Key, descending: boolean): Miner[] {
  const direction = descending ? -1 : 1;
  return [...miners].sort((a, b) => {
    const [left, right] = [sortValue(a, key), sortValue(b, key)];
    const order = left < right ? -1 : left > right ? 1 : 0;
    return order * direction || a.account.localeCompare(b.account);
  });
}

const firstRows = 12;
/** Less is usual. */
const worthAWord = 0.01;

interface MinersProps {
  miners: readonly Miner[];
  currency: Currency | null;
  /** How many are connected; the feed lists the fastest only. */
  total: number;
  /** By the pool's clock. */
  now: number;
}

export function Miners({ miners, currency, total, now }: MinersProps) {
  const [sort, setSort] = useState<{ key: Key; descending: boolean }>({ key: "hashrate", descending: true });
  const [needle, setNeedle] = useState("");
  const [all, setAll] = useState(false);
  const wanted = needle.trim().toLowerCase();
  const rows = useMemo(() => {
    const found = wanted ? miners.filter((miner) => miner.account.toLowerCase().includes(wanted)) : miners;
    return sortMiners(found, sort.key, sort.descending);
  }, [miners, wanted, sort]);
  if (miners.length === 0) {
    return (
      <Empty title="NO_MINERS">
        Point a miner at this pool&rsquo;s Stratum address (port 3333 unless pool.toml says otherwise) with your payout
        address as user name.
      </Empty>
    );
  }
  const shown = all ? rows : rows.slice(0, firstRows);
  const choose = (key: Key) =>
    setSort((now) => ({ key, descending: now.key === key ? !now.descending : key !== "account" }));
  return (
    <>
      {miners.length > 8 && (
        <label className="search">
          <span className="visually-hidden">Filter miners by account</span>
          <input
            className="input"
            type="search"
            placeholder="filter by account"
            value={needle}
            onChange={(event) => setNeedle(event.target.value)}
          />
        </label>
      )}
      {rows.length === 0 ? (
        <Empty title="NO_MATCH">No connected miner has that in its account.</Empty>
      ) : (
        <div className="table-scroll table-long">
          <table className="table">
            <thead>
              <tr>
                {columns.map(({ key, name, className }) => (
                  <th
                    className={className}
                    key={key}
                    scope="col"
                    aria-sort={sort.key === key ? (sort.descending ? "descending" : "ascending") : "none"}
                  >
                    <button type="button" className="sort" onClick={() => choose(key)}>
                      {name}
                      <span className="sort-mark" aria-hidden="true">
                        {sort.key === key ? (sort.descending ? "▾" : "▴") : ""}
                      </span>
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((miner) => (
                <Row key={miner.account} miner={miner} currency={currency} now={now} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {total > miners.length && (
        <p className="note">
          The {whole(miners.length)} fastest of {whole(total)} are listed.
        </p>
      )}
      {rows.length > firstRows && (
        <button className="button button-quiet" type="button" onClick={() => setAll(!all)}>
          {all ? "SHOW FEWER" : `SHOW ALL ${whole(rows.length)}`}
        </button>
      )}
    </>
  );
}

function Row({ miner, currency, now }: { miner: Miner; currency: Currency | null; now: number }) {
  const [open, setOpen] = useState(false);
  const since = parseTime(miner.connected_since);
  const judged = miner.shares.accepted + miner.shares.rejected;
  return (
    <>
      <tr>
        <th scope="row" className="col-account" title={miner.account}>
          <button type="button" className="sort row-open" aria-expanded={open} onClick={() => setOpen(!open)}>
            <span className="sort-mark" aria-hidden="true">
              {open ? "▾" : "▸"}
            </span>
            <span className="wide-only">{shorten(miner.account, 10, 6)}</span>
            {/* A phone has no room for the network prefix that all accounts share. */}
            <span className="narrow-only">{shorten(miner.account.replace(/^.*:/, ""), 4, 5)}</span>
          </button>
        </th>
        <td className="col-number col-minor">{whole(miner.workers)}</td>
        <td className="col-number col-strong">{hashrateText(miner.hashrate)}</td>
        <td className="col-number">{whole(miner.shares.accepted)}</td>
        <td
          className={rejectedPart(miner) > worthAWord ? "col-number col-minor rejected" : "col-number col-minor"}
          title={`${whole(miner.shares.rejected)} rejected`}
        >
          {percent(miner.shares.rejected, judged) ?? "—"}
        </td>
        <td className="col-number col-minor">
          <Compact value={miner.difficulty} />
        </td>
        <td className="col-number">
          <Ago at={parseTime(miner.last_share_at)} now={now} />
        </td>
        <td className="col-number col-spare">{since === null ? "—" : span(now - since)}</td>
      </tr>
      {open && (
        <tr>
          <td colSpan={columns.length}>
            <MinerDetails account={miner.account} currency={currency} now={now} />
          </td>
        </tr>
      )}
    </>
  );
}
