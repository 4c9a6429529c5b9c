import { usePool } from "../state/pool";
import "../alerts/alerts.css";
import "./operate.css";
import { type ReactNode, useId, useMemo, useState } from "react";
import { Guard, PageFrame, type PageProps } from "../account/Frame";
import { FailureCard } from "../algorithms/FailureCard";
import { usePolled } from "../feed/poll";
import { bytes, whole } from "../format/number";
import { span } from "../format/time";
import { Field } from "../ui/Ask";
import { Card } from "../ui/Card";
import { useNow } from "../ui/clock";
import type { IconName } from "../ui/icons";
import { Empty, type Freshness, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Switch } from "../ui/Switch";
import { OperateApi } from "./api";
import { type Process, processOf, withToken } from "./process";
import type { Actor, System } from "./schema";

const everyMs = 2_000;

interface SystemPageProps extends PageProps {
  /** For tests. */
  api?: OperateApi;
}

/** `[SYSTEM]`: the parts that the pool is made of, how they fare, and what they say of themselves. */
export default function SystemPage({ session, account, nav, api }: SystemPageProps) {
  const routes = useMemo(() => api ?? new OperateApi(account.token), [api, account]);
  return (
    <PageFrame session={session} nav={nav} title="SYSTEM" name="System">
      <Guard account={account} needs="viewer">
        <Body api={routes} session={session} token={account.token} />
      </Guard>
    </PageFrame>
  );
}

interface BodyProps {
  api: OperateApi;
  session: PageProps["session"];
  token: PageProps["account"]["token"];
}

function Body({ api, session, token }: BodyProps) {
  const pool = usePool(session);
  const now = useNow();
  const { value, failure } = usePolled(api.system, everyMs);
  const process = usePolled(
    useMemo(() => {
      const ask = withToken(token);
      return () => processOf(ask);
    }, [token]),
    5_000,
  );
  if (value === null) return failure ? <FailureCard failure={failure} /> : <Loading what="the system" lines={8} />;
  const freshness: Freshness = failure ? "stale" : "fresh";
  return (
    <>
      <Figures
        system={value}
        connections={pool.stats?.pool.workers ?? null}
        process={process.value}
        poolNow={now + pool.skewMs}
        freshness={freshness}
      />
      {failure && <FailureCard failure={failure} />}
      <Panel title="ACTORS" freshness={freshness}>
        <Actors actors={value.actors} />
      </Panel>
    </>
  );
}

interface FiguresProps {
  system: System;
  connections: number | null;
  process: Process | null;
  poolNow: number;
  freshness: Freshness;
}

function Figures({ system: { actors }, connections, process, poolNow, freshness }: FiguresProps) {
  const running = actors.filter(({ life }) => life === "running").length;
  const restarts = actors.reduce((sum, { restarts }) => sum + restarts, 0);
  const slowest = actors.reduce((most, one) => Math.max(most, one.mailbox_delay_us ?? 0), 0);
  const bad = running < actors.length;
  const card = (icon: IconName, label: string, value: string, note: ReactNode, tone: "good" | "plain" | "bad") => (
    <Card icon={icon} label={label} value={value} freshness={freshness} testId={label} tone={tone}>
      {note}
    </Card>
  );
  return (
    <ul className="cards system-cards">
      {card(
        "active",
        "RUNNING",
        `${running}/${actors.length}`,
        bad ? "some are not running" : "actors",
        bad ? "bad" : "good",
      )}
      {card("migration", "RESTARTS", whole(restarts), "since the pool began", restarts > 0 ? "plain" : "good")}
      {card("health", "SLOWEST_MAILBOX", delay(slowest), "a message waits", slowest > 500_000 ? "bad" : "good")}
      {connections !== null &&
        card("miners", "CONNECTIONS", whole(connections), <Link to="/bans">see all</Link>, "plain")}
      {process?.memoryBytes != null && card("staged", "MEMORY", bytes(process.memoryBytes), "resident", "plain")}
      {process?.cpu != null && card("hashrate", "CPU", `${Math.round(process.cpu * 100)}%`, "of a core", "plain")}
      {process?.files != null &&
        card(
          "upload",
          "FILES",
          whole(process.files),
          process.filesMax ? `of ${whole(process.filesMax)}` : "open",
          process.filesMax && process.files > process.filesMax * 0.8 ? "bad" : "plain",
        )}
      {process?.startedAt != null &&
        card("shares", "UPTIME", span(poolNow - process.startedAt), "of this process", "plain")}
    </ul>
  );
}

