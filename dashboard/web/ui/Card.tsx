import type { ReactNode } from "react";
import { Icon, type IconName } from "./icons";
import type { Freshness } from "./Panel";

interface CardProps {
  icon: IconName;
  label: string;
  value: string;
  unit?: string;
  /** On hover, where the value is shortened. */
  full?: string | undefined;
  children: ReactNode;
  freshness: Freshness;
  testId: string;
  /** Colour of the value; good unless told otherwise. */
  tone?: "good" | "plain" | "quiet" | "warning" | "bad";
}

/** More characters than these do not fit at full size: a sum of money to its last digit. */
const longValue = 12;
/** Nothing has no unit. */
const unknown = "—";

/** A figure that is looked at first. */
export function Card({ icon, label, value, unit, full, children, freshness, testId, tone = "good" }: CardProps) {
  return (
    <li className={`card card-${tone}`} data-freshness={freshness}>
      <div className="card-label">
        <Icon name={icon} />
        {label}
      </div>
      <div
        className="card-value"
        data-long={value.length > longValue ? "" : undefined}
        data-testid={testId}
        title={freshness === "waiting" ? undefined : full}
      >
        {freshness === "waiting" ? <span className="card-skeleton">{unknown}</span> : value}
        {unit && value !== unknown && freshness !== "waiting" && <span className="card-unit"> {unit}</span>}
      </div>
      <div className="card-note">{children}</div>
    </li>
  );
}
