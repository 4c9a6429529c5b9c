import { useCallback, useMemo, useState } from "react";
import type { Block, Currency } from "../feed/schema";
import { Empty, type Freshness, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Switch } from "../ui/Switch";
import { BlockDetails } from "./BlockDetails";
import { BlockList } from "./BlockList";
import { DagView } from "./DagView";
import { Legend } from "./Glyph";

interface BlocksProps {
  blocks: ReadonlyMap<string, Block> | null;
  currency: Currency | null;
  /** By the pool's clock. */
  now: number;
  freshness: Freshness;
}

/** The newest of ours, else the newest at all. */
function newestOf(blocks: ReadonlyMap<string, Block>): Block | null {
  const all = [...blocks.values()];
  return all.findLast((block) => block.ours) ?? all.at(-1) ?? null;
}

type Blocks = ReadonlyMap<string, Block>;

/** Lets the viewer stop the picture (WCAG 2.2.2): no block comes or goes, while those shown keep their newest state. */
function useHold(blocks: Blocks | null): { shown: Blocks | null; held: boolean; toggle: () => void } {
  const [frozen, setFrozen] = useState<Blocks | null>(null);
  const shown = useMemo(() => {
    if (frozen === null) return blocks;
    return new Map([...frozen].map(([hash, block]) => [hash, blocks?.get(hash) ?? block]));
  }, [blocks, frozen]);
  const toggle = () => setFrozen(frozen === null ? shown : null);
  return { shown, held: frozen !== null, toggle };
}

export function BlocksPanel({ blocks, currency, now, freshness }: BlocksProps) {
  const [view, setView] = useState<"dag" | "list">("dag");
  const { shown: seen, held, toggle } = useHold(blocks);
  const [chosen, setChosen] = useState<string | null>(null);
  const select = useCallback((hash: string | null) => setChosen(hash), []);
  const picked = (chosen !== null && seen?.get(chosen)) || null;
  const shown = picked ?? (seen && newestOf(seen));
  return (
    <Panel
      title="BLOCK_DAG"
      className="panel-dag"
      freshness={freshness}
      aside={
        <span className="asides">
          <button
            type="button"
            className="button button-small"
            aria-pressed={held}
            disabled={seen === null}
            onClick={toggle}
          >
            {held ? "▸ GO ON" : "❙❙ HOLD"}
          </button>
          <Switch
            name="Show blocks as"
            options={[
              ["dag", "DAG"],
              ["list", "LIST"],
            ]}
            value={view}
            onChange={setView}
          />
          <Link to="/dag" className="button button-small">
            FULL SIZE ▸
          </Link>
        </span>
      }
    >
      {seen === null ? (
        <Loading what="blocks" lines={5} />
      ) : shown === null ? (
        <Empty title="NO_BLOCKS_YET">The DAG grows here as soon as the node reports a block.</Empty>
      ) : (
        <div className="dag-grid">
          <div className="dag-main">
            {view === "dag" ? (
              <>
                <DagView blocks={seen} selected={shown.hash} onSelect={select} />
                <Legend />
              </>
            ) : (
              <BlockList blocks={seen} currency={currency} now={now} selected={shown.hash} onSelect={select} />
            )}
          </div>
          <BlockDetails block={shown} blocks={seen} currency={currency} following={picked === null} onSelect={select} />
        </div>
      )}
    </Panel>
  );
}
