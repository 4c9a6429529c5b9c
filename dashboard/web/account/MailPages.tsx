import { type FormEvent, type ReactNode, useLayoutEffect, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import type { Outcome } from "../feed/client";
import { Field } from "../ui/Ask";
import { Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { PageFrame, type PageProps } from "./Frame";
import { NewPassword } from "./NewPassword";

/**
 * What a mail's link brings: behind '#', so that no server's log has it. It is taken out of the address at once, so that neither
 * the history nor whoever looks over a shoulder keeps it.
 */
function useSecret(): string {
  // Looked at while drawing, which may be done again and for nothing; taken out when the page stands.
  const [secret] = useState(() => window.location.hash.slice(1));
  useLayoutEffect(() => {
    if (window.location.hash !== "") window.history.replaceState(null, "", window.location.pathname);
  }, []);
  return /^[0-9a-f]{64}$/.test(secret) ? secret : "";
}

interface StepProps {
  title: string;
  /** The word on the button that does it. */
  act: string;
  ready: boolean;
  onAct: () => Promise<Outcome<unknown>>;
  /** What is said when it is done. */
  done: ReactNode;
  children: ReactNode;
}

/** One thing to do, and what is said when it is done. */
function Step({ title, act, ready, onAct, done, children }: StepProps) {
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || !ready) return;
    setBusy(true);
    setFailure(null);
    const answer = await onAct();
    setBusy(false);
    if (answer.ok) setOver(true);
    else setFailure(answer.failure);
  };
  return (
    <Panel title={title}>
      {over ? (
        <div role="status">{done}</div>
      ) : (
        <form className="ask" onSubmit={submit}>
          {children}
          {failure && <FailureCard failure={failure} />}
          <div className="dialog-acts">
            <Link className="button button-quiet" to="/sign-in">
              BACK
            </Link>
            <button type="submit" className="button" disabled={busy || !ready}>
              {busy ? "ASKING THE POOL…" : act}
            </button>
          </div>
        </form>
      )}
    </Panel>
  );
}

const lookThere = (
  <>
    <p>If the pool knows this address, a mail is on its way. It may take a minute, and may be among the spam.</p>
    <p className="note">
      The pool does not tell here who has an account. An address gets three mails an hour at most. A pool without a mail
      server writes mails into a folder: ask its operator then.
    </p>
    <div className="dialog-acts">
      <Link className="button" to="/sign-in">
        SIGN IN
      </Link>
    </div>
  </>
);

const looksLikeMail = (text: string) => /^[^@\s]+@[^@\s]+$/.test(text.trim());

/** `[FORGOT]`: a link that sets another password, by mail. */
export function ForgotPage({ session, account, nav }: PageProps) {
  const [email, setEmail] = useState("");
  return (
    <PageFrame session={session} nav={nav} title="FORGOT" name="Forgotten password">
      <div className="sign-in">
        <Step
          title="FORGOTTEN_PASSWORD"
          act="SEND THE LINK"
          ready={looksLikeMail(email)}
          onAct={() => account.api.forgot(email.trim())}
          done={lookThere}
        >
          <p className="note">
            A link that sets another password goes to the address of your account. Without one, an admin gives you
            another password.
          </p>
          <Field label="E-mail address" type="email" autoComplete="email" value={email} onChange={setEmail} />
        </Step>
      </div>
    </PageFrame>
  );
}

function NoSecret({ what, again }: { what: string; again: string }) {
  return (
    <Panel title="NO_LINK">
      <p>This page is opened by the link in a mail, and this address is not that of a whole one.</p>
      <p className="note">Some mail programs break long links: copy all of it. {what}</p>
      <div className="dialog-acts">
        <Link className="button" to={again}>
          A NEW MAIL
        </Link>
      </div>
    </Panel>
  );
}

/** `[RESET]`: another password, by the link of a mail. */
export function ResetPage({ session, account, nav }: PageProps) {
  const secret = useSecret();
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const differs = again !== "" && again !== password;
  return (
    <PageFrame session={session} nav={nav} title="RESET" name="Another password">
      <div className="sign-in">
        {secret === "" ? (
          <NoSecret what="It is good for one hour, and once." again="/forgot" />
        ) : (
          <Step
            title="ANOTHER_PASSWORD"
            act="SET IT"
            ready={password !== "" && again === password}
            onAct={async () => {
              const answer = await account.api.reset(secret, password);
              if (answer.ok) await account.signOut();
              return answer;
            }}
            done={
              <>
                <p>The password was set. Everybody who was signed in with the old one has been signed out.</p>
                <p className="note">
                  A second factor is asked for as before. Tokens for scripts go on: look at them on ACCOUNT.
                </p>
                <div className="dialog-acts">
                  <Link className="button" to="/sign-in">
                    SIGN IN
                  </Link>
                </div>
              </>
            }
          >
            <NewPassword label="New password" value={password} onChange={setPassword} />
            <Field
              label="Once more"
              type="password"
              autoComplete="new-password"
              hint=""
              wrong={differs ? "The two differ." : null}
              value={again}
              onChange={setAgain}
            />
          </Step>
        )}
      </div>
    </PageFrame>
  );
}

/** `[VERIFY]`: shows that an address is one's own, by the link of a mail. A button, since mail scanners follow links. */
export function VerifyPage({ session, account, nav }: PageProps) {
  const secret = useSecret();
  const [email, setEmail] = useState("");
  return (
    <PageFrame session={session} nav={nav} title="VERIFY" name="Confirm an address">
      <div className="sign-in">
        {secret === "" ? (
          <Step
            title="ONE_MORE_MAIL"
            act="SEND IT AGAIN"
            ready={looksLikeMail(email)}
            onAct={() => account.api.resend(email.trim())}
            done={lookThere}
          >
            <p className="note">
              The link that confirms an address is good for 48 hours, and once; a newer mail's link replaces it. Type
              the address of your account to get another one.
            </p>
            <Field label="E-mail address" type="email" autoComplete="email" value={email} onChange={setEmail} />
          </Step>
        ) : (
          <Step
            title="YOUR_ADDRESS"
            act="CONFIRM"
            ready
            onAct={async () => {
              const answer = await account.api.confirm(secret);
              if (answer.ok) await account.look();
              return answer;
            }}
            done={
              <>
                <p>The address is confirmed: it is where the pool sends what is about your account.</p>
                <div className="dialog-acts">
                  <Link className="button" to="/sign-in">
                    GO ON
                  </Link>
                </div>
              </>
            }
          >
            <p>You followed the link of a mail. Press the button to confirm that the address is yours.</p>
          </Step>
        )}
      </div>
    </PageFrame>
  );
}
