import { useState } from "react";
import { shorten } from "../format/number";
import { Empty, Fact, Facts } from "../ui/Panel";
import { useNotify } from "../ui/Toasts";
import { type Access, barred } from "./access";
import type { DeployConfig, Outcome } from "./api";
import { sourceWords } from "./Cards";
import { checkForm, initialForm, irreversibleName } from "./config";
import { DeployDialog } from "./DeployDialog";
import { FailureCard } from "./FailureCard";
import { PlanView, Timeline } from "./PlanView";
import { titleOf, underWay } from "./rollout";
import type { Deployed, Plan, Status } from "./schema";
import type { AlgorithmsState } from "./store";

interface DeployProps {
  status: Status;
  /** Whether the status is too old to act on. */
  stale: boolean;
  access: Access;
  plan: AlgorithmsState["plan"];
  onDeploy: (config: DeployConfig) => Promise<Outcome<Deployed>>;
}

/** Why the button can't be pressed, in words; null if it can. */
export function hindrance(status: Status, access: Access, plan: Plan | null): string | null {
  if (!status.staged_algorithm)
    return "Nothing is staged. Upload a package; once its checks have passed it can be deployed.";
  if (underWay(status)) return "One deployment at a time: wait for the one under way, or roll it back.";
  const bar = barred(access, "Deploying");
  if (bar !== null) return bar;
  const [obstacle] = plan?.obstacles ?? [];
  return obstacle ? `The pool would refuse it: ${obstacle}.` : null;
}

/** What is staged, the plan that deploying follows, and the button. */
export function DeployPanel({ status, stale, access, plan, onDeploy }: DeployProps) {
  const notify = useNotify();
  const [open, setOpen] = useState(false);
  const staged = status.staged_algorithm;
  const old = "What is shown is old: the button comes back when the pool answers.";
  const why = stale ? old : hindrance(status, access, plan.value);
  const deploy = async (config: DeployConfig) => {
    const outcome = await onDeploy(config);
    if (outcome.ok) {
      setOpen(false);
      const when = config.strategy === "scheduled" ? "is scheduled" : "has begun";
      notify("success", `Deployment ${outcome.value.deployment_id} ${when}`, "deployment");
    }
    return outcome;
  };
  return (
    <div className="deploy">
      {staged ? (
        <>
          <p className="deploy-name">{titleOf(staged)}</p>
          <Facts>
            <Fact name="function">{staged.hash_function ?? "—"}</Fact>
            <Fact name="source">{(staged.source && sourceWords[staged.source]) ?? "—"}</Fact>
            <Fact name="may replace">{staged.migration_from?.join(", ") ?? "any"}</Fact>
            <Fact name="digest">
              {staged.digest ? <code title={staged.digest}>{shorten(staged.digest)}</code> : "—"}
            </Fact>
          </Facts>
          {plan.value && (
            <>
              <h3 className="sub">MIGRATION_PLAN</h3>
              <PlanView plan={plan.value} />
              <Timeline steps={checkForm(initialForm(plan.value, 0), 0, null).timeline} />
            </>
          )}
          {plan.failure && <FailureCard failure={plan.failure} />}
        </>
      ) : (
        <Empty title="NOTHING_STAGED">
          A deployment moves miners to the package that is staged, and there is none. Upload one: it is checked and
          measured beside the running algorithm, and touches no miner until you deploy it.
        </Empty>
      )}
      <div className="deploy-action">
        <button
          type="button"
          className="button button-big"
          disabled={why !== null}
          aria-describedby="deploy-why"
          onClick={() => setOpen(true)}
        >
          DEPLOY…
        </button>
        <p className="note" id="deploy-why">
          {why ?? "Opens the settings; nothing happens before you confirm them."}
        </p>
      </div>
      {open && staged && (
        <DeployDialog
          staged={staged}
          plan={plan.value}
          irreversible={irreversibleName(plan.value, staged)}
          onDeploy={deploy}
          onClose={() => setOpen(false)}
        />
      )}
    </div>
  );
}
