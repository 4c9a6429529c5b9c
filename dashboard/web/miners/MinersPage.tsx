import "./miners.css";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Miner } from "../feed/schema";
import { hashrateText, percent, plural, shorten, whole } from "../format/number";
import { parseTime, span } from "../format/time";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { Compact } from "../ui/Compact";
import { useNow } from "../ui/clock";
import { PageFrame } from "../ui/PageFrame";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Ago } from "../ui/Time";
import { linkOf, MinerList, type SortKey, wantedOf } from "./list";

/** Rows in sight are asked for again at this pace. */
const refreshMs = 5_000;
/** So long after the last key a search begins. */
const typingMs = 250;
/** So many rows before the last that is known, more are asked for. */
const askRows = 80;
const rowPx = 44;

const columns: { key: SortKey; name: string; className: string }[] = [
  { key: "account", name: "account", className: "cell-account" },
  { key: "hashrate", name: "hash rate", className: "cell-number" },
  { key: "workers", name: "workers", className: "cell-number cell-minor" },
  { key: "accepted", name: "accepted", className: "cell-number cell-small" },
  { key: "rejected", name: "rejected", className: "cell-number cell-minor" },
  { key: "difficulty", name: "difficulty", className: "cell-number cell-minor" },
  { key: "last_share", name: "last share", className: "cell-number" },
  { key: "connected", name: "connected", className: "cell-number cell-minor" },
];

interface PageProps {
  session: Session;
  nav: ReactNode;
  list?: MinerList;
}

/** `[MINERS]`: all that mine now, sorted and searched by the pool, and only those drawn that are in sight. */
export default function MinersPage({ session, nav, list: given }: PageProps) {
  const pool = usePool(session);
  const now = useNow();
  const [list] = useState(() => given ?? new MinerList(wantedOf(window.location.search)));
  const { wanted, rows, total, more, busy, failed } = useSyncExternalStore(list.subscribe, list.shown);
  const [needle, setNeedle] = useState(wanted.search);
  useEffect(() => {
    document.title = "Miners · DAG Pool";
    void list.more();
  }, [list]);
  const scroll = useRef<HTMLDivElement>(null);

  const want = (change: Partial<typeof wanted>) => {
    const next = { ...wanted, ...change };
    window.history.replaceState(null, "", linkOf(next));
    scroll.current?.scrollTo({ top: 0 });
    void list.want(next);
  };
  useEffect(() => {
    if (needle.trim() === wanted.search.trim()) return;
    const timer = setTimeout(() => {
      const next = { ...wanted, search: needle };
      window.history.replaceState(null, "", linkOf(next));
      void list.want(next);
    }, typingMs);
    return () => clearTimeout(timer);
  }, [needle, wanted, list]);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowPx,
    overscan: 12,
    getItemKey: (index) => rows[index]?.account ?? index,
  });
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  useEffect(() => {
    if (rows.length > 0 && last >= rows.length - askRows && more && !failed) void list.more();
  }, [last, rows.length, more, failed, list]);
  const seen = useRef({ first, last });
  seen.current = { first, last };
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void list.again(seen.current.first, seen.current.last);
    }, refreshMs);
    return () => clearInterval(timer);
  }, [list]);

  const poolNow = now + pool.skewMs;
  const choose = (key: SortKey) =>
    want({ sort: key, descending: wanted.sort === key ? !wanted.descending : key !== "account" });
  return (
    <PageFrame
      session={session}
      nav={nav}
      title="MINERS"
      name="Miners"
      className="miners-page"
      live
      note="Shares are those since an account’s workers came; what the ledger credited is on its page. Figures in sight are renewed every 5 s."
    >
      <Panel
        title="MINING_NOW"
        freshness={total === null ? "waiting" : failed ? "stale" : "fresh"}
        aside={
          total !== null && (
            <span className="count" data-testid="miners-total" role="status">
              {wanted.search.trim() === "" ? plural(total, "account") : `${whole(total)} found`}
            </span>
          )
        }
      >
        <label className="search">
          <span className="visually-hidden">Search by account</span>
          <input
            className="input"
            type="search"
            placeholder="search by any part of an address"
            maxLength={128}
            value={needle}
            onChange={(event) => setNeedle(event.target.value)}
          />
        </label>
        {failed && rows.length > 0 && (
          <p className="note warn" role="status">
            The pool does not answer: these are older figures.{" "}
            <button type="button" className="button button-small" onClick={() => void list.again(first, last)}>
              ASK AGAIN
            </button>
          </p>
        )}
        {rows.length === 0 ? (
          failed ? (
            <Empty title="NO_ANSWER">
              The pool does not answer.{" "}
              <button type="button" className="button button-small" onClick={() => void list.more()}>
                ASK AGAIN
              </button>
            </Empty>
          ) : total === null || busy ? (
            <Loading what="miners" lines={10} />
          ) : wanted.search.trim() === "" ? (
            <Empty title="NO_MINERS">
              Nobody mines now. Point a miner at this pool&rsquo;s Stratum address with your payout address as user
              name.
            </Empty>
          ) : (
            <NoMatch search={wanted.search} />
          )
        ) : (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard (WCAG 2.1.1)
          <section className="rows-scroll" ref={scroll} tabIndex={0} aria-label="Miners" data-testid="miners-scroll">
            {/* biome-ignore lint/a11y/useSemanticElements: rows of a real table cannot be laid out by their place */}
            <div className="rows" role="table" aria-label="Accounts that mine now" aria-rowcount={(total ?? 0) + 1}>
              {/* biome-ignore lint/a11y/useSemanticElements: as above */}
              {/* biome-ignore lint/a11y/useFocusableInteractive: its buttons have the focus */}
              <div className="rows-head rows-line" role="row" aria-rowindex={1}>
                {columns.map(({ key, name, className }) => (
                  // biome-ignore lint/a11y/useSemanticElements: as above
                  // biome-ignore lint/a11y/useFocusableInteractive: its button has the focus
                  <div
                    key={key}
                    className={className}
                    role="columnheader"
                    aria-sort={wanted.sort === key ? (wanted.descending ? "descending" : "ascending") : "none"}
                  >
                    <button type="button" className="sort" onClick={() => choose(key)}>
                      {name}
                      <span className="sort-mark" aria-hidden="true">
                        {wanted.sort === key ? (wanted.descending ? "▾" : "▴") : ""}
                      </span>
                    </button>
                  </div>
                ))}
              </div>
              {/* biome-ignore lint/a11y/useSemanticElements: as above */}
              <div role="rowgroup" className="rows-body" style={{ height: virtual.getTotalSize() }}>
                {items.map(({ index, start }) => {
                  const row = rows[index];
                  return row && <Row key={row.account} miner={row} index={index} top={start} now={poolNow} />;
                })}
              </div>
            </div>
          </section>
        )}
      </Panel>
    </PageFrame>
  );
}

