import { useSyncExternalStore } from "react";
import { plural } from "../format/number";
import { parseTime } from "../format/time";
import type { Firing } from "../state/firing";
import { Link } from "../ui/router";
import { Ago } from "../ui/Time";

const marks = { critical: "✕", error: "✕", warning: "!" } as const;
const ranks = { critical: 0, error: 1, warning: 2 } as const;
const most = 4;

/** The alerts that fire, worst first, for those who may see them; nothing for everybody else. */
export function FiringNow({ firing, now }: { firing: Firing; now: number }) {
  const alerts = useSyncExternalStore(firing.subscribe, firing.shown);
  if (alerts === null) return null;
  // What somebody takes care of, or what another one explains, is no news.
  const loud = alerts.filter(
    ({ acknowledged, silenced, inhibited_by }) => acknowledged === null && !silenced && inhibited_by === null,
  );
  const shown = [...loud].sort((a, b) => ranks[a.severity] - ranks[b.severity]).slice(0, most);
  const [more, quiet] = [loud.length - shown.length, alerts.length - loud.length];
  return (
    <section className="firing" aria-label="Alerts that fire" data-testid="firing">
      {shown.map((alert) => (
        <p className={`firing-line firing-${alert.severity}`} key={alert.id}>
          <span aria-hidden="true">{marks[alert.severity]}</span>
          <strong>
            {alert.severity.toUpperCase()} {alert.rule}
          </strong>
          <span className="firing-text">{alert.message}</span>
          <span className="firing-when">
            <Ago at={parseTime(alert.fired_at)} now={now} />
          </span>
        </p>
      ))}
      <p className="firing-sum">
        {alerts.length === 0 && "No alert fires. "}
        {more > 0 && `${more} more. `}
        {quiet > 0 && `${plural(quiet, "alert")} taken, silenced or explained. `}
        <Link to="/alerts">alerts ▸</Link>
      </p>
    </section>
  );
}
