import "./blocks.css";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Glyph } from "../dag/Glyph";
import { type ListPage, loadPage, NotAsked, query } from "../feed/pages";
import { type Block, block as blockShape, blockStatuses, type Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { shorten, whole } from "../format/number";
import { parseTime } from "../format/time";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { useNow } from "../ui/clock";
import { PageFrame } from "../ui/PageFrame";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Ago, Instant } from "../ui/Time";

const pageSize = 50;
const typingMs = 300;
const colors = ["blue", "red", "unknown"] as const;
export const colorWords = { blue: "blue", red: "red", unknown: "pending" } as const;

export interface Filter {
  status: string;
  color: string;
  account: string;
}

export function filterOf(search: string): Filter {
  const said = new URLSearchParams(search);
  const one = (name: string, known: readonly string[]) => known.find((value) => value === said.get(name)) ?? "";
  return { status: one("status", blockStatuses), color: one("color", colors), account: said.get("account") ?? "" };
}

interface Listed {
  items: readonly Block[];
  next: string | null;
  staleAt: string | null;
}

/** `[BLOCKS]`: all blocks of ours, newest first, by status, colour and finder. */
export default function BlocksPage({ session, nav }: { session: Session; nav: ReactNode }) {
  const pool = usePool(session);
  const now = useNow();
  const [filter, setFilter] = useState(() => filterOf(window.location.search));
  const [typed, setTyped] = useState(filter.account);
  const [listed, setListed] = useState<Listed | null>(null);
  const [failed, setFailed] = useState<"answer" | "account" | null>(null);
  const turn = useRef(0);

  const ask = useCallback(
    async (known: Listed | null) => {
      turn.current += 1;
      const own = turn.current;
      const cursor = known?.next ?? null;
      try {
        const path = query("/api/blocks", { ...filter, account: filter.account.trim(), limit: pageSize, cursor });
        const page: ListPage<Block> = await loadPage(path, blockShape);
        if (own !== turn.current) return;
        setFailed(null);
        setListed({ items: [...(known?.items ?? []), ...page.items], next: page.next, staleAt: page.staleAt });
      } catch (error) {
        if (own !== turn.current) return;
        setFailed(error instanceof NotAsked && filter.account !== "" ? "account" : "answer");
      }
    },
    [filter],
  );
  useEffect(() => {
    setListed(null);
    void ask(null);
  }, [ask]);
  // The database is back.
  const away = pool.stats?.stale ?? false;
  const wasAway = useRef(away);
  useEffect(() => {
    if (wasAway.current && !away) void ask(null);
    wasAway.current = away;
  }, [away, ask]);

  const change = useCallback((part: Partial<Filter>) => {
    setFilter((known) => {
      const next = { ...known, ...part };
      window.history.replaceState(null, "", query("/blocks", { ...next }));
      return next;
    });
  }, []);
  useEffect(() => {
    if (typed.trim() === filter.account) return;
    const timer = setTimeout(() => change({ account: typed.trim() }), typingMs);
    return () => clearTimeout(timer);
  }, [typed, filter.account, change]);

  // What the feed knows better: newer states, and blocks found since.
  const rows = useMemo(() => merged(listed?.items ?? [], pool.blocks, filter), [listed, pool.blocks, filter]);
  const plain = filter.status === "" && filter.color === "" && filter.account === "";
  const stale = listed?.staleAt ?? null;
  return (
    <PageFrame
      session={session}
      nav={nav}
      title="BLOCKS"
      name="Blocks"
      live
      note="A colour can change until a block has matured."
    >
      <Panel
        title="OUR_BLOCKS"
        freshness={listed === null ? "waiting" : failed || stale !== null ? "stale" : "fresh"}
        aside={
          pool.stats && (
            <span className="blocks-sum">
              {whole(pool.stats.blocks.candidate)} found · {whole(pool.stats.blocks.paid)} paid ·{" "}
              {whole(pool.stats.blocks.rejected + pool.stats.blocks.void)} lost
            </span>
          )
        }
      >
        <form className="filters" onSubmit={(event) => event.preventDefault()}>
          <label>
            <span>status</span>
            <select
              className="input"
              value={filter.status}
              onChange={(event) => change({ status: event.target.value })}
            >
              <option value="">any</option>
              {blockStatuses.map((status) => (
                <option key={status}>{status}</option>
              ))}
            </select>
          </label>
          <label>
            <span>colour</span>
            <select className="input" value={filter.color} onChange={(event) => change({ color: event.target.value })}>
              <option value="">any</option>
              {colors.map((color) => (
                <option key={color} value={color}>
                  {colorWords[color]}
                </option>
              ))}
            </select>
          </label>
          <label className="filter-wide">
            <span>found by (whole address)</span>
            <input
              className="input"
              type="search"
              value={typed}
              maxLength={128}
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
          {!plain && (
            <button
              type="button"
              className="button button-small"
              onClick={() => {
                setTyped("");
                change({ status: "", color: "", account: "" });
              }}
            >
              CLEAR
            </button>
          )}
        </form>
        {stale !== null && (
          <p className="note warn">
            The database is away: this is the list of <Instant at={parseTime(stale)} />, with what the feed told since.
          </p>
        )}
        {failed === "account" ? (
          <Empty title="NO_ADDRESS">That is no whole address of an account.</Empty>
        ) : failed !== null && listed === null ? (
          <Empty title={away ? "DATABASE_AWAY" : "NO_ANSWER"}>
            {away ? "The blocks can't be told while the database is away. " : "The pool did not tell its blocks. "}
            <button type="button" className="button button-small" onClick={() => void ask(null)}>
              ASK AGAIN
            </button>
          </Empty>
        ) : listed === null ? (
          <Loading what="blocks" lines={10} tall />
        ) : rows.length === 0 ? (
          <Empty title={plain ? "NO_BLOCKS_YET" : "NO_MATCH"}>
            {plain
              ? "Each block that a miner of this pool finds is listed here, with its life, its statement and its proofs."
              : "No block of ours is like that."}
          </Empty>
        ) : (
          <Table rows={rows} currency={pool.currency} now={now + pool.skewMs} />
        )}
        {listed !== null && failed === "answer" && (
          <p className="note warn" role="status">
            The pool did not tell older blocks.
          </p>
        )}
        {listed !== null && listed.next !== null && failed !== "account" && (
          <button type="button" className="button button-quiet" onClick={() => void ask(listed)}>
            OLDER
          </button>
        )}
      </Panel>
    </PageFrame>
  );
}