function NoMatch({ search }: { search: string }) {
  const whole = search.trim();
  return (
    <div className="empty">
      <p className="empty-title">NO_MATCH</p>
      <p className="empty-text">No account that mines now has that in its address.</p>
      {whole.length >= 4 && (
        <p className="empty-text">
          One that does not mine now has a page all the same:{" "}
          <Link to={`/miners/${encodeURIComponent(whole)}`}>open {shorten(whole, 14, 8)}</Link>
        </p>
      )}
    </div>
  );
}

interface RowProps {
  miner: Miner;
  index: number;
  top: number;
  now: number;
}

const Row = memo(function Row({ miner, index, top, now }: RowProps) {
  const since = parseTime(miner.connected_since);
  const { accepted, rejected } = miner.shares;
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows of a real table cannot be laid out by their place
    // biome-ignore lint/a11y/useFocusableInteractive: its link has the focus
    <div
      className="rows-line"
      role="row"
      aria-rowindex={index + 2}
      style={{ transform: `translateY(${top}px)`, height: rowPx }}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: its link has the focus */}
      <div className="cell-account" role="rowheader">
        <Link to={`/miners/${encodeURIComponent(miner.account)}`}>
          <span className="wide-only" title={miner.account}>
            {shorten(miner.account, 16, 8)}
          </span>
          <span className="narrow-only">{shorten(miner.account.replace(/^.*:/, ""), 4, 5)}</span>
        </Link>
      </div>
      <Cell className="cell-number col-strong">{hashrateText(miner.hashrate)}</Cell>
      <Cell className="cell-number cell-minor">{whole(miner.workers)}</Cell>
      <Cell className="cell-number cell-small">{whole(accepted)}</Cell>
      <Cell className="cell-number cell-minor">
        {whole(rejected)}
        {rejected > 0 && (
          <span className={rejected > (accepted + rejected) / 100 ? "rejected" : ""}>
            {" "}
            {percent(rejected, accepted + rejected)}
          </span>
        )}
      </Cell>
      <Cell className="cell-number cell-minor">
        <Compact value={miner.difficulty} />
      </Cell>
      <Cell className="cell-number">
        <Ago at={parseTime(miner.last_share_at)} now={now} />
      </Cell>
      <Cell className="cell-number cell-minor">{since === null ? "—" : span(now - since)}</Cell>
    </div>
  );
});

function Cell({ className, children }: { className: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows of a real table cannot be laid out by their place
    <div className={className} role="cell">
      {children}
    </div>
  );
}
