import { useCallback, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import { parseTime } from "../format/time";
import { Field, Frame } from "../ui/Ask";
import { Loading, Panel } from "../ui/Panel";
import { Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { SessionList, useList } from "./AccountPage";
import type { Account } from "./account";
import type { Decision } from "./api";
import { Only, PageFrame, type PageProps } from "./Frame";
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

type Asking = { what: "add" } | { what: "decide"; user: User; decision: Decision; title: string; text: string } | null;

function Body({ account }: { account: Account }) {
  const notify = useNotify();
  const { api } = account;
  const everybody = useCallback(() => api.users(null), [api]);
  const users = useList(everybody);
  const sessions = useList(api.allSessions);
  const [asking, setAsking] = useState<Asking>(null);
  const done = (said: string) => {
    setAsking(null);
    notify("success", said, "users");
    void users.load();
    void sessions.load();
  };
  return (
    <div className="grid">
      <Panel
        title="PEOPLE"
        className="panel-half"
        aside={
          <button type="button" className="button button-small" onClick={() => setAsking({ what: "add" })}>
            ADD…
          </button>
        }
      >
        {users.failure && <FailureCard failure={users.failure} />}
        {users.value === null ? (
          users.failure === null && <Loading what="users" />
        ) : (
          <ul className="parts">
            {users.value.items.map((user) => (
              <Person key={user.id} user={user} onAsk={setAsking} />
            ))}
          </ul>
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
      {asking?.what === "decide" && (
        <Frame
          title={asking.title}
          act="DO IT"
          red
          onClose={() => setAsking(null)}
          onAct={async () => {
            const answer = await api.decide(asking.user.username, asking.decision);
            if (answer.ok) done(`${asking.user.username}: done. Their sessions have ended.`);
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

function AddDialog(props: { account: Account; onClose: () => void; onDone: (said: string) => void }) {
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
      <Field
        label="First password"
        type="password"
        autoComplete="new-password"
        hint="Ten characters or more; they can change it."
        value={password}
        onChange={setPassword}
      />
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
