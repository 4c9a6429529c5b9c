import { useCallback, useState } from "react";
import type { Block, Currency } from "../feed/schema";
import { Empty, type Freshness, Loading, Panel } from "../ui/Panel";
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

export function BlocksPanel({ blocks, currency, now, freshness }: BlocksProps) {
  const [view, setView] = useState<"dag" | "list">("dag");
  const [chosen, setChosen] = useState<string | null>(null);
  const select = useCallback((hash: string | null) => setChosen(hash), []);
  const picked = (chosen !== null && blocks?.get(chosen)) || null;
  const shown = picked ?? (blocks && newestOf(blocks));
  return (
    <Panel
      title="BLOCK_DAG"
      className="panel-dag"
      freshness={freshness}
      aside={
        <Switch
          name="Show blocks as"
          options={[
            ["dag", "DAG"],
            ["list", "LIST"],
          ]}
          value={view}
          onChange={setView}
        />
      }
    >
      {blocks === null ? (
        <Loading what="blocks" lines={5} />
      ) : shown === null ? (
        <Empty title="NO_BLOCKS_YET">The DAG grows here as soon as the node reports a block.</Empty>
      ) : (
        <div className="dag-grid">
          <div className="dag-main">
            {view === "dag" ? (
              <>
                <DagView blocks={blocks} selected={shown.hash} onSelect={select} />
                <Legend />
              </>
            ) : (
              <BlockList blocks={blocks} currency={currency} now={now} selected={shown.hash} onSelect={select} />
            )}
          </div>
          <BlockDetails
            block={shown}
            blocks={blocks}
            currency={currency}
            following={picked === null}
            onSelect={select}
          />
        </div>
      )}
    </Panel>
  );
}
