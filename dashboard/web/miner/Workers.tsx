import type { Worker } from "../feed/schema";
import { compact, hashrateText, percent, whole } from "../format/number";
import { ago, localTime, parseTime, span } from "../format/time";
import { Compact } from "../ui/Compact";
import { Empty } from "../ui/Panel";
import { Ago } from "../ui/Time";

const reasons = [
  ["stale", "stale"],
  ["duplicate", "duplicate"],
  ["low_difficulty", "low difficulty"],
  ["invalid", "invalid"],
] as const;

/** Every rig of the account, those that are here first. */
export function Workers({ workers, now }: { workers: readonly Worker[]; now: number }) {
  if (workers.length === 0) return <Empty title="NO_WORKERS">No rig of this account has had a share credited.</Empty>;
  const here = (worker: Worker) => Number(worker.connected_since !== null);
  const sorted = [...workers].sort((a, b) => here(b) - here(a) || b.hashrate - a.hashrate);
  return (
    <ul className="rigs" aria-label="Workers">
      {sorted.map((worker, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two sessions may carry the same worker name
        <Rig key={`${worker.name}-${index}`} worker={worker} now={now} />
      ))}
    </ul>
  );
}

function Rig({ worker, now }: { worker: Worker; now: number }) {
  const since = parseTime(worker.connected_since);
  const { accepted, rejected } = worker.shares;
  const why = reasons.filter(([key]) => worker.shares[key] > 0);
  return (
    <li className={since === null ? "rig rig-away" : "rig"}>
      <div className="rig-head">
        <strong>{worker.name || "unnamed"}</strong>
        <span className={since === null ? "tag" : "tag tag-good"}>
          {since === null ? "NOT CONNECTED" : `FOR ${span(now - since).toUpperCase()}`}
        </span>
      </div>
      <dl className="rig-facts">
        <div>
          <dt>hash rate</dt>
          <dd className="col-strong">{since === null ? "—" : hashrateText(worker.hashrate)}</dd>
        </div>
        <div>
          <dt>accepted</dt>
          <dd>{whole(accepted)}</dd>
        </div>
        <div>
          <dt>rejected</dt>
          <dd>
            {whole(rejected)}
            {rejected > 0 && <span className="rejected"> {percent(rejected, accepted + rejected)}</span>}
            {why.length > 0 && (
              <small className="rig-why">
                {why.map(([key, name]) => `${name} ${whole(worker.shares[key])}`).join(" · ")}
              </small>
            )}
          </dd>
        </div>
        <div>
          <dt>last share</dt>
          <dd>
            <Ago at={parseTime(worker.last_share_at)} now={now} />
          </dd>
        </div>
        <div className="rig-difficulty">
          <dt>difficulty</dt>
          <dd>
            <Compact value={worker.difficulty} />
            <Steps changes={worker.difficulties} now={now} />
          </dd>
        </div>
      </dl>
    </li>
  );
}

const wide = 150;
const high = 34;

/** How the difficulty went, as a line of steps and in words. */
function Steps({ changes, now }: { changes: Worker["difficulties"]; now: number }) {
  const known = changes.flatMap(({ at, difficulty }) => {
    const when = parseTime(at);
    return when === null || difficulty === null ? [] : [{ at: when, difficulty }];
  });
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined || known.length < 2) return null;
  // By powers: vardiff moves by factors, and a double is a double anywhere.
  const level = (difficulty: number) => Math.log2(Math.max(difficulty, 2 ** -32));
  const levels = known.map(({ difficulty }) => level(difficulty));
  const [low, top] = [Math.min(...levels), Math.max(...levels)];
  const y = (difficulty: number) => high - 3 - ((level(difficulty) - low) / Math.max(top - low, 1)) * (high - 6);
  const x = (at: number) => ((at - first.at) / Math.max(now - first.at, 1)) * wide;
  const line = known.map(({ at, difficulty }, index) =>
    index === 0 ? `M0,${y(difficulty).toFixed(1)}` : `H${x(at).toFixed(1)}V${y(difficulty).toFixed(1)}`,
  );
  const said = known.map(({ at, difficulty }) => `${compact(difficulty)} since ${localTime(at)}`).join(", ");
  return (
    <>
      <svg className="rig-steps" viewBox={`0 0 ${wide} ${high}`} role="img" aria-label={`Difficulty: ${said}`}>
        <title>{said}</title>
        <path d={`${line.join("")}H${wide}`} />
      </svg>
      <small className="rig-why">
        was <Compact value={known.at(-2)?.difficulty} /> until {ago(last.at, now)}
      </small>
    </>
  );
}
