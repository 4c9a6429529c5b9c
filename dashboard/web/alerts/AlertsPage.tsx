import "./alerts.css";
import { useEffect, useId, useMemo, useState } from "react";
import { useList } from "../account/AccountPage";
import { PageFrame, type PageProps } from "../account/Frame";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { parseTime } from "../format/time";
import { Field, Frame } from "../ui/Ask";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { AlertsApi } from "./api";
import type { Alert, Channel, Rule, Silence } from "./schema";

const everyMs = 3_000;
const marks = { warning: "!", error: "✕", critical: "✕✕" } as const;
const hours = [
  ["3600", "an hour"],
  ["14400", "four hours"],
  ["86400", "a day"],
  ["604800", "a week"],
] as const;

type Asking = { what: "take"; alert: Alert } | { what: "silence"; rule: string } | null;

interface AlertsPageProps extends PageProps {
  /** For tests. */
  api?: AlertsApi;
}

/** `[ALERTS]`: what is wrong, who takes care of it, who is told, and what is watched. */
export default function AlertsPage({ session, account, nav, api }: AlertsPageProps) {
  const routes = useMemo(() => api ?? new AlertsApi(account.token), [api, account]);
  return (
    <PageFrame session={session} nav={nav} title="ALERTS" name="Alerts">
      <Body api={routes} />
    </PageFrame>
  );
}

function Body({ api }: { api: AlertsApi }) {
  const notify = useNotify();
  const alerts = useList(api.all);
  const rules = useList(api.rules);
  const channels = useList(api.channels);
  const [asking, setAsking] = useState<Asking>(null);
  const [older, setOlder] = useState<{ items: Alert[]; next: string | null } | null>(null);
  const { load } = alerts;
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void load();
    }, everyMs);
    return () => clearInterval(timer);
  }, [load]);
  if (alerts.failure?.kind === "locked" && alerts.value === null)
    return (
      <>
        <Empty title="NOT_SIGNED_IN">Alerts are for viewers, operators and admins of the pool.</Empty>
        <div className="centered">
          <Link className="button" to="/sign-in?next=%2Falerts">
            SIGN IN
          </Link>
        </div>
      </>
    );
  if (alerts.value === null)
    return alerts.failure ? <FailureCard failure={alerts.failure} /> : <Loading what="alerts" lines={6} />;
  const { firing, silences } = alerts.value;
  const over = joined(alerts.value.items, older?.items ?? []);
  const next = older ? older.next : alerts.value.next;
  const done = (said: string) => {
    setAsking(null);
    notify("success", said, "alerts");
    void load();
  };
  const more = async (cursor: string) => {
    const page = await api.older(cursor);
    if (page.ok) setOlder({ items: joined(older?.items ?? [], page.value.items), next: page.value.next });
    else notify("error", page.failure.message, "alerts");
  };
  return (
    <div className="grid">
      {alerts.failure && <FailureCard failure={alerts.failure} />}
      <Panel title="FIRING_NOW" className="panel-whole" freshness={alerts.failure ? "stale" : "fresh"}>
        {firing.length === 0 ? (
          <Empty title="ALL_QUIET">Nothing is wrong that any rule knows of.</Empty>
        ) : (
          <ul className="alert-list" aria-live="polite">
            {firing.map((alert) => (
              <Firing key={alert.id} alert={alert} onAsk={setAsking} />
            ))}
          </ul>
        )}
      </Panel>
      <Panel
        title="SILENCES"
        className="panel-half"
        aside={
          <button
            type="button"
            className="button button-small"
            onClick={() => setAsking({ what: "silence", rule: "" })}
          >
            SILENCE…
          </button>
        }
      >
        <Silences silences={silences} onEnd={(id) => void alerts.act(api.end(id))} />
      </Panel>
      <Panel title="CHANNELS" className="panel-half">
        {channels.failure && <FailureCard failure={channels.failure} />}
        {channels.value ? (
          <Channels channels={channels.value} api={api} onTried={() => void channels.load()} />
        ) : (
          channels.failure === null && <Loading what="channels" />
        )}
      </Panel>
      <Panel title="OVER" className="panel-whole">
        <Over alerts={over} onOlder={next === null ? null : () => void more(next)} />
      </Panel>
      <Panel title="RULES" className="panel-whole">
        {rules.failure && <FailureCard failure={rules.failure} />}
        {rules.value ? (
          <Rules rules={rules.value} firing={firing} onSilence={(rule) => setAsking({ what: "silence", rule })} />
        ) : (
          rules.failure === null && <Loading what="rules" />
        )}
      </Panel>
      {asking?.what === "take" && (
        <TakeDialog alert={asking.alert} api={api} onClose={() => setAsking(null)} onDone={done} />
      )}
      {asking?.what === "silence" && (
        <SilenceDialog
          wanted={asking.rule}
          rules={rules.value ?? []}
          api={api}
          onClose={() => setAsking(null)}
          onDone={done}
        />
      )}
    </div>
  );
}

