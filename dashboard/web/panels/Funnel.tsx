import type { Stats } from "../feed/schema";
import { percent, whole } from "../format/number";

type Blocks = Stats["blocks"];

interface Stage {
  name: string;
  count: number;
  /** Lost on the way from the stage before, with the reason. */
  losses: { count: number; why: string }[];
  /** Neither lost nor arrived yet. */
  underway: { count: number; what: string };
}

/**
 * The stages of the paid-conversion funnel. Counts are cumulative: how many blocks ever reached the stage, so that each
 * is at most the one before.
 */
export function stagesOf(blocks: Blocks): Stage[] {
  const left = (from: number, to: number, lost: number) => Math.max(0, from - to - lost);
  const { candidate, submitted, rejected, accepted, matured, paid } = blocks;
  return [
    { name: "candidate", count: candidate, losses: [], underway: { count: 0, what: "" } },
    {
      name: "submitted",
      count: submitted,
      losses: [],
      underway: { count: left(candidate, submitted, 0), what: "being sent" },
    },
    {
      name: "accepted",
      count: accepted,
      losses: [{ count: rejected, why: "rejected by the node" }],
      underway: { count: left(submitted, accepted, rejected), what: "awaiting verdict" },
    },
    {
      name: "matured",
      count: matured,
      losses: [{ count: blocks.void, why: "red or orphaned: void" }],
      underway: { count: left(accepted, matured, blocks.void), what: "maturing" },
    },
    { name: "paid", count: paid, losses: [], underway: { count: left(matured, paid, 0), what: "awaiting payout" } },
  ];
}

/** candidate -> submitted -> accepted -> matured -> paid, with the reason of every loss. */
export function Funnel({ blocks }: { blocks: Blocks }) {
  const stages = stagesOf(blocks);
  const whole100 = Math.max(1, blocks.candidate);
  return (
    <ol className="funnel">
      {stages.map((stage) => (
        <li className="stage" key={stage.name}>
          <div className="stage-head">
            <span className="stage-name">{stage.name}</span>
            <span className="stage-count">{whole(stage.count)}</span>
            <span className="stage-part">{percent(stage.count, blocks.candidate) ?? "—"}</span>
          </div>
          <div className="bar" aria-hidden="true">
            <div className="bar-fill" style={{ width: `${Math.min(100, (stage.count / whole100) * 100)}%` }} />
          </div>
          <p className="stage-notes">
            {stage.losses
              .filter((loss) => loss.count > 0)
              .map((loss) => (
                <span className="loss" key={loss.why}>
                  −{whole(loss.count)} {loss.why}
                </span>
              ))}
            {stage.underway.count > 0 && (
              <span className="underway">
                {whole(stage.underway.count)} {stage.underway.what}
              </span>
            )}
          </p>
        </li>
      ))}
    </ol>
  );
}
