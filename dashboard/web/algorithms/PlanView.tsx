import { Fact, Facts } from "../ui/Panel";
import { seconds, titleOf } from "./rollout";
import type { Plan } from "./schema";

const kinds: Record<string, string> = {
  upgrade: "UPGRADE: the same function, new code. Shadow compares the hashes bit for bit.",
  migration: "MIGRATION: another function. Shadow watches health, latency and vectors, as the hashes differ by nature.",
};

/** What deploying will do, as the pool plans it. */
export function PlanView({ plan }: { plan: Plan }) {
  return (
    <div className="plan">
      {plan.kind && <p className="plan-kind">{kinds[plan.kind] ?? plan.kind}</p>}
      <Facts>
        <Fact name="from">{plan.from ? titleOf(plan.from) : "—"}</Fact>
        <Fact name="to">{plan.to ? titleOf(plan.to) : "—"}</Fact>
        <Fact name="shadow">{plan.shadow_percentage === null ? "—" : `${plan.shadow_percentage}% of shares`}</Fact>
        <Fact name="isolation">{plan.isolation ?? "—"}</Fact>
        <Fact name="way back">
          {plan.needs_confirmation ? <span className="warn">NOT SUPPORTED</span> : "at any moment"}
        </Fact>
      </Facts>
      {plan.needs_override !== null && (
        <p className="note warn">
          Its author lets it replace only {plan.needs_override}: deploying it needs an override, which the trail keeps.
        </p>
      )}
      {plan.obstacles.length > 0 && (
        <ul className="notes notes-obstacles" aria-label="Why it can't be deployed now">
          {plan.obstacles.map((obstacle) => (
            <li key={obstacle}>{obstacle}</li>
          ))}
        </ul>
      )}
      {plan.warnings.length > 0 && (
        <ul className="notes notes-warning" aria-label="Warnings">
          {plan.warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** The phases as a bar: how long each takes, and how much traffic it has. */
export function Timeline({ steps }: { steps: readonly { name: string; duration: number; traffic: number }[] }) {
  const total = steps.reduce((sum, step) => sum + step.duration, 0);
  const elapsed = steps.map((_, index) => steps.slice(0, index).reduce((sum, step) => sum + step.duration, 0));
  return (
    <figure className="timeline">
      <ol className="timeline-steps">
        {steps.map((step, index) => (
          <li key={step.name} style={{ flexGrow: Math.max(step.duration, total / 14, 1) }}>
            <span className="timeline-room" aria-hidden="true">
              <span className="timeline-bar" style={{ height: `${Math.max(step.traffic, 4)}%` }} />
            </span>
            <span className="timeline-name">{step.name}</span>
            <span className="timeline-time">{`+${seconds(elapsed[index] ?? 0)}`}</span>
          </li>
        ))}
      </ol>
      <figcaption className="note">
        {total === 0
          ? "All sessions get jobs of the new generation at once; the old one finishes what it has."
          : `Everyone is on the new generation after ${seconds(total - (steps.at(-1)?.duration ?? 0))}; done after ${seconds(total)}, if nothing is found.`}
      </figcaption>
    </figure>
  );
}
