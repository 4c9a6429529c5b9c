import "./operate.css";
import { useMemo, useState } from "react";
import { Guard, PageFrame, type PageProps } from "../account/Frame";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { usePolled } from "../feed/poll";
import { plural } from "../format/number";
import { parseTime } from "../format/time";
import { Field, Frame } from "../ui/Ask";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Switch } from "../ui/Switch";
import { Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { OperateApi } from "./api";
import type { Change, Config, Key, Section } from "./schema";

interface ConfigPageProps extends PageProps {
  /** For tests. */
  api?: OperateApi;
}

/** `[CONFIG]`: every key in force, where it comes from, and taking over a newer file. */
export default function ConfigPage({ session, account, nav, api }: ConfigPageProps) {
  const routes = useMemo(() => api ?? new OperateApi(account.token), [api, account]);
  return (
    <PageFrame session={session} nav={nav} title="CONFIG" name="Configuration">
      <Guard account={account} needs="operator">
        <Body api={routes} />
      </Guard>
    </PageFrame>
  );
}

function Body({ api }: { api: OperateApi }) {
  const notify = useNotify();
  const { value, failure, load } = usePolled(api.config, 15_000);
  const [diff, setDiff] = useState<readonly Change[] | null>(null);
  const [refused, setRefused] = useState<Failure | null>(null);
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  if (value === null)
    return failure ? <FailureCard failure={failure} /> : <Loading what="the configuration" lines={8} />;
  const compare = async (): Promise<boolean> => {
    setBusy(true);
    const answer = await api.reload(true);
    setBusy(false);
    setRefused(answer.ok ? null : answer.failure);
    setDiff(answer.ok ? answer.value.changes : null);
    return answer.ok;
  };
  const reload = async (): Promise<Failure | null> => {
    const answer = await api.reload(false);
    if (!answer.ok) return answer.failure;
    const { changes } = answer.value;
    const live = changes.filter((change) => change.live).length;
    const later = changes.length - live;
    const rest = later === 0 ? "" : `; ${plural(later, "key waits", "keys wait")} for a restart`;
    notify(
      "success",
      changes.length === 0 ? "The file says what is in force" : `${plural(live, "key")} changed${rest}`,
      "config",
    );
    setAsking(false);
    setDiff(null);
    await load();
    return null;
  };
  return (
    <div className="grid">
      {failure && <FailureCard failure={failure} />}
      <Panel title="SOURCE" className="panel-whole" freshness={failure ? "stale" : "fresh"}>
        <div className="config-source">
          {value.file === null ? (
            <p>
              This pool was started without a file (<code>dagpool demo</code>): what is set here was set by the command.
            </p>
          ) : (
            <p>
              <code className="hash">{value.file}</code>, read <Instant at={parseTime(value.read_at)} />. SIGHUP does
              the same as RELOAD.
            </p>
          )}
          {value.file !== null && (
            <div className="acts">
              <button type="button" className="button button-blue" disabled={busy} onClick={() => void compare()}>
                {busy ? "READING…" : "DRY RUN"}
              </button>
              <button
                type="button"
                className="button"
                disabled={busy}
                onClick={() => void compare().then((good) => good && setAsking(true))}
              >
                RELOAD…
              </button>
            </div>
          )}
        </div>
        {refused && (
          <div data-testid="config-refused">
            <FailureCard failure={refused} />
            <p className="note">Nothing was changed: the running configuration stays.</p>
          </div>
        )}
        {diff && !asking && <Diff changes={diff} title="If the file were read now" />}
        {value.waiting.length > 0 && <Diff changes={value.waiting} title="In the file, and waiting for a restart" />}
      </Panel>
      <Panel title="IN_FORCE" className="panel-whole" freshness={failure ? "stale" : "fresh"}>
        <Keys config={value} />
      </Panel>
      {asking && diff && (
        <Frame title="RELOAD" act="RELOAD" wide onAct={reload} onClose={() => setAsking(false)}>
          <p>
            The file is read again; what can change while the pool runs changes at once, and the trail says who did it.
          </p>
          <Diff changes={diff} title="What would change" />
        </Frame>
      )}
    </div>
  );
}

/** What changes now, and what waits: with words, not with colours alone. */
function Diff({ changes, title }: { changes: readonly Change[]; title: string }) {
  if (changes.length === 0) return <Empty title="NO_DIFFERENCE">The file says what is in force.</Empty>;
  return (
    <section className="diff" aria-label={title} data-testid="diff">
      <h3>{title}</h3>
      <ul>
        {changes.map(({ key, from, to, live }) => (
          <li key={key}>
            <code className="diff-key">{key}</code>
            <span className={live ? "tag tag-good" : "tag tag-warning"}>{live ? "AT ONCE" : "AFTER A RESTART"}</span>
            <span className="diff-values">
              <del>
                <span className="visually-hidden">from </span>
                {from}
              </del>{" "}
              <ins>
                <span className="visually-hidden">to </span>
                {to}
              </ins>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const sources: Record<string, string> = {
  default: "DEFAULT",
  file: "FILE",
  environment: "ENVIRONMENT",
  command: "COMMAND",
};

type Which = "all" | "set" | "live";

function Keys({ config }: { config: Config }) {
  const [text, setText] = useState("");
  const [which, setWhich] = useState<Which>("all");
  const wanted = text.trim().toLowerCase();
  const fits = (section: Section, key: Key) =>
    (which === "all" || (which === "set" ? key.source !== "default" : key.live)) &&
    `${section.name}.${key.name} ${shown(key.value)} ${key.doc}`.toLowerCase().includes(wanted);
  const sections = config.sections
    .map((section) => ({ ...section, keys: section.keys.filter((key) => fits(section, key)) }))
    .filter(({ keys }) => keys.length > 0);
  return (
    <>
      <div className="people-filter">
        <Field label="Find a key" placeholder="name, value or meaning" value={text} onChange={setText} />
        <Switch
          name="Which keys"
          options={[
            ["all", "ALL"],
            ["set", "NOT DEFAULT"],
            ["live", "CHANGE LIVE"],
          ]}
          value={which}
          onChange={setWhich}
        />
      </div>
      {sections.length === 0 && <Empty title="NO_SUCH_KEY">No key of the configuration fits that.</Empty>}
      <div className="config-sections">
        {sections.map(({ name, keys }) => (
          <section key={name} className="config-section" aria-label={name}>
            <h3>[{name}]</h3>
            <ul>
              {keys.map((key) => (
                <Row key={key.name} section={name} entry={key} />
              ))}
            </ul>
          </section>
        ))}
      </div>
    </>
  );
}

/** A value as people write it; of a list of tables, how many there are. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "not set";
  if (value === "") return "empty";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) {
    if (value.length === 0) return "none";
    return value.every((one) => typeof one !== "object") ? value.join(", ") : JSON.stringify(value, null, 1);
  }
  return JSON.stringify(value);
}

function Row({ section, entry }: { section: string; entry: Key }) {
  const { name, value, source, variable, live, doc } = entry;
  const changed = source !== "default";
  return (
    <li className={changed ? "config-key config-key-set" : "config-key"} data-testid={`key-${section}.${name}`}>
      <details>
        <summary>
          <code className="config-name">{name}</code>
          <span className="config-value">{shown(value)}</span>
          <span className="config-tags">
            {changed && <span className="tag tag-blue">{sources[source] ?? source.toUpperCase()}</span>}
            {live && <span className="tag tag-good">LIVE</span>}
          </span>
        </summary>
        {shown(value).includes("\n") && <pre className="config-whole">{shown(value)}</pre>}
        <p className="config-doc">{doc}</p>
        <p className="note">
          {changed ? `Default: ${shown(entry.default)}. ` : "It is the default. "}
          {variable && `Set by the variable ${variable}, which goes before the file. `}
          {live ? "It can change while the pool runs." : "A change takes effect with the next start."}
        </p>
      </details>
    </li>
  );
}
