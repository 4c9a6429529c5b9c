import "./alerts.css";
import { useId, useMemo, useState, useSyncExternalStore } from "react";
import { Guard, PageFrame, type PageProps } from "../account/Frame";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { usePolled } from "../feed/poll";
import { plural, whole } from "../format/number";
import { parseTime } from "../format/time";
import { usePool } from "../state/pool";
import { Field, Frame } from "../ui/Ask";
import { useNow } from "../ui/clock";
import { Empty, Loading, Panel } from "../ui/Panel";
import { mayOpen } from "../ui/roles";
import { Ago, Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { AlertsApi } from "./api";
import type { Alert, Channel, Rule, Silence } from "./schema";

const everyMs = 3_000;
const marks = { warning: "!", error: "✕", critical: "✕" } as const;
const hours = [
  ["3600", "an hour"],
  ["14400", "four hours"],
  ["86400", "a day"],
  ["604800", "a week"],
] as const;

/** What a silence is about; empty: every rule, every subject. */
type About = Pick<Alert, "rule" | "subject">;
type Asking = { what: "take"; alert: Alert } | { what: "silence"; about: About } | null;

const nameOf = ({ rule, subject }: About) => [rule || "every rule", subject].filter(Boolean).join(" · ");

interface AlertsPageProps extends PageProps {
  /** For tests. */
  api?: AlertsApi;
}

/** `[ALERTS]`: what is wrong, who takes care of it, who is told, and what is watched. */
export default function AlertsPage({ session, account, nav, api }: AlertsPageProps) {
  const routes = useMemo(() => api ?? new AlertsApi(account.token), [api, account]);
  const { me } = useSyncExternalStore(account.subscribe, account.shown);
  return (
    <PageFrame session={session} nav={nav} title="ALERTS" name="Alerts">
      <Guard account={account} needs="viewer">
        <Body session={session} api={routes} acts={mayOpen("operator", { me, token: account.token() !== null })} />
      </Guard>
    </PageFrame>
  );
}

/** `acts`: whoever may only look is offered nothing that the pool would refuse. */
function Body({ session, api, acts }: { session: PageProps["session"]; api: AlertsApi; acts: boolean }) {
  const { skewMs } = usePool(session);
  const now = useNow() + skewMs;
  const notify = useNotify();
  const alerts = usePolled(api.all, everyMs);
  const rules = usePolled(api.rules);
  const channels = usePolled(api.channels);
  const [asking, setAsking] = useState<Asking>(null);
  const [older, setOlder] = useState<{ items: Alert[]; next: string | null } | null>(null);
  const onAsk = acts ? setAsking : null;
  if (alerts.value === null)
    return alerts.failure ? <FailureCard failure={alerts.failure} /> : <Loading what="alerts" lines={6} />;
  const { silences } = alerts.value;
  const firing = worstFirst(alerts.value.firing);
  const over = joined(alerts.value.items, older?.items ?? []);
  const next = older ? older.next : alerts.value.next;
  const done = (said: string) => {
    setAsking(null);
    notify("success", said, "alerts");
    void alerts.load();
  };
  const end = async (id: string) => {
    const answer = await api.end(id);
    if (answer.ok) void alerts.load();
    else notify("error", answer.failure.message, "alerts");
  };
  const more = async (cursor: string) => {
    const page = await api.older(cursor);
    if (page.ok) setOlder({ items: joined(older?.items ?? [], page.value.items), next: page.value.next });
    else notify("error", page.failure.message, "alerts");
  };
  return (
    <div className="grid">
      {alerts.failure && <FailureCard failure={alerts.failure} />}
      <Panel
        title="FIRING_NOW"
        className="panel-whole"
        freshness={alerts.failure ? "stale" : "fresh"}
        aside={firing.length > 0 && <span className="count">{whole(firing.length)}</span>}
      >
        {firing.length === 0 ? (
          <Empty title="ALL_QUIET">Nothing is wrong that any rule knows of.</Empty>
        ) : (
          <ul className="alert-list" aria-live="polite">
            {firing.map((alert) => (
              <Firing key={alert.id} alert={alert} now={now} onAsk={onAsk} />
            ))}
          </ul>
        )}
      </Panel>
      <Panel
        title="SILENCES"
        className="panel-half"
        aside={
          acts && (
            <button
              type="button"
              className="button button-small"
              onClick={() => setAsking({ what: "silence", about: { rule: "", subject: "" } })}
            >
              SILENCE…
            </button>
          )
        }
      >
        <Silences silences={silences} onEnd={acts ? (id) => void end(id) : null} />
      </Panel>
      <Panel title="CHANNELS" className="panel-half">
        {channels.failure && <FailureCard failure={channels.failure} />}
        {channels.value ? (
          <Channels channels={channels.value} api={api} acts={acts} onTried={() => void channels.load()} />
        ) : (
          channels.failure === null && <Loading what="channels" />
        )}
      </Panel>
      <Panel title="OVER" className="panel-whole">
        <Over alerts={over} onOlder={next === null ? null : () => void more(next)} />
      </Panel>
      <Panel title="RULES" className="panel-whole">
        {rules.failure && <FailureCard failure={rules.failure} />}
        {rules.value?.length === 0 ? (
          <Empty title="NO_RULES">Nothing is watched: the pool was told to go without its own rules.</Empty>
        ) : rules.value ? (
          <Rules rules={rules.value} firing={firing} onAsk={onAsk} />
        ) : (
          rules.failure === null && <Loading what="rules" />
        )}
      </Panel>
      {asking?.what === "take" && (
        <TakeDialog alert={asking.alert} api={api} onClose={() => setAsking(null)} onDone={done} />
      )}
      {asking?.what === "silence" && (
        <SilenceDialog
          wanted={asking.about}
          rules={rules.value ?? []}
          firing={firing}
          api={api}
          onClose={() => setAsking(null)}
          onDone={done}
        />
      )}
    </div>
  );
}

const ranks = { critical: 0, error: 1, warning: 2 } as const;

/** Somebody takes care of it, or nobody is to be told of it. */
const handled = (alert: Alert) => alert.acknowledged !== null || alert.silenced || alert.inhibited_by !== null;

/** What nobody takes care of yet, worst first; below it the rest, in the same order. */
function worstFirst(firing: readonly Alert[]): Alert[] {
  const rank = (alert: Alert) => ranks[alert.severity] + (handled(alert) ? 3 : 0);
  return [...firing].sort((a, b) => rank(a) - rank(b));
}

/** Each alert once, newest first. */
function joined(newer: readonly Alert[], older: readonly Alert[]): Alert[] {
  const ids = new Set(newer.map(({ id }) => id));
  return [...newer, ...older.filter(({ id }) => !ids.has(id))];
}

interface FiringProps {
  alert: Alert;
  /** By the pool's clock. */
  now: number;
  onAsk: ((asking: Asking) => void) | null;
}

function Firing({ alert, now, onAsk }: FiringProps) {
  const { acknowledged: by, inhibited_by: why } = alert;
  return (
    <li
      className={`alert-line alert-line-${alert.severity} ${handled(alert) ? "alert-line-handled" : ""}`}
      data-testid={`firing-${alert.rule}`}
    >
      <span className="alert-line-mark" aria-hidden="true">
        {marks[alert.severity]}
      </span>
      <div className="alert-line-body">
        <strong>
          {alert.severity.toUpperCase()} · {nameOf(alert)}
        </strong>
        <span>{alert.message}</span>
        <span className="note">
          <Ago at={parseTime(alert.fired_at)} now={now} />
          {why && ` · nobody is told: ${why} explains it`}
          {alert.silenced && " · silenced"}
          {by && ` · ${by.by} takes care of it${by.note && `: ${by.note}`}`}
        </span>
      </div>
      <span className="acts">
        {alert.documentation_link && (
          <a
            className="button button-small button-quiet"
            href={alert.documentation_link}
            target="_blank"
            rel="noreferrer"
          >
            WHAT IT MEANS <span className="visually-hidden">{nameOf(alert)}</span>
          </a>
        )}
        {onAsk && by === null && (
          <button type="button" className="button button-small" onClick={() => onAsk({ what: "take", alert })}>
            I TAKE IT… <span className="visually-hidden">{nameOf(alert)}</span>
          </button>
        )}
        {onAsk && !alert.silenced && (
          <button
            type="button"
            className="button button-small button-quiet"
            onClick={() => onAsk({ what: "silence", about: alert })}
          >
            SILENCE… <span className="visually-hidden">{nameOf(alert)}</span>
          </button>
        )}
      </span>
    </li>
  );
}

interface SilencesProps {
  silences: readonly Silence[];
  onEnd: ((id: string) => void) | null;
}

function Silences({ silences, onEnd }: SilencesProps) {
  if (silences.length === 0) return <Empty title="NONE">Whoever is to be told of an alert is told.</Empty>;
  return (
    <ul className="parts silences">
      {silences.map((one) => (
        <li key={one.id}>
          <span className="part-account">{nameOf(one)}</span>
          <span className="part-amount">
            until <Instant at={parseTime(one.until)} />
          </span>
          <span className="part-why">
            {one.by}: {one.reason}
          </span>
          {onEnd && (
            <span className="part-acts">
              <button type="button" className="button button-small button-quiet" onClick={() => onEnd(one.id)}>
                END <span className="visually-hidden">the silence of {nameOf(one)}</span>
              </button>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

interface ChannelsProps {
  channels: readonly Channel[];
  api: AlertsApi;
  acts: boolean;
  onTried: () => void;
}

function Channels({ channels, api, acts, onTried }: ChannelsProps) {
  const notify = useNotify();
  const [busy, setBusy] = useState<string | null>(null);
  if (channels.length === 0)
    return (
      <Empty title="NOBODY_IS_TOLD">
        Alerts are shown here alone. Give the pool a <code>[[alerts.channel]]</code>: e-mail, Slack, Discord, Telegram,
        PagerDuty, SMS or a webhook; <code>pool.example.toml</code> says how.
      </Empty>
    );
  const test = async (name: string) => {
    setBusy(name);
    const answer = await api.test(name);
    setBusy(null);
    onTried();
    if (!answer.ok) notify("error", answer.failure.message, "alerts");
    else if (answer.value.ok) notify("success", `${name}: the test was taken`, "alerts");
    else notify("error", `${name}: ${answer.value.message}`, "alerts");
  };
  return (
    <ul className="parts">
      {channels.map((one) => (
        <li key={one.name}>
          <span className="part-account">
            {one.name} <span className="tag">{one.kind}</span>
          </span>
          <span className="part-amount">{plural(one.delivered, "message")} sent</span>
          <span className={one.trouble ? "part-why warn" : "part-why"}>
            {one.trouble ?? (one.delivered_at ? <Instant at={parseTime(one.delivered_at)} /> : "nothing to tell yet")}
            {one.waiting > 0 && ` · ${whole(one.waiting)} wait`}
            {one.given_up > 0 && ` · ${whole(one.given_up)} given up`}
          </span>
          {acts && (
            <span className="part-acts">
              <button
                type="button"
                className="button button-small"
                disabled={busy !== null}
                onClick={() => void test(one.name)}
              >
                {busy === one.name ? "ASKING…" : "SEND A TEST"} <span className="visually-hidden">to {one.name}</span>
              </button>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Over({ alerts, onOlder }: { alerts: readonly Alert[]; onOlder: (() => void) | null }) {
  if (alerts.length === 0) return <Empty title="NOTHING_YET">Alerts that are over are kept here.</Empty>;
  return (
    <>
      <ul className="parts" data-testid="over">
        {alerts.map((one) => (
          <li key={one.id}>
            <span className="part-account">{one.rule}</span>
            <span className="part-amount">
              <Instant at={parseTime(one.fired_at)} />
            </span>
            <span className="part-why">
              {one.message} · over <Instant at={parseTime(one.resolved_at)} />
              {one.acknowledged && ` · ${one.acknowledged.by} took care of it`}
            </span>
          </li>
        ))}
      </ul>
      {onOlder && (
        <button type="button" className="button button-small" onClick={onOlder}>
          OLDER
        </button>
      )}
    </>
  );
}

interface RulesProps {
  rules: readonly Rule[];
  firing: readonly Alert[];
  onAsk: ((asking: Asking) => void) | null;
}

function Rules({ rules, firing, onAsk }: RulesProps) {
  const hot = new Set(firing.map(({ rule }) => rule));
  return (
    <ul className="parts rules">
      {rules.map((one) => (
        <li key={one.name}>
          <span className="part-account">
            {one.name} {hot.has(one.name) && <span className="tag tag-warning">FIRING</span>}
          </span>
          <span className="part-amount">{one.value === null ? "–" : Number(one.value.toPrecision(4))}</span>
          <span className="part-why">
            {one.severity}: <code>{one.condition}</code>
            {one.for_s > 0 && ` for ${one.for_s} s`}
          </span>
          {onAsk && (
            <span className="part-acts">
              <button
                type="button"
                className="button button-small button-quiet"
                onClick={() => onAsk({ what: "silence", about: { rule: one.name, subject: "" } })}
              >
                SILENCE… <span className="visually-hidden">{one.name}</span>
              </button>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

interface DialogProps {
  api: AlertsApi;
  onClose: () => void;
  onDone: (said: string) => void;
}

function TakeDialog({ alert, api, onClose, onDone }: DialogProps & { alert: Alert }) {
  const [note, setNote] = useState("");
  const take = async (): Promise<Failure | null> => {
    const answer = await api.acknowledge(alert.id, note.trim());
    if (answer.ok) onDone(`${nameOf(alert)} is yours`);
    return answer.ok ? null : answer.failure;
  };
  return (
    <Frame title="TAKE_CARE" act="I TAKE IT" onAct={take} onClose={onClose}>
      <p>{alert.message}</p>
      <p className="note">Nobody else is told, and nobody reminded, until it is over.</p>
      <Field label="What you do about it" placeholder="may be empty" value={note} onChange={setNote} />
    </Frame>
  );
}

interface SilenceProps extends DialogProps {
  wanted: About;
  rules: readonly Rule[];
  firing: readonly Alert[];
}

function SilenceDialog({ wanted, rules, firing, api, onClose, onDone }: SilenceProps) {
  const id = useId();
  const [rule, setRule] = useState(wanted.rule);
  const [subject, setSubject] = useState(wanted.subject);
  const [forS, setForS] = useState("3600");
  const [reason, setReason] = useState("");
  const hush = async (): Promise<Failure | null> => {
    const answer = await api.silence(rule, subject, Number(forS), reason.trim());
    if (answer.ok) onDone(`${nameOf({ rule, subject })} is silenced`);
    return answer.ok ? null : answer.failure;
  };
  const names = [...new Set([...rules.map(({ name }) => name), ...(wanted.rule ? [wanted.rule] : [])])];
  // The one that is asked about stays a choice, even when it is over meanwhile.
  const known = [wanted, ...firing].filter((one) => rule !== "" && one.rule === rule && one.subject !== "");
  const subjects = [...new Set(known.map((one) => one.subject))];
  return (
    <Frame title="SILENCE" act="SILENCE IT" red ready={reason.trim() !== ""} onAct={hush} onClose={onClose}>
      <p>Alerts are shown as before; nobody is told of them over any channel meanwhile.</p>
      <div className="ask-field">
        <label htmlFor={`${id}-rule`}>Which</label>
        <select
          id={`${id}-rule`}
          value={rule}
          onChange={({ target }) => {
            setRule(target.value);
            setSubject("");
          }}
        >
          <option value="">every rule</option>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      {subjects.length > 0 && (
        <div className="ask-field">
          <label htmlFor={`${id}-subject`}>Of it</label>
          <select id={`${id}-subject`} value={subject} onChange={({ target }) => setSubject(target.value)}>
            <option value="">all of it</option>
            {subjects.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </div>
      )}
      <div className="ask-field">
        <label htmlFor={`${id}-for`}>For</label>
        <select id={`${id}-for`} value={forS} onChange={({ target }) => setForS(target.value)}>
          {hours.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </div>
      <Field label="Why" placeholder="the node is being upgraded" value={reason} onChange={setReason} />
    </Frame>
  );
}
