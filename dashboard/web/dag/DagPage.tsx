import "./dag-page.css";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { plural, shorten, whole } from "../format/number";
import { parseTime } from "../format/time";
import { staleMs } from "../state/alerts";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { useNow } from "../ui/clock";
import { PageFrame } from "../ui/PageFrame";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Switch } from "../ui/Switch";
import { Ago, Instant } from "../ui/Time";
import { BlockDetails } from "./BlockDetails";
import { Book } from "./book";
import { DagCanvas } from "./DagCanvas";
import { Legend } from "./Glyph";
import { Older } from "./older";

interface PageProps {
  session: Session;
  nav: ReactNode;
  older?: Older;
}

type Asking = "idle" | "asking" | "failed" | "done";

/** `[BLOCK_DAG]`: the DAG at full size, back to where the pool's memory begins. */
export default function DagPage({ session, nav, older }: PageProps) {
  const pool = usePool(session);
  const now = useNow();
  const [book] = useState(() => new Book());
  const [source] = useState(() => older ?? new Older());
  const [version, setVersion] = useState(0);
  const [selected, setSelected] = useState<string | null>(null);
  const [following, setFollowing] = useState(true);
  const [as, setAs] = useState<"dag" | "list">("dag");
  const [asking, setAsking] = useState<Asking>("idle");

  useEffect(() => {
    if (pool.blocks === null) return;
    const before = book.size;
    const { changed } = book.follow(pool.blocks.values());
    if (book.size < before) {
      // The oldest were let go: they can be had again.
      source.reset();
      setAsking((state) => (state === "done" ? "idle" : state));
    }
    if (changed) setVersion((count) => count + 1);
  }, [pool.blocks, book, source]);

  const busy = useRef(false);
  const ask = useCallback(async () => {
    if (busy.current || source.done) return;
    busy.current = true;
    setAsking("asking");
    try {
      const found = await source.next((hash) => book.blocks.has(hash));
      if (book.addOlder(found) > 0) setVersion((count) => count + 1);
      setAsking(source.done ? "done" : "idle");
    } catch {
      setAsking("failed");
    } finally {
      busy.current = false;
    }
  }, [book, source]);
  // What failed is asked for again by whoever looks, not by each frame that is drawn.
  const onStart = useCallback(() => {
    if (asking !== "failed") void ask();
  }, [ask, asking]);

  const poolNow = now + pool.skewMs;
  const known = pool.blocks !== null;
  const age = pool.statsAt === null ? null : now - pool.statsAt;
  const freshness = !known ? "waiting" : age !== null && age > staleMs ? "stale" : "fresh";
  const block = selected === null ? null : (book.blocks.get(selected) ?? null);
  const oldest = version > 0 ? (book.layers.get(book.min)?.at ?? null) : null;
  return (
    <PageFrame
      session={session}
      nav={nav}
      title="BLOCK_DAG"
      name="Block DAG"
      className="dag-page"
      live
      note="A column holds blocks that came after those left of it; the axis says when."
    >
      <Panel
        title="DAG"
        freshness={freshness}
        aside={
          <span className="asides">
            {known && (
              <span className="dag-known" data-testid="dag-known">
                {plural(book.size, "block")}
                {oldest !== null && (
                  <span className="wide-only">
                    {" "}
                    since <Instant at={oldest} />
                  </span>
                )}
              </span>
            )}
            <Switch
              name="Show the DAG as"
              options={[
                ["dag", "DAG"],
                ["list", "LIST"],
              ]}
              value={as}
              onChange={setAs}
            />
          </span>
        }
      >
        {!known ? (
          <Loading what="blocks" lines={8} />
        ) : pool.blocks?.size === 0 && book.size === 0 ? (
          <Empty title="NO_BLOCKS_YET">The DAG grows here as soon as the node reports a block.</Empty>
        ) : (
          <div className={block ? "dag-split dag-split-open" : "dag-split"}>
            <div className="dag-main">
              {as === "dag" ? (
                <>
                  <DagCanvas
                    book={book}
                    version={version}
                    selected={selected}
                    onSelect={setSelected}
                    following={following}
                    onFollow={setFollowing}
                    onStart={onStart}
                  />
                  <Legend />
                </>
              ) : (
                <DagList book={book} version={version} now={poolNow} selected={selected} onSelect={setSelected} />
              )}
              <p className="dag-older" data-testid="dag-older">
                {asking === "asking" && "Older blocks are on their way."}
                {asking === "failed" && "The pool did not tell older blocks. "}
                {asking === "done" &&
                  "This is all: the pool tells others' blocks since it started, and all of its own."}
                {(asking === "failed" || (as === "list" && asking === "idle")) && (
                  <button type="button" className="button button-small" onClick={() => void ask()}>
                    {asking === "failed" ? "ASK AGAIN" : "OLDER BLOCKS"}
                  </button>
                )}
              </p>
            </div>
            {block && (
              <aside className="dag-side" aria-label="The chosen block">
                <BlockDetails
                  block={block}
                  blocks={book.blocks}
                  currency={pool.currency}
                  following={false}
                  onSelect={setSelected}
                  close
                />
              </aside>
            )}
          </div>
        )}
      </Panel>
    </PageFrame>
  );
}

const listStep = 100;
const colors = { blue: "blue", red: "red", unknown: "pending" } as const;

interface ListProps {
  book: Book;
  version: number;
  now: number;
  selected: string | null;
  onSelect: (hash: string) => void;
}

/** The same blocks as a table, newest first: for those who rather read than look. */
function DagList({ book, version, now, selected, onSelect }: ListProps) {
  const [most, setMost] = useState(listStep);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the book changes in place, its version says so
  const blocks = useMemo(() => book.newestFirst(), [book, version]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard (WCAG 2.1.1)
    <section className="list-scroll dag-list" tabIndex={0} aria-label="Blocks of the DAG, newest first">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">block</th>
            <th scope="col">whose</th>
            <th scope="col">colour</th>
            <th scope="col" className="col-minor">
              status
            </th>
            <th scope="col" className="col-number col-minor">
              height
            </th>
            <th scope="col" className="col-number col-minor">
              parents
            </th>
            <th scope="col" className="col-number">
              found
            </th>
          </tr>
        </thead>
        <tbody>
          {blocks.slice(0, most).map((block) => (
            <tr key={block.hash} aria-selected={block.hash === selected}>
              <th scope="row">
                <button type="button" className="hash-link" title={block.hash} onClick={() => onSelect(block.hash)}>
                  {shorten(block.hash, 4, 6)}
                </button>
              </th>
              <td>{block.ours ? "ours" : "others"}</td>
              <td>{colors[block.color]}</td>
              <td className="col-minor">{block.status ?? "—"}</td>
              <td className="col-number col-minor">{whole(block.height)}</td>
              <td className="col-number col-minor">{block.parents.length}</td>
              <td className="col-number">
                <Ago at={parseTime(block.found_at)} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {blocks.length > most && (
        <button type="button" className="button button-quiet" onClick={() => setMost(most + listStep)}>
          {`SHOW ${listStep} MORE OF ${whole(blocks.length)}`}
        </button>
      )}
    </section>
  );
}
