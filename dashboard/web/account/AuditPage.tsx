import { useCallback, useEffect, useId, useRef, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { parseTime } from "../format/time";
import { Field } from "../ui/Ask";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Instant } from "../ui/Time";
import type { Account } from "./account";
import { Only, PageFrame, type PageProps } from "./Frame";
import type { Line, Trail } from "./schema";

/** `[AUDIT]`: who did what, from where, and what it changed. */
export default function AuditPage({ session, account, nav }: PageProps) {
  return (
    <PageFrame session={session} nav={nav} title="AUDIT" name="Audit">
      <Only account={account} admin>
        <Body account={account} />
      </Only>
    </PageFrame>
  );
}

const kinds = [
  ["", "everything"],
  ["auth.", "signing in"],
  ["auth.login", "log-ins"],
  ["POST /api/admin/payouts", "payouts"],
  ["POST /api/algorithms", "algorithms"],
  ["POST /api/deployments", "deployments"],
  ["POST /api/admin/ledger", "corrections"],
  ["PATCH /api/admin/users", "users changed"],
] as const;

function Body({ account }: { account: Account }) {
  const id = useId();
  const [actor, setActor] = useState("");
  const [action, setAction] = useState("");
  const [trail, setTrail] = useState<Trail | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const round = useRef(0);
  const load = useCallback(
    async (after: Trail | null) => {
      round.current += 1;
      const asked = round.current;
      const answer = await account.api.audit({ actor: actor.trim(), action }, after?.next ?? null);
      // Filtered meanwhile: a later answer is the one.
      if (asked !== round.current) return;
      setFailure(answer.ok ? null : answer.failure);
      if (answer.ok) setTrail({ items: [...(after?.items ?? []), ...answer.value.items], next: answer.value.next });
    },
    [account, actor, action],
  );
  useEffect(() => {
    setTrail(null);
    const soon = setTimeout(() => void load(null), 200);
    return () => clearTimeout(soon);
  }, [load]);
  return (
    <Panel
      title="WHO_DID_WHAT"
      aside={
        <button type="button" className="button button-small" onClick={() => void load(null)}>
          REFRESH
        </button>
      }
    >
      <div className="people-filter">
        <Field label="By whom" placeholder="a name" value={actor} onChange={setActor} />
        <div className="ask-field">
          <label htmlFor={id}>About</label>
          <select id={id} value={action} onChange={({ target }) => setAction(target.value)}>
            {kinds.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </div>
      </div>
      {failure && <FailureCard failure={failure} />}
      {trail === null && failure === null && <Loading what="the trail" lines={6} />}
      {trail?.items.length === 0 && <Empty title="NOTHING">Nothing of that kind is in the trail.</Empty>}
      {trail && trail.items.length > 0 && (
        <ol className="parts" data-testid="audit">
          {trail.items.map((line) => (
            <Entry key={line.id} line={line} />
          ))}
        </ol>
      )}
      {trail?.next && (
        <div className="acts">
          <button type="button" className="button button-small" onClick={() => void load(trail)}>
            OLDER
          </button>
        </div>
      )}
    </Panel>
  );
}

const tones: Record<string, string> = { done: "tag-good", refused: "tag-warning", failed: "tag-warning" };

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;

/** What changed, field by field, as it is in the trail: text, never markup. */
export function change({ before, after }: Pick<Line, "before" | "after">): string | null {
  const [old, fresh] = [fields(before), fields(after)];
  if (old === null && fresh === null) {
    const whole = [before, after].filter((value) => value !== null && value !== undefined);
    return whole.length === 0 ? null : whole.map((value) => JSON.stringify(value)).join(" → ");
  }
  const names = [...new Set([...Object.keys(old ?? {}), ...Object.keys(fresh ?? {})])];
  const lines = names.flatMap((name) => {
    const was = old === null ? undefined : JSON.stringify(old[name] ?? null);
    const is = fresh === null ? undefined : JSON.stringify(fresh[name] ?? null);
    if (was === is) return [];
    // What was not told before is no change from nothing.
    if (old === null || !(name in old)) return [`${name}: ${is}`];
    return [`${name}: ${was} → ${is ?? "gone"}`];
  });
  return lines.length === 0 ? null : lines.join("\n");
}

function Entry({ line }: { line: Line }) {
  const changed = change(line);
  return (
    <li className="audit-line">
      <span className="audit-when">
        <Instant at={parseTime(line.at)} />
      </span>
      <span className="audit-what">
        <strong>{line.actor}</strong> {line.action}
      </span>
      <span className={`tag ${tones[line.outcome] ?? ""}`}>{line.outcome.toUpperCase()}</span>
      <span className="part-why">
        {line.subject}
        {line.address && ` · from ${line.address}`}
        {line.node && ` · at ${line.node}`}
      </span>
      {changed && <pre className="audit-change">{changed}</pre>}
    </li>
  );
}
