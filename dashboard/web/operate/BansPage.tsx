import { usePool } from "../state/pool";
import "./operate.css";
import { useCallback, useId, useMemo, useState, useSyncExternalStore } from "react";
import { Guard, PageFrame, type PageProps } from "../account/Frame";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { usePolled, useSettled } from "../feed/poll";
import { plural, whole } from "../format/number";
import { parseTime, span } from "../format/time";
import { Field, Frame } from "../ui/Ask";
import { Compact } from "../ui/Compact";
import { useNow } from "../ui/clock";
import { Empty, Loading, Panel } from "../ui/Panel";
import { mayOpen } from "../ui/roles";
import { Ago, Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { OperateApi } from "./api";
import type { Ban, Connection } from "./schema";

const everyMs = 3_000;
/** Connections that are shown at once; the search finds the others. */
const shownMax = 200;

const reasons: Record<string, string> = {
  malformed: "sent lines that are no requests",
  invalid_shares: "too many invalid shares",
  poisonous_shares: "shares that make the algorithm panic",
  operator: "an operator said so",
};

const spans = [
  ["3600", "an hour"],
  ["86400", "a day"],
  ["604800", "a week"],
  ["2592000", "30 days"],
  ["31536000", "a year"],
] as const;

type Asking =
  | { what: "ban"; address: string }
  | { what: "lift"; ban: Ban }
  | { what: "kick"; connection: Connection }
  | null;

interface BansPageProps extends PageProps {
  /** For tests. */
  api?: OperateApi;
}

/** `[BANS]`: who may not connect and why, who is connected; ban, lift, close. */
export default function BansPage({ session, account, nav, api }: BansPageProps) {
  const routes = useMemo(() => api ?? new OperateApi(account.token), [api, account]);
  const pool = usePool(session);
  const { me } = useSyncExternalStore(account.subscribe, account.shown);
  const now = useNow();
  return (
    <PageFrame session={session} nav={nav} title="BANS" name="Bans">
      <Guard account={account} needs="viewer">
        <Body
          api={routes}
          poolNow={now + pool.skewMs}
          acts={mayOpen("operator", { me, token: account.token() !== null })}
        />
      </Guard>
    </PageFrame>
  );
}

function Body({ api, poolNow, acts }: { api: OperateApi; poolNow: number; acts: boolean }) {
  const notify = useNotify();
  const [asking, setAsking] = useState<Asking>(null);
  const [filter, setFilter] = useState("");
  const [search, setSearch] = useState("");
  const wanted = useSettled(search.trim());
  const bans = usePolled(api.bans, everyMs);
  const connections = usePolled(
    useCallback(() => api.connections(wanted, shownMax), [api, wanted]),
    everyMs,
  );
  const done = (said: string) => {
    setAsking(null);
    notify("success", said, "bans");
    void bans.load();
    void connections.load();
  };
  const shown = bans.value?.filter((ban) => textOf(ban).includes(filter.trim().toLowerCase()));
  return (
    <div className="grid">
      <Panel
        title="BANNED"
        className="panel-whole"
        freshness={bans.failure ? "stale" : "fresh"}
        aside={
          acts && (
            <button
              type="button"
              className="button button-small"
              onClick={() => setAsking({ what: "ban", address: "" })}
            >
              BAN AN ADDRESS…
            </button>
          )
        }
      >
        {bans.failure && <FailureCard failure={bans.failure} />}
        {bans.value === null && bans.failure === null && <Loading what="bans" />}
        {bans.value && bans.value.length > 0 && (
          <div className="people-filter">
            <Field label="Find" placeholder="address or reason" value={filter} onChange={setFilter} />
          </div>
        )}
        {bans.value?.length === 0 && (
          <Empty title="NOBODY_IS_BANNED">
            Addresses that send rubbish are banned by themselves for a while; <code>[banning]</code> says when.
          </Empty>
        )}
        {shown?.length === 0 && bans.value && bans.value.length > 0 && (
          <Empty title="NONE_OF_THAT_KIND">{plural(bans.value.length, "address is", "addresses are")} banned.</Empty>
        )}
        {shown && shown.length > 0 && (
          <ul className="parts" data-testid="bans">
            {shown.map((ban) => (
              <li key={ban.address}>
                <span className="part-account">
                  {ban.address} {ban.reason === "operator" && <span className="tag">BY HAND</span>}
                </span>
                <span className="part-amount">{left(ban, poolNow)}</span>
                <span className="part-why">
                  {ban.words ?? reasons[ban.reason] ?? ban.reason.replaceAll("_", " ")} · since{" "}
                  <Instant at={parseTime(ban.at)} /> · until <Instant at={parseTime(ban.until)} />
                </span>
                {acts && (
                  <span className="part-acts">
                    <button
                      type="button"
                      className="button button-small button-quiet"
                      onClick={() => setAsking({ what: "lift", ban })}
                    >
                      LIFT… <span className="visually-hidden">the ban of {ban.address}</span>
                    </button>
                  </span>
                )}
              </li>
            ))}
          </ul>
        )}
      </Panel>
      <Panel
        title="CONNECTIONS"
        className="panel-whole"
        freshness={connections.failure ? "stale" : "fresh"}
        aside={connections.value && <span className="count">{whole(connections.value.total)}</span>}
      >
        <div className="people-filter">
          <Field
            label="Find a connection"
            placeholder="account, worker, address or program"
            value={search}
            onChange={setSearch}
          />
        </div>
        {connections.failure && <FailureCard failure={connections.failure} />}
        {connections.value === null && connections.failure === null && <Loading what="connections" lines={5} />}
        {connections.value?.items.length === 0 && (
          <Empty title={wanted ? "NONE_OF_THAT_KIND" : "NOBODY_IS_CONNECTED"}>
            {wanted ? "No connection holds that text." : "Miners appear here as they connect."}
          </Empty>
        )}
        {connections.value && connections.value.items.length > 0 && (
          <Connections connections={connections.value.items} poolNow={poolNow} acts={acts} onAsk={setAsking} />
        )}
        {connections.value && (connections.value.total ?? 0) > connections.value.items.length && (
          <p className="note">
            The first {whole(connections.value.items.length)} of {whole(connections.value.total)}; search for others.
          </p>
        )}
      </Panel>
      {asking?.what === "ban" && (
        <BanDialog address={asking.address} api={api} onClose={() => setAsking(null)} onDone={done} />
      )}
      {asking?.what === "lift" && (
        <Sure
          title="LIFT_THE_BAN"
          act="LIFT IT"
          doing={() => api.lift(asking.ban.address)}
          said={`${asking.ban.address} may connect again`}
          onClose={() => setAsking(null)}
          onDone={done}
        >
          {asking.ban.address} may connect again at once, here and at every pool that shares its bans.
        </Sure>
      )}
      {asking?.what === "kick" && (
        <Sure
          title="CLOSE_THE_CONNECTION"
          act="CLOSE IT"
          doing={() => api.kick(asking.connection.session)}
          said="The connection was closed"
          onClose={() => setAsking(null)}
          onDone={done}
        >
          The connection of {nameOf(asking.connection)} from {asking.connection.peer ?? "?"} is closed. Its miner will
          most likely connect again by itself; to keep it out, ban the address.
        </Sure>
      )}
    </div>
  );
}

const textOf = ({ address, reason, words }: Ban) =>
  `${address} ${reason} ${reasons[reason] ?? ""} ${words ?? ""}`.toLowerCase();

function left(ban: Ban, now: number): string {
  const until = parseTime(ban.until);
  return until === null ? "—" : `${span(Math.max(0, until - now))} left`;
}

const nameOf = ({ account, worker }: Connection) => [account, worker].filter(Boolean).join(".") || "somebody";

/** Address without port: `192.0.2.1` of `192.0.2.1:4021`, `2001:db8::1` of `[2001:db8::1]:4021`. */
export function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

interface ConnectionsProps {
  connections: readonly Connection[];
  poolNow: number;
  acts: boolean;
  onAsk: (asking: Asking) => void;
}

function Connections({ connections, poolNow, acts, onAsk }: ConnectionsProps) {
  return (
    <ul className="parts connections" data-testid="connections">
      {connections.map((one) => (
        <li key={one.session}>
          <span className="part-account">{nameOf(one)}</span>
          <span className="part-amount">{one.peer ?? "—"}</span>
          <span className="part-why">
            {one.agent ?? "unknown program"} · difficulty <Compact value={one.difficulty} /> · connected{" "}
            <Ago at={parseTime(one.connected_at)} now={poolNow} /> · last share{" "}
            <Ago at={parseTime(one.last_share_at)} now={poolNow} />
          </span>
          {acts && (
            <span className="part-acts">
              <button
                type="button"
                className="button button-small button-quiet"
                onClick={() => onAsk({ what: "kick", connection: one })}
              >
                CLOSE… <span className="visually-hidden">the connection of {nameOf(one)}</span>
              </button>
              {one.peer && (
                <button
                  type="button"
                  className="button button-small button-quiet"
                  onClick={() => onAsk({ what: "ban", address: hostOf(one.peer ?? "") })}
                >
                  BAN… <span className="visually-hidden">the address of {nameOf(one)}</span>
                </button>
              )}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

interface DialogProps {
  onClose: () => void;
  onDone: (said: string) => void;
}

interface SureProps extends DialogProps {
  title: string;
  act: string;
  said: string;
  doing: () => ReturnType<OperateApi["lift"]>;
  children: React.ReactNode;
}

function Sure({ title, act, said, doing, onClose, onDone, children }: SureProps) {
  const run = async (): Promise<Failure | null> => {
    const answer = await doing();
    if (answer.ok) onDone(said);
    return answer.ok ? null : answer.failure;
  };
  return (
    <Frame title={title} act={act} onAct={run} onClose={onClose}>
      <p>{children}</p>
    </Frame>
  );
}

function BanDialog({ address: first, api, onClose, onDone }: DialogProps & { address: string; api: OperateApi }) {
  const id = useId();
  const [address, setAddress] = useState(first);
  const [forS, setForS] = useState("86400");
  const [reason, setReason] = useState("");
  const ban = async (): Promise<Failure | null> => {
    const answer = await api.ban(address.trim(), Number(forS), reason.trim());
    if (!answer.ok) return answer.failure;
    const { sessions } = answer.value;
    const closed = sessions === 0 ? "" : `; ${plural(sessions, "connection was", "connections were")} closed`;
    onDone(`${answer.value.address} is banned${closed}`);
    return null;
  };
  return (
    <Frame
      title="BAN_AN_ADDRESS"
      act="BAN IT"
      red
      ready={address.trim() !== "" && reason.trim() !== ""}
      onAct={ban}
      onClose={onClose}
    >
      <p>
        Nobody connects from there any more, here and at every pool that shares its bans, and its connections here are
        closed. A farm behind one address is banned as a whole; of IPv6, the network (/64) is banned.
      </p>
      <Field label="Address" placeholder="203.0.113.7" value={address} onChange={setAddress} />
      <div className="ask-field">
        <label htmlFor={id}>For</label>
        <select id={id} value={forS} onChange={({ target }) => setForS(target.value)}>
          {spans.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </div>
      <Field
        label="Why"
        placeholder="it floods the pool"
        hint="Operators read it."
        value={reason}
        onChange={setReason}
      />
    </Frame>
  );
}
