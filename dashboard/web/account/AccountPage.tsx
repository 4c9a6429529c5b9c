import { type FormEvent, useId, useState, useSyncExternalStore } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { usePolled } from "../feed/poll";
import { parseTime } from "../format/time";
import { Field, Frame } from "../ui/Ask";
import { Copy } from "../ui/Copy";
import { Empty, Fact, Facts, Loading, Panel } from "../ui/Panel";
import { Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { Addresses } from "./Addresses";
import type { Account } from "./account";
import { Only, PageFrame, type PageProps } from "./Frame";
import { NewPassword } from "./NewPassword";
import { type Me, type Pair, type Setup, type SignedIn, scopes, type Token } from "./schema";

/** `[ACCOUNT]`: one's own sign-in: second factor, password, open sessions, tokens for scripts. */
export default function AccountPage({ session, account, nav }: PageProps) {
  const { me } = useSyncExternalStore(account.subscribe, account.shown);
  // Kept here: turning a second factor on begins a new session, which draws the parts below anew.
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  return (
    <PageFrame session={session} nav={nav} title="ACCOUNT" name="Account">
      <Only account={account}>
        {me && (
          <div className="grid">
            <Panel title="WHO" className="panel-half">
              <Who me={me} account={account} />
            </Panel>
            <Panel title="SECOND_FACTOR" className="panel-half">
              <SecondFactor me={me} account={account} codes={codes} onCodes={setCodes} />
            </Panel>
            {!me.mfa_setup_required && (
              <>
                <Panel title="YOUR_ADDRESSES">
                  <Addresses account={account} />
                </Panel>
                <Panel title="OPEN_SESSIONS" className="panel-half">
                  <Sessions account={account} />
                </Panel>
                <Panel title="TOKENS_FOR_SCRIPTS" className="panel-half">
                  <Tokens account={account} />
                </Panel>
              </>
            )}
          </div>
        )}
      </Only>
    </PageFrame>
  );
}

function Who({ me, account }: { me: Me; account: Account }) {
  const notify = useNotify();
  const [asking, setAsking] = useState<"password" | "email" | null>(null);
  return (
    <>
      <Facts>
        <Fact name="Name">{me.username}</Fact>
        <Fact name="Role">{me.role}</Fact>
        <Fact name="Since">
          <Instant at={parseTime(me.created_at)} />
        </Fact>
        <Fact name="Second factor">{me.mfa ? "on" : "off"}</Fact>
        <Fact name="E-mail" wide>
          {me.email ?? "none"}{" "}
          {me.email !== null && <span className="tag">{me.email_verified ? "confirmed" : "not confirmed"}</span>}
        </Fact>
      </Facts>
      <div className="acts">
        {!me.mfa_setup_required && (
          <>
            <button type="button" className="button button-small" onClick={() => setAsking("password")}>
              CHANGE PASSWORD…
            </button>
            <button type="button" className="button button-small" onClick={() => setAsking("email")}>
              CHANGE E-MAIL…
            </button>
          </>
        )}
        <button type="button" className="button button-small button-blue" onClick={() => void account.signOut()}>
          SIGN OUT
        </button>
      </div>
      {asking === "email" && (
        <EmailDialog
          account={account}
          onClose={() => setAsking(null)}
          onDone={(sent) => {
            setAsking(null);
            const said = sent
              ? "A mail is on its way: the link in it confirms the address."
              : "The address was taken away.";
            notify("success", said, "email");
          }}
        />
      )}
      {asking === "password" && (
        <PasswordDialog
          account={account}
          onClose={() => setAsking(null)}
          onDone={() => {
            setAsking(null);
            notify("success", "The password was changed; your other sessions have ended.", "password");
          }}
        />
      )}
    </>
  );
}

function PasswordDialog(props: { account: Account; onClose: () => void; onDone: () => void }) {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const act = async () => {
    const answer = await props.account.api.password(old, fresh);
    if (answer.ok) props.onDone();
    return answer.ok ? null : answer.failure;
  };
  return (
    <Frame title="CHANGE_PASSWORD" act="CHANGE" ready={old !== "" && fresh !== ""} onAct={act} onClose={props.onClose}>
      <Field label="Password now" type="password" autoComplete="current-password" value={old} onChange={setOld} />
      <NewPassword label="New password" more="Your other sessions end." value={fresh} onChange={setFresh} />
    </Frame>
  );
}

function EmailDialog(props: { account: Account; onClose: () => void; onDone: (sent: boolean) => void }) {
  const [password, setPassword] = useState("");
  const [email, setEmail] = useState("");
  const act = async () => {
    const to = email.trim() === "" ? null : email.trim();
    const answer = await props.account.api.changeEmail(password, to);
    if (!answer.ok) return answer.failure;
    await props.account.look();
    props.onDone(to !== null);
    return null;
  };
  return (
    <Frame title="CHANGE_E_MAIL" act="CHANGE" ready={password !== ""} onAct={act} onClose={props.onClose}>
      <Field
        label="New e-mail address"
        type="email"
        autoComplete="email"
        hint="It counts once the link that is sent there was followed. Empty: no address any more."
        value={email}
        onChange={setEmail}
      />
      <Field label="Password" type="password" autoComplete="current-password" value={password} onChange={setPassword} />
    </Frame>
  );
}

interface FactorProps {
  me: Me;
  account: Account;
  codes: readonly string[] | null;
  onCodes: (codes: readonly string[] | null) => void;
}

function SecondFactor({ me, account, codes, onCodes }: FactorProps) {
  const [asking, setAsking] = useState<"codes" | "off" | null>(null);
  const notify = useNotify();
  if (codes !== null) return <BackupCodes codes={codes} onDone={() => onCodes(null)} />;
  if (!me.mfa) return <SetUp me={me} account={account} onCodes={onCodes} />;
  return (
    <>
      <p className="note">
        Signing in asks for a code of your app. Backup codes that were not used: <strong>{me.backup_codes_left}</strong>
        .
      </p>
      <div className="acts">
        <button type="button" className="button button-small" onClick={() => setAsking("codes")}>
          NEW BACKUP CODES…
        </button>
        <button type="button" className="button button-small button-danger" onClick={() => setAsking("off")}>
          TURN OFF…
        </button>
      </div>
      {asking === "codes" && <CodesDialog account={account} onCodes={onCodes} onClose={() => setAsking(null)} />}
      {asking === "off" && (
        <OffDialog
          account={account}
          onClose={() => setAsking(null)}
          onDone={() => {
            setAsking(null);
            notify("warning", "The second factor is off: your password alone lets anybody in.", "factor");
          }}
        />
      )}
    </>
  );
}

function CodesDialog({ account, onCodes, onClose }: Omit<FactorProps, "me" | "codes"> & { onClose: () => void }) {
  const [code, setCode] = useState("");
  const act = async () => {
    const answer = await account.api.backupCodes(code);
    if (!answer.ok) return answer.failure;
    onClose();
    onCodes(answer.value.backup_codes);
    await account.look();
    return null;
  };
  return (
    <Frame title="NEW_BACKUP_CODES" act="MAKE THEM" ready={code !== ""} onAct={act} onClose={onClose}>
      <p className="note">The old ones are good for nothing then.</p>
      <Field label="Code of your app" numeric autoComplete="one-time-code" value={code} onChange={setCode} />
    </Frame>
  );
}

function OffDialog({ account, onClose, onDone }: { account: Account; onClose: () => void; onDone: () => void }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const act = async () => {
    const answer = await account.api.mfaDisable(password, { code });
    if (!answer.ok) return answer.failure;
    await account.look();
    onDone();
    return null;
  };
  const ready = password !== "" && code !== "";
  return (
    <Frame title="TURN_OFF" act="TURN OFF" red ready={ready} onAct={act} onClose={onClose}>
      <Field label="Password" type="password" autoComplete="current-password" value={password} onChange={setPassword} />
      <Field label="Code of your app" numeric autoComplete="one-time-code" value={code} onChange={setCode} />
    </Frame>
  );
}

function SetUp({ me, account, onCodes }: Omit<FactorProps, "codes">) {
  const [setup, setSetup] = useState<Setup | null>(null);
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || text === "") return;
    setBusy(true);
    setFailure(setup === null ? await begin() : await enable());
    setBusy(false);
  };
  const begin = async () => {
    const answer = await account.api.mfaSetup(text);
    if (!answer.ok) return answer.failure;
    setSetup(answer.value);
    setText("");
    return null;
  };
  const enable = async () => {
    const answer = await account.api.mfaEnable(text.replaceAll(" ", ""));
    if (!answer.ok) return answer.failure;
    onCodes(answer.value.backup_codes);
    const taken: SignedInAs = await account.take(answer.value satisfies Pair);
    return "kind" in taken ? taken : null;
  };
  return (
    <form className="ask" onSubmit={submit}>
      {me.mfa_setup_required && (
        <p className="warn">The role {me.role} needs a second factor at this pool: nothing else is open before.</p>
      )}
      {setup === null ? (
        <>
          <p className="note">
            With an app for codes (any that knows TOTP) nobody gets in by your password alone. It needs your password
            once more.
          </p>
          <Field label="Password" type="password" autoComplete="current-password" value={text} onChange={setText} />
        </>
      ) : (
        <>
          {setup.qr_svg && (
            <img
              className="qr"
              alt="QR code of the key below"
              src={`data:image/svg+xml,${encodeURIComponent(setup.qr_svg)}`}
            />
          )}
          <p className="note">Scan it with the app, or type this key:</p>
          <code className="secret">{setup.secret}</code>
          <div className="acts">
            <Copy text={setup.secret} what="the key" />
          </div>
          <Field
            key="code"
            label="Code of your app"
            hint="Six digits: shows that the app has the key."
            numeric
            autoComplete="one-time-code"
            value={text}
            onChange={setText}
          />
        </>
      )}
      {failure && <FailureCard failure={failure} />}
      <div className="dialog-acts">
        <button type="submit" className="button" disabled={busy || text === ""}>
          {busy ? "ASKING THE POOL…" : setup === null ? "SET UP" : "TURN ON"}
        </button>
      </div>
    </form>
  );
}

