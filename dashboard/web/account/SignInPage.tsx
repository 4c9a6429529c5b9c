import { type FormEvent, useEffect, useState, useSyncExternalStore } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { Field } from "../ui/Ask";
import { Panel } from "../ui/Panel";
import { Link, navigate } from "../ui/router";
import { type Account, nextPage, type SignedIn } from "./account";
import { PageFrame, type PageProps } from "./Frame";
import { NewPassword } from "./NewPassword";

/** `[SIGN_IN]`: name and password, then the second factor of who has one. */
export default function SignInPage({ session, account, nav }: PageProps) {
  const { me } = useSyncExternalStore(account.subscribe, account.shown);
  const [mfa, setMfa] = useState<string | null>(null);
  useEffect(() => {
    if (me !== null) navigate(me.mfa_setup_required ? "/account" : nextPage(window.location.search));
  }, [me]);
  return (
    <PageFrame session={session} nav={nav} title="SIGN_IN" name="Sign in">
      <div className="sign-in">
        {mfa === null ? (
          <Credentials account={account} onMfa={setMfa} />
        ) : (
          <SecondFactor account={account} mfa={mfa} onBack={() => setMfa(null)} />
        )}
      </div>
    </PageFrame>
  );
}

const failed = (answer: SignedIn | Failure): answer is Failure => "kind" in answer;

function Credentials({ account, onMfa }: { account: Account; onMfa: (token: string) => void }) {
  const [fresh, setFresh] = useState(false);
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailure(null);
    const made = fresh ? await account.api.register(username.trim(), email.trim(), password) : null;
    const answer = made && !made.ok ? made.failure : await account.signIn(username.trim(), password);
    setBusy(false);
    if (failed(answer)) setFailure(answer);
    else if ("mfa" in answer) onMfa(answer.mfa);
  };
  return (
    <Panel title={fresh ? "REGISTER" : "WHO_ARE_YOU"}>
      <form className="ask" onSubmit={submit}>
        <Field label="Username" value={username} autoComplete="username" onChange={setUsername} />
        {fresh && (
          <Field
            label="E-mail address"
            type="email"
            value={email}
            autoComplete="email"
            hint="For a forgotten password, and for alerts of your own. Some pools ask for one; others take none, too."
            onChange={setEmail}
          />
        )}
        {fresh ? (
          <NewPassword label="Password" value={password} onChange={setPassword} />
        ) : (
          <Field
            label="Password"
            type="password"
            value={password}
            autoComplete="current-password"
            onChange={setPassword}
          />
        )}
        {failure && <FailureCard failure={failure} />}
        {failure?.code === "EMAIL_UNCONFIRMED" && (
          <p>
            No mail? <Link to="/verify">Have it sent again</Link>.
          </p>
        )}
        {!fresh && (
          <p>
            <Link to="/forgot">Forgot the password?</Link>
          </p>
        )}
        <div className="dialog-acts">
          <button
            type="button"
            className="button button-quiet"
            disabled={busy}
            onClick={() => {
              setFresh(!fresh);
              setFailure(null);
            }}
          >
            {fresh ? "I HAVE AN ACCOUNT" : "REGISTER"}
          </button>
          <button type="submit" className="button" disabled={busy || username.trim() === "" || password === ""}>
            {busy ? "ASKING THE POOL…" : fresh ? "REGISTER AND SIGN IN" : "SIGN IN"}
          </button>
        </div>
      </form>
      <p className="note">
        {fresh
          ? "Mining needs no account: whoever registers is a miner, and an admin gives more."
          : "The first admin's password was printed once when the pool was set up; dagpool user gives a new one. You stay signed in in this tab, until you close it."}
      </p>
    </Panel>
  );
}

function SecondFactor({ account, mfa, onBack }: { account: Account; mfa: string; onBack: () => void }) {
  const [backup, setBackup] = useState(false);
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    const factor = backup ? { backup_code: code } : { code: code.replaceAll(" ", "") };
    const answer = await account.verify(mfa, factor);
    setBusy(false);
    if (failed(answer)) {
      setFailure(answer);
      setCode("");
    }
  };
  return (
    <Panel title="SECOND_FACTOR">
      <form className="ask" onSubmit={submit}>
        <Field
          key={String(backup)}
          label={backup ? "Backup code" : "Code of your app"}
          hint={backup ? "Each is good once." : "Six digits; each is good once."}
          value={code}
          numeric={!backup}
          autoComplete={backup ? "off" : "one-time-code"}
          onChange={setCode}
        />
        {failure && <FailureCard failure={failure} />}
        <div className="dialog-acts">
          <button type="button" className="button button-quiet" disabled={busy} onClick={onBack}>
            BACK
          </button>
          <button
            type="button"
            className="button button-quiet"
            disabled={busy}
            onClick={() => {
              setBackup(!backup);
              setCode("");
              setFailure(null);
            }}
          >
            {backup ? "USE THE APP" : "USE A BACKUP CODE"}
          </button>
          <button type="submit" className="button" disabled={busy || code.trim() === ""}>
            {busy ? "ASKING THE POOL…" : "SIGN IN"}
          </button>
        </div>
      </form>
    </Panel>
  );
}
