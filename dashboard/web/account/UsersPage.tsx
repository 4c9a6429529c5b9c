import { useEffect, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import { usePages, usePolled } from "../feed/poll";
import { whole } from "../format/number";
import { parseTime } from "../format/time";
import { Field, Frame } from "../ui/Ask";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { SessionList } from "./AccountPage";
import type { Account } from "./account";
import type { Decision } from "./api";
import { Only, PageFrame, type PageProps } from "./Frame";
import { NewPassword } from "./NewPassword";
import { roles, type User } from "./schema";

/** `[USERS]`: who may sign in, as what, and who has. */
export default function UsersPage({ session, account, nav }: PageProps) {
  return (
    <PageFrame session={session} nav={nav} title="USERS" name="Users">
      <Only account={account} admin>
        <Body account={account} />
      </Only>
    </PageFrame>
  );
}

/** So many are drawn at once. */
const step = 50;
/** A search looks through so many by itself. */
const searchedMax = 10_000;

type Asking =
  | { what: "add" }
  | { what: "password"; user: User }
  | { what: "decide"; user: User; decision: Decision; title: string; text: string }
  | null;

function Body({ account }: { account: Account }) {
  const notify = useNotify();
  const { api } = account;
  const users = usePages(api.users);
  const [search, setSearch] = useState("");
  const [room, setRoom] = useState(step);
  const sessions = usePolled(api.allSessions);
  const [asking, setAsking] = useState<Asking>(null);
  const done = (said: string) => {
    setAsking(null);
    notify("success", said, "users");
    void users.again();
    void sessions.load();
  };
  const { known, busy } = users;
  const wanted = search.trim().toLowerCase();
  const unseen = known !== null && known.next !== null;
  const looksOn = wanted !== "" && unseen && users.failure === null && known.items.length < searchedMax;
  // biome-ignore lint/correctness/useExhaustiveDependencies: begun once a search needs it, and goes on by itself
  useEffect(() => {
    if (looksOn && !busy) void users.more(searchedMax);
  }, [looksOn, busy]);
  const find = (text: string) => {
    setSearch(text);
    setRoom(step);
  };
  const found = known?.items.filter((user) => textOf(user).includes(wanted)) ?? [];
  const more = () => {
    setRoom(room + step);
    if (unseen && (wanted !== "" || found.length < room + step)) void users.more(known.items.length + 1);
  };
  return (
    <div className="grid">
      <Panel
        title="PEOPLE"
        className="panel-half"
        aside={
          <span className="asides">
            {known && (
              <span className="count" data-testid="people-count">
                {whole(known.items.length)}
                {unseen && " or more"}
              </span>
            )}
            <button type="button" className="button button-small" onClick={() => setAsking({ what: "add" })}>
              ADD…
            </button>
          </span>
        }
      >
        <div className="people-filter">
          <Field label="Find" placeholder="name, e-mail, role or disabled" value={search} onChange={find} />
        </div>
        {users.failure && <FailureCard failure={users.failure} />}
        {known === null && users.failure === null && <Loading what="users" />}
        {found.length > 0 && (
          <ul className="parts">
            {found.slice(0, room).map((user) => (
              <Person key={user.id} user={user} onAsk={setAsking} />
            ))}
          </ul>
        )}
        {known && found.length === 0 && !unseen && (
          <Empty title="NOBODY_LIKE_THAT">
            None of {whole(known.items.length)} has that text in name, e-mail or role.
          </Empty>
        )}
        {known && wanted !== "" && unseen && (
          <p className="note" role="status">
            {busy ? "Looking on: " : "Not all yet: "}
            {whole(known.items.length)} were looked through.
          </p>
        )}
        {(found.length > room || (unseen && !looksOn)) && (
          <button type="button" className="button button-small" disabled={busy} onClick={more}>
            MORE
          </button>
        )}
      </Panel>
      <Panel title="OPEN_SESSIONS" className="panel-half">
        {sessions.failure && <FailureCard failure={sessions.failure} />}
        {sessions.value === null ? (
          sessions.failure === null && <Loading what="sessions" />
        ) : (
          <SessionList sessions={sessions.value} names onEnd={(id) => void sessions.act(api.endAnySession(id))} />
        )}
      </Panel>
      {asking?.what === "add" && <AddDialog account={account} onClose={() => setAsking(null)} onDone={done} />}
      {asking?.what === "password" && (
        <PasswordDialog user={asking.user} account={account} onClose={() => setAsking(null)} onDone={done} />
      )}
      {asking?.what === "decide" && (
        <Frame
          title={asking.title}
          act="DO IT"
          red
          onClose={() => setAsking(null)}
          onAct={async () => {
            const answer = await api.decide(asking.user.username, asking.decision);
            if (answer.ok) done(saidOf(asking.user));
            return answer.ok ? null : answer.failure;
          }}
        >
          <p>{asking.text}</p>
          <p className="note">Their open sessions end at once. It is written into the trail, with your name.</p>
        </Frame>
      )}
    </div>
  );
}

const saidOf = ({ username }: User) => `${username}: done. Their sessions have ended.`;

const textOf = ({ username, email, role, disabled_at }: User) =>
  `${username} ${email ?? ""} ${role} ${disabled_at === null ? "" : "disabled"}`.toLowerCase();

function Person({ user, onAsk }: { user: User; onAsk: (asking: Asking) => void }) {
  const { username, role } = user;
  const gone = user.disabled_at !== null;
  const ask = (decision: Decision, title: string, text: string) =>
    onAsk({ what: "decide", user, decision, title, text });
  return (
    <li className={gone ? "person person-gone" : "person"}>
      <span className="part-account">
        {username}
        {user.mfa && <span className="tag tag-good">2FA</span>}
        {gone && <span className="tag tag-warning">DISABLED</span>}
      </span>
      <select
        aria-label={`Role of ${username}`}
        value={role}
        onChange={({ target }) =>
          ask({ role: target.value }, "CHANGE_ROLE", `${username} is ${role} now, and will be ${target.value}.`)
        }
      >
        {roles.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <span className="part-why">
        since <Instant at={parseTime(user.created_at)} />
        {user.email && ` · ${user.email}`}
      </span>
      <span className="part-acts">
        {gone ? (
          <button
            type="button"
            className="button button-small"
            onClick={() => ask({ disabled: false }, "ENABLE", `${username} may sign in again.`)}
          >
            ENABLE <span className="visually-hidden">{username}</span>
          </button>
        ) : (
          <button
            type="button"
            className="button button-small button-danger"
            onClick={() => ask({ disabled: true }, "DISABLE", `${username} may not sign in any more.`)}
          >
            DISABLE <span className="visually-hidden">{username}</span>
          </button>
        )}
        <button type="button" className="button button-small" onClick={() => onAsk({ what: "password", user })}>
          NEW PASSWORD… <span className="visually-hidden">for {username}</span>
        </button>
        {user.mfa && (
          <button
            type="button"
            className="button button-small"
            onClick={() =>
              ask({ reset_mfa: true }, "RESET_SECOND_FACTOR", `${username} signs in with the password alone.`)
            }
          >
            RESET 2FA <span className="visually-hidden">of {username}</span>
          </button>
        )}
      </span>
    </li>
  );
}

interface DialogProps {
  account: Account;
  onClose: () => void;
  onDone: (said: string) => void;
}

/** Another password for who forgot theirs, or can't be reached by mail. */
function PasswordDialog({ user, account, onClose, onDone }: DialogProps & { user: User }) {
  const [password, setPassword] = useState("");
  const act = async () => {
    const answer = await account.api.decide(user.username, { password });
    if (answer.ok) onDone(saidOf(user));
    return answer.ok ? null : answer.failure;
  };
  return (
    <Frame title="NEW_PASSWORD" act="SET IT" red ready={password !== ""} onAct={act} onClose={onClose}>
      <p>
        {user.username} signs in with it from now on{user.mfa && ", and with the second factor as before"}. Tell it to
        them, and nobody else; they can change it on ACCOUNT.
      </p>
      <NewPassword label="New password" value={password} onChange={setPassword} />
      <p className="note">Their open sessions end at once. It is written into the trail, with your name.</p>
    </Frame>
  );
}

function AddDialog(props: DialogProps) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<string>("viewer");
  const act = async () => {
    const answer = await props.account.api.addUser(name.trim(), role, password);
    if (answer.ok) props.onDone(`${answer.value.username} may sign in as ${answer.value.role}.`);
    return answer.ok ? null : answer.failure;
  };
  return (
    <Frame
      title="ADD_SOMEBODY"
      act="ADD"
      ready={name.trim() !== "" && password !== ""}
      onAct={act}
      onClose={props.onClose}
    >
      <Field label="Username" value={name} onChange={setName} />
      <NewPassword label="First password" more="They can change it." value={password} onChange={setPassword} />
      <div className="ask-field">
        <label>
          Role{" "}
          <select value={role} onChange={({ target }) => setRole(target.value)}>
            {roles.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      </div>
    </Frame>
  );
}