/** The list with the newest state of each, and what was found since it was asked for in front. */
export function merged(items: readonly Block[], live: ReadonlyMap<string, Block> | null, filter: Filter): Block[] {
  const known = new Set(items.map(({ hash }) => hash));
  const fits = (block: Block) =>
    (filter.status === "" || block.status === filter.status) &&
    (filter.color === "" || block.color === filter.color) &&
    (filter.account === "" || block.account === filter.account);
  const newest = parseTime(items[0]?.found_at) ?? 0;
  const since = [...(live?.values() ?? [])].filter(
    (block) => block.ours && !known.has(block.hash) && fits(block) && (parseTime(block.found_at) ?? 0) >= newest,
  );
  return [...since.reverse(), ...items.map((block) => live?.get(block.hash) ?? block)];
}

const lost = ({ status }: Block) => status === "rejected" || status === "void";

function Table({ rows, currency, now }: { rows: readonly Block[]; currency: Currency | null; now: number }) {
  return (
    <div className="table-scroll table-long">
      <table className="table blocks-table">
        <thead>
          <tr>
            <th scope="col">block</th>
            <th scope="col" className="col-status">
              status
            </th>
            <th scope="col" className="col-number col-minor">
              height
            </th>
            <th scope="col" className="col-number col-minor">
              confirmations
            </th>
            <th scope="col" className="col-number">
              reward {unitOf(currency)}
            </th>
            <th scope="col" className="col-minor">
              found by
            </th>
            <th scope="col" className="col-number">
              found
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((block) => (
            <tr key={block.hash}>
              <th scope="row">
                <Link to={`/blocks/${block.hash}`} className="block-link">
                  <svg viewBox="-22 -22 44 44" aria-hidden="true" focusable="false">
                    <Glyph block={block} />
                  </svg>
                  <span title={block.hash}>
                    <span className="wide-only">{shorten(block.hash, 8, 8)}</span>
                    <span className="narrow-only">…{block.hash.slice(-6)}</span>
                    {/* Beside it where there is room for another column. */}
                    <span className={`narrow-only block-status ${lost(block) ? "rejected" : ""}`}>
                      {block.status ?? "—"}
                    </span>
                  </span>
                  <span className="visually-hidden">, {colorWords[block.color]}</span>
                </Link>
              </th>
              <td className={lost(block) ? "col-status rejected" : "col-status"}>{block.status ?? "—"}</td>
              <td className="col-number col-minor">{whole(block.height)}</td>
              <td className="col-number col-minor">{whole(block.confirmations)}</td>
              <td className="col-number">{money(block.reward, currency)}</td>
              <td className="col-minor">
                {block.account ? (
                  <Link to={`/miners/${encodeURIComponent(block.account)}`}>{shorten(block.account, 10, 6)}</Link>
                ) : (
                  "—"
                )}
                {block.worker && `.${block.worker}`}
              </td>
              <td className="col-number">
                <Ago at={parseTime(block.found_at)} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