/** A wait in the unit that leaves a readable number. */
export function delay(us: number | null): string {
  if (us === null) return "—";
  if (us < 1_000) return `${us} µs`;
  return us < 1_000_000 ? `${(us / 1_000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(1)} s`;
}

const marks: Record<string, { mark: string; tone: string }> = {
  running: { mark: "●", tone: "good" },
  restarting: { mark: "↻", tone: "warning" },
  stopped: { mark: "■", tone: "quiet" },
  failed: { mark: "✕", tone: "bad" },
};

const troubled = (one: Actor) => one.life !== "running" || one.restarts > 0;

function Actors({ actors }: { actors: readonly Actor[] }) {
  const [text, setText] = useState("");
  const [which, setWhich] = useState<"all" | "trouble">("all");
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const wanted = text.trim().toLowerCase();
  const shown = actors.filter(
    (one) =>
      (which === "all" || troubled(one)) &&
      (one.name.toLowerCase().includes(wanted) || one.kind.toLowerCase().includes(wanted)),
  );
  const toggle = (name: string) => {
    const next = new Set(open);
    if (!next.delete(name)) next.add(name);
    setOpen(next);
  };
  return (
    <>
      <div className="people-filter">
        <Field label="Name" placeholder="part of a name" value={text} onChange={setText} />
        <Switch
          name="Which actors"
          options={[
            ["all", "ALL"],
            ["trouble", "WITH TROUBLE"],
          ]}
          value={which}
          onChange={setWhich}
        />
      </div>
      {shown.length === 0 ? (
        <Empty title={which === "trouble" && wanted === "" ? "ALL_WELL" : "NONE"}>
          {which === "trouble" && wanted === ""
            ? "Every actor runs, and none had to be built again."
            : "No actor has that in its name."}
        </Empty>
      ) : (
        <ul className="actors">
          {shown.map((one) => (
            <Row key={one.name} actor={one} open={open.has(one.name)} onToggle={() => toggle(one.name)} />
          ))}
        </ul>
      )}
    </>
  );
}

function Row({ actor, open, onToggle }: { actor: Actor; open: boolean; onToggle: () => void }) {
  const id = useId();
  const { mark, tone } = marks[actor.life] ?? { mark: "•", tone: "quiet" };
  return (
    <li className={`actor actor-${tone}`} data-testid={`actor-${actor.name}`}>
      <button type="button" className="actor-head" aria-expanded={open} aria-controls={id} onClick={onToggle}>
        <span className="actor-mark" aria-hidden="true">
          {mark}
        </span>
        <span className="actor-name">
          {actor.name} <small>{actor.kind}</small>
        </span>
        <span className="actor-life">{actor.life.toUpperCase()}</span>
        <span className="actor-figure">
          <small>waits</small> {delay(actor.mailbox_delay_us)}
        </span>
        <span className={actor.restarts > 0 ? "actor-figure warn" : "actor-figure"}>
          <small>restarts</small> {whole(actor.restarts)}
        </span>
        <span className="actor-open" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
      </button>
      {actor.last_death && <p className="actor-death">last ended by: {actor.last_death}</p>}
      <div id={id} hidden={!open}>
        {open &&
          (actor.state === null ? (
            <p className="note actor-state">It tells nothing of itself, or did not answer within a second.</p>
          ) : (
            <pre className="actor-state">{JSON.stringify(actor.state, null, 2)}</pre>
          ))}
      </div>
    </li>
  );
}
