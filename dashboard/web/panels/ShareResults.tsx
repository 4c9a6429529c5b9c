import type { Shares } from "../feed/schema";
import { percent, whole } from "../format/number";

const reasons = [
  ["stale", "stale"],
  ["duplicate", "duplicate"],
  ["low_difficulty", "low difficulty"],
  ["invalid", "invalid"],
] as const;

/** How shares were judged. Bars show each reason's part of the rejected ones, as those of all would be invisible. */
export function ShareResults({ shares }: { shares: Shares }) {
  const judged = shares.accepted + shares.rejected;
  const most = Math.max(1, ...reasons.map(([key]) => shares[key]));
  return (
    <div className="share-results">
      <p className="share-split">
        <span className="share-split-good">
          {whole(shares.accepted)} <small>accepted</small>
        </span>
        <span className={shares.rejected > 0 ? "share-split-bad" : "share-split-none"}>
          {whole(shares.rejected)} <small>rejected{judged > 0 && ` (${percent(shares.rejected, judged)})`}</small>
        </span>
      </p>
      <ul className="reasons" aria-label="Rejected shares by reason">
        {reasons.map(([key, name]) => (
          <li key={key}>
            <span className="reason-name">{name}</span>
            <span className="bar bar-thin" aria-hidden="true">
              <span className="bar-fill bar-fill-warning" style={{ width: `${(shares[key] / most) * 100}%` }} />
            </span>
            <span className="reason-count">{whole(shares[key])}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