type SignedInAs = Awaited<ReturnType<Account["take"]>>;

function BackupCodes({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  return (
    <>
      <p className="warn">
        Keep these where you find them without your phone. Each is good once, in place of a code. They are not shown
        again.
      </p>
      <ul className="backup-codes" data-testid="backup-codes">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="acts">
        <Copy text={codes.join("\n")} what="the backup codes" />
        <button type="button" className="button button-small" onClick={onDone}>
          I HAVE THEM
        </button>
      </div>
    </>
  );
}

function Sessions({ account }: { account: Account }) {
  const { value, failure, act } = usePolled(account.api.sessions);
  return (
    <>
      {failure && <FailureCard failure={failure} />}
      {value === null ? (
        failure === null && <Loading what="sessions" />
      ) : (
        <SessionList sessions={value} onEnd={(id) => void act(account.api.endSession(id))} />
      )}
    </>
  );
}

interface ListProps {
  sessions: readonly SignedIn[];
  names?: boolean;
  onEnd: (id: string) => void;
}

/** Sessions, newest first; whose, where names are wanted. */
export function SessionList({ sessions, names = false, onEnd }: ListProps) {
  if (sessions.length === 0) return <Empty title="NOBODY">Nobody is signed in with a password.</Empty>;
  return (
    <ul className="parts">
      {sessions.map((one) => (
        <li key={one.id}>
          <span className="part-account">
            {names ? `${one.username} (${one.role})` : (one.address ?? "somewhere")}
            {one.current && <span className="tag tag-good">THIS ONE</span>}
          </span>
          <span className="part-amount">
            <Instant at={parseTime(one.seen_at ?? one.created_at)} />
          </span>
          <span className="part-why">
            {names && `${one.address ?? "somewhere"} · `}
            {one.agent ?? "unknown program"}
          </span>
          {!one.current && (
            <span className="part-acts">
              <button type="button" className="button button-small button-danger" onClick={() => onEnd(one.id)}>
                END <span className="visually-hidden">the session of {one.address}</span>
              </button>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Tokens({ account }: { account: Account }) {
  const { value, failure, load, act } = usePolled(account.api.tokens);
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  return (
    <>
      <p className="note">
        For scripts and the command line (<code>--token</code>): never more than you may do, and only what its scopes
        name.
      </p>
      {made !== null && (
        <div className="outlook">
          <p className="warn">Copy it now: it is not shown again.</p>
          <code className="secret" data-testid="new-token">
            {made}
          </code>
          <div className="acts">
            <Copy text={made} what="the token" />
            <button type="button" className="button button-small" onClick={() => setMade(null)}>
              I HAVE IT
            </button>
          </div>
        </div>
      )}
      {failure && <FailureCard failure={failure} />}
      {value === null ? (
        failure === null && <Loading what="tokens" />
      ) : (
        <TokenList tokens={value} onRevoke={(id) => void act(account.api.revokeToken(id))} />
      )}
      <div className="acts">
        <button type="button" className="button button-small" onClick={() => setAdding(true)}>
          NEW TOKEN…
        </button>
      </div>
      {adding && (
        <TokenDialog
          account={account}
          onClose={() => setAdding(false)}
          onMade={(token) => {
            setAdding(false);
            setMade(token);
            void load();
          }}
        />
      )}
    </>
  );
}

function TokenList({ tokens, onRevoke }: { tokens: readonly Token[]; onRevoke: (id: string) => void }) {
  const live = tokens.filter((token) => token.revoked_at === null && (parseTime(token.expires_at) ?? 0) > Date.now());
  if (live.length === 0) return <Empty title="NO_TOKENS">No script of yours may do anything.</Empty>;
  return (
    <ul className="parts">
      {live.map((token) => (
        <li key={token.id}>
          <span className="part-account">{token.name}</span>
          <span className="part-amount">
            until <Instant at={parseTime(token.expires_at)} />
          </span>
          <span className="part-why">{token.scopes.join(", ")}</span>
          <span className="part-acts">
            <button type="button" className="button button-small button-danger" onClick={() => onRevoke(token.id)}>
              TAKE BACK <span className="visually-hidden">{token.name}</span>
            </button>
          </span>
        </li>
      ))}
    </ul>
  );
}

function TokenDialog(props: { account: Account; onClose: () => void; onMade: (token: string) => void }) {
  const id = useId();
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const [chosen, setChosen] = useState<readonly string[]>(["read"]);
  const act = async () => {
    const answer = await props.account.api.addToken(name, chosen, Number(days));
    if (answer.ok) props.onMade(answer.value.token);
    return answer.ok ? null : answer.failure;
  };
  const ready = name.trim() !== "" && chosen.length > 0 && /^\d+$/.test(days);
  return (
    <Frame title="NEW_TOKEN" act="MAKE IT" ready={ready} onAct={act} onClose={props.onClose}>
      <Field label="What is it for?" placeholder="nightly report" value={name} onChange={setName} />
      <Field label="Good for (days)" numeric hint="1 to 366" value={days} onChange={setDays} />
      <fieldset className="scopes">
        <legend>It may</legend>
        {scopes.map((scope) => (
          <label key={scope} htmlFor={`${id}-${scope}`}>
            <input
              id={`${id}-${scope}`}
              type="checkbox"
              checked={chosen.includes(scope)}
              onChange={({ target }) =>
                setChosen(target.checked ? [...chosen, scope] : chosen.filter((one) => one !== scope))
              }
            />
            {scope}
          </label>
        ))}
      </fieldset>
    </Frame>
  );
}
