import type { Block, Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { shorten, whole } from "../format/number";
import { parseTime } from "../format/time";
import { Copy } from "../ui/Copy";
import { Fact, Facts } from "../ui/Panel";
import { Link } from "../ui/router";
import { Instant } from "../ui/Time";

const colorWords = { blue: "B blue", red: "R red", unknown: "? pending" } as const;

interface DetailsProps {
  block: Block;
  blocks: ReadonlyMap<string, Block>;
  currency: Currency | null;
  /** Whether the newest block is followed rather than one that was chosen. */
  following: boolean;
  onSelect: (hash: string | null) => void;
  /** Offers to close the details rather than to go to the newest. */
  close?: boolean;
}

/** Everything known about one block; its parents lead on. */
export function BlockDetails({ block, blocks, currency, following, onSelect, close = false }: DetailsProps) {
  return (
    <div className="details" data-testid="block-details">
      <div className="details-head">
        <h3 className="details-title">{block.ours ? "OUR_BLOCK" : "BLOCK"}</h3>
        <span className={`tag tag-${block.color}`}>{colorWords[block.color]}</span>
        {block.status && <span className="tag">{block.status}</span>}
        {!following && (
          <button type="button" className="button button-small" onClick={() => onSelect(null)}>
            {close ? "CLOSE ✕" : "NEWEST ▸"}
          </button>
        )}
      </div>
      <Facts>
        <Fact name="hash" wide>
          <code className="hash">{block.hash}</code> <Copy text={block.hash} />
        </Fact>
        <Fact name="parents" wide>
          {block.parents.length === 0 && "none"}
          <span className="hash-list">
            {block.parents.map((parent) =>
              blocks.has(parent) ? (
                <button
                  key={parent}
                  type="button"
                  className="hash-link"
                  title={parent}
                  onClick={() => onSelect(parent)}
                >
                  {shorten(parent, 6, 6)}
                </button>
              ) : (
                <code key={parent} title={`${parent} (no longer shown)`}>
                  {shorten(parent, 6, 6)}
                </code>
              ),
            )}
          </span>
        </Fact>
        <Fact name="height">{whole(block.height)}</Fact>
        <Fact name="confirmations">{whole(block.confirmations)}</Fact>
        {block.ours && (
          <Fact name="reward">
            {block.reward === null ? "not known yet" : `${money(block.reward, currency)} ${unitOf(currency)}`}
          </Fact>
        )}
        <Fact name="algorithm">{block.algorithm ?? "—"}</Fact>
        {block.ours && (
          <Fact name="finder">
            <span title={block.account ?? ""}>
              {block.account ? shorten(block.account, 10, 6) : "—"}
              {block.worker && `.${block.worker}`}
            </span>
          </Fact>
        )}
        <Fact name="found">
          <Instant at={parseTime(block.found_at)} />
        </Fact>
      </Facts>
      {block.ours && (
        <p className="details-more">
          <Link to={`/blocks/${block.hash}`}>life, statement and proofs ▸</Link>
        </p>
      )}
    </div>
  );
}
