import { Card } from "../ui/Card";
import type { Freshness } from "../ui/Panel";
import { phaseName, rolloutOf, titleOf, underWay } from "./rollout";
import type { Health, Named, Status } from "./schema";

export const healthTones = { healthy: "good", degraded: "warning", unhealthy: "bad", unknown: "quiet" } as const;

const healthNotes: Record<Health, string> = {
  healthy: "errors and latency within bounds",
  degraded: "works, but worse than it should",
  unhealthy: "beyond a bound: see the deployment below",
  unknown: "not measured yet",
};

export const sourceWords: Record<string, string> = {
  linked_in: "part of the pool's program",
  package: "from a package",
};

function sourceOf(one: Named): string {
  return (one.source && sourceWords[one.source]) ?? one.source ?? "source unknown";
}

/** What the last roll-out came to, while none is under way. */
function lastWord(status: Status): string {
  const last = rolloutOf(status);
  if (!last) return "no roll-out yet";
  return `last one ${last.status.replaceAll("_", " ")}${last.to ? `: ${last.to}` : ""}`;
}

/** The four things to know before touching anything. */
export function Cards({ status, freshness }: { status: Status; freshness: Freshness }) {
  const { active_algorithm: active, staged_algorithm: staged, health } = status;
  const running = underWay(status);
  const paused = running?.status === "paused";
  const generation = status.performance_metrics?.slots.find(
    (slot) => slot.algorithm?.algorithm_id === active?.algorithm_id && slot.traffic_split > 0,
  )?.generation;
  return (
    <ul className="cards cards-4" aria-label="Algorithms at a glance">
      <Card
        icon="active"
        label="ACTIVE_ALGORITHM"
        value={active ? titleOf(active) : "NONE"}
        tone={active ? "good" : "quiet"}
        freshness={freshness}
        testId="active"
      >
        {active ? sourceOf(active) : "the pool has no word yet"}
        {generation != null && ` · generation ${generation}`}
      </Card>
      <Card
        icon="staged"
        label="STAGED_ALGORITHM"
        value={staged ? titleOf(staged) : "NONE"}
        tone={staged ? "plain" : "quiet"}
        freshness={freshness}
        testId="staged"
      >
        {staged ? "checked and ready to deploy" : "upload a package to stage one"}
      </Card>
      <Card
        icon="migration"
        label="MIGRATION_STATE"
        value={running ? phaseName(running.phase) : "IDLE"}
        tone={running ? (paused ? "warning" : "plain") : "quiet"}
        freshness={freshness}
        testId="migration"
      >
        {running
          ? `${running.status} at ${Math.round(running.progress)}%${running.to ? ` · to ${running.to}` : ""}`
          : lastWord(status)}
      </Card>
      <Card
        icon="health"
        label="HEALTH"
        value={health.toUpperCase()}
        tone={healthTones[health]}
        freshness={freshness}
        testId="health"
      >
        {status.health_reason ?? running?.healthReason ?? healthNotes[health]}
      </Card>
    </ul>
  );
}