/** Each alert once, newest first. */
function joined(newer: readonly Alert[], older: readonly Alert[]): Alert[] {
  const ids = new Set(newer.map(({ id }) => id));
  return [...newer, ...older.filter(({ id }) => !ids.has(id))];
}

function Firing({ alert, onAsk }: { alert: Alert; onAsk: (asking: Asking) => void }) {
  const { acknowledged: by, inhibited_by: why } = alert;
  return (
    <li className={`alert-line alert-line-${alert.severity}`} data-testid={`firing-${alert.rule}`}>
      <span className="alert-line-mark" aria-hidden="true">
        {marks[alert.severity]}
      </span>
      <div className="alert-line-body">
        <strong>
          {alert.severity.toUpperCase()} · {alert.rule}
          {alert.subject && ` · ${alert.subject}`}
        </strong>
        <span>{alert.message}</span>
        <span className="note">
          since <Instant at={parseTime(alert.fired_at)} />
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
            WHAT IT MEANS
          </a>
        )}
        {by === null && (
          <button type="button" className="button button-small" onClick={() => onAsk({ what: "take", alert })}>
            I TAKE IT…
          </button>
        )}
        {!alert.silenced && (
          <button
            type="button"
            className="button button-small button-quiet"
            onClick={() => onAsk({ what: "silence", rule: alert.rule })}
          >
            SILENCE… <span className="visually-hidden">{alert.rule}</span>
          </button>
        )}
      </span>
    </li>
  );
}

function Silences({ silences, onEnd }: { silences: readonly Silence[]; onEnd: (id: string) => void }) {
  if (silences.length === 0) return <Empty title="NONE">Whoever is to be told of an alert is told.</Empty>;
  return (
    <ul className="parts">
      {silences.map((one) => (
        <li key={one.id}>
          <span className="part-account">{one.rule || "every rule"}</span>
          <span className="part-amount">
            until <Instant at={parseTime(one.until)} />
          </span>
          <span className="part-why">
            {one.by}: {one.reason}
          </span>
          <span className="part-acts">
            <button type="button" className="button button-small button-quiet" onClick={() => onEnd(one.id)}>
              END <span className="visually-hidden">the silence of {one.rule || "every rule"}</span>
            </button>
          </span>
        </li>
      ))}
    </ul>
  );
}

interface ChannelsProps {
  channels: readonly Channel[];
  api: AlertsApi;
  onTried: () => void;
}

function Channels({ channels, api, onTried }: ChannelsProps) {
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
          <span className="part-amount">{one.delivered} told</span>
          <span className={one.trouble ? "part-why warn" : "part-why"}>
            {one.trouble ?? (one.delivered_at ? <Instant at={parseTime(one.delivered_at)} /> : "nothing to tell yet")}
            {one.waiting > 0 && ` · ${one.waiting} wait`}
            {one.given_up > 0 && ` · ${one.given_up} given up`}
          </span>
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
  onSilence: (rule: string) => void;
}

function Rules({ rules, firing, onSilence }: RulesProps) {
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
          <span className="part-acts">
            <button type="button" className="button button-small button-quiet" onClick={() => onSilence(one.name)}>
              SILENCE… <span className="visually-hidden">{one.name}</span>
            </button>
          </span>
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
    if (answer.ok) onDone(`${alert.rule} is yours`);
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

function SilenceDialog({
  wanted,
  rules,
  api,
  onClose,
  onDone,
}: DialogProps & { wanted: string; rules: readonly Rule[] }) {
  const id = useId();
  const [rule, setRule] = useState(wanted);
  const [forS, setForS] = useState("3600");
  const [reason, setReason] = useState("");
  const hush = async (): Promise<Failure | null> => {
    const answer = await api.silence(rule, Number(forS), reason.trim());
    if (answer.ok) onDone(`${rule || "every rule"} is silenced`);
    return answer.ok ? null : answer.failure;
  };
  const names = [...new Set([...rules.map(({ name }) => name), ...(wanted ? [wanted] : [])])];
  return (
    <Frame title="SILENCE" act="SILENCE IT" red ready={reason.trim() !== ""} onAct={hush} onClose={onClose}>
      <p>Alerts are shown as before; nobody is told of them over any channel meanwhile.</p>
      <div className="ask-field">
        <label htmlFor={`${id}-rule`}>Which</label>
        <select id={`${id}-rule`} value={rule} onChange={({ target }) => setRule(target.value)}>
          <option value="">every rule</option>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
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
