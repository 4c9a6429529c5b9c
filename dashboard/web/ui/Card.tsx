import type { ReactNode } from "react";
import { Icon, type IconName } from "./icons";
import type { Freshness } from "./Panel";

interface CardProps {
  icon: IconName;
  label: string;
  value: string;
  unit?: string;
  children: ReactNode;
  freshness: Freshness;
  testId: string;
  /** Colour of the value; good unless told otherwise. */
  tone?: "good" | "plain" | "quiet" | "warning" | "bad";
}

/** A figure that is looked at first. */
export function Card({ icon, label, value, unit, children, freshness, testId, tone = "good" }: CardProps) {
  return (
    <li className={`card card-${tone}`} data-freshness={freshness}>
      <div className="card-label">
        <Icon name={icon} />
        {label}
      </div>
      <div className="card-value" data-testid={testId}>
        {freshness === "waiting" ? <span className="card-skeleton">—</span> : value}
        {unit && freshness !== "waiting" && <span className="card-unit"> {unit}</span>}
      </div>
      <div className="card-note">{children}</div>
    </li>
  );
}
