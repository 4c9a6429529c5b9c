import type { Block, Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { shorten, whole } from "../format/number";
import { parseTime } from "../format/time";
import { Empty } from "../ui/Panel";
import { Ago } from "../ui/Time";

interface ListProps {
  blocks: ReadonlyMap<string, Block>;
  currency: Currency | null;
  /** By the pool's clock. */
  now: number;
  selected: string | null;
  onSelect: (hash: string) => void;
}

/** The same blocks as a table of our own, newest first: for those who rather read than look. */
export function BlockList({ blocks, currency, now, selected, onSelect }: ListProps) {
  const ours = [...blocks.values()].filter((block) => block.ours).reverse();
  if (ours.length === 0) return <Empty title="NO_BLOCKS_OF_OURS">None of the recent blocks is ours.</Empty>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard (WCAG 2.1.1)
    <section className="list-scroll" tabIndex={0} aria-label="Our recent blocks">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">block</th>
            <th scope="col" className="col-number col-minor">
              height
            </th>
            <th scope="col">status</th>
            <th scope="col">colour</th>
            <th scope="col" className="col-number col-minor">
              confirmations
            </th>
            <th scope="col" className="col-number col-minor">
              reward {unitOf(currency)}
            </th>
            <th scope="col" className="col-number">
              found
            </th>
          </tr>
        </thead>
        <tbody>
          {ours.map((block) => (
            <tr key={block.hash} aria-selected={block.hash === selected}>
              <th scope="row">
                <button type="button" className="hash-link" title={block.hash} onClick={() => onSelect(block.hash)}>
                  {shorten(block.hash, 4, 6)}
                </button>
              </th>
              <td className="col-number col-minor">{whole(block.height)}</td>
              <td>{block.status ?? "—"}</td>
              <td>{block.color === "unknown" ? "pending" : block.color}</td>
              <td className="col-number col-minor">{whole(block.confirmations)}</td>
              <td className="col-number col-minor">{money(block.reward, currency)}</td>
              <td className="col-number">
                <Ago at={parseTime(block.found_at)} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
