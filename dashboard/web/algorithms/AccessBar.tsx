import { type FormEvent, useId, useState } from "react";
import { Link, usePath } from "../ui/router";
import { type Access, unnamed } from "./access";
import { FailureCard } from "./FailureCard";
import type { Failure } from "./failure";

interface AccessProps {
  access: Access;
  onUnlock: (token: string) => Promise<Failure | null>;
  onLock: () => void;
  /** What the token is for, on this page. */
  purpose?: Purpose;
}

export interface Purpose {
  /** What is missing without a token. */
  locked: string;
  /** What a wrong one does not allow. */
  wrong: string;
  /** What needs the operator role. */
  role: string;
}

const algorithms: Purpose = {
  locked:
    "You see what is public. Sign in, or enter the operator token, to see reports and history, to stage and to deploy.",
  wrong: "Enter a valid one to stage and deploy.",
  role: "Staging and deploying need the operator role.",
};

/** Who is here, and where a token is entered. */
export function AccessBar({ access, onUnlock, onLock, purpose = algorithms }: AccessProps) {
  if (access.may === "look") {
    if (access.why !== "unknown") return <TokenForm why={access.why} onUnlock={onUnlock} purpose={purpose} />;
    return (
      <div className="access">
        <span className="tag tag-warning">READ_ONLY</span>
        <span className="access-text">{unnamed}</span>
        <button type="button" className="button button-small button-blue" onClick={onLock}>
          SIGN OUT
        </button>
      </div>
    );
  }
  const who = [access.user, access.role].filter(Boolean).join(", ") || "operator token";
  return (
    <div className="access">
      <span className={`tag ${access.may === "change" ? "tag-good" : "tag-blue"}`}>
        {access.may === "change" ? "OPERATOR" : "READ_ONLY"}
      </span>
      <span className="access-text">
        {access.may === "change"
          ? `Signed in (${who}). What you do here is in the audit trail.`
          : `Signed in (${who}). ${purpose.role}`}
      </span>
      <button type="button" className="button button-small button-blue" onClick={onLock}>
        {access.user === null ? "FORGET TOKEN" : "SIGN OUT"}
      </button>
    </div>
  );
}

interface FormProps extends Required<Pick<AccessProps, "onUnlock" | "purpose">> {
  why: "no-token" | "wrong-token";
}

function TokenForm({ why, onUnlock, purpose }: FormProps) {
  const id = useId();
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const here = usePath();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() === "") return;
    setBusy(true);
    setFailure(await onUnlock(token.trim()));
    setBusy(false);
  };
  return (
    <div className="access access-locked">
      <form className="access-form" onSubmit={submit}>
        <span className="tag tag-warning">READ_ONLY</span>
        <label className="access-text" htmlFor={id}>
          {why === "wrong-token" ? `The pool does not take this token (any more). ${purpose.wrong}` : purpose.locked}
        </label>
        <Link className="button" to={`/sign-in?next=${encodeURIComponent(here)}`}>
          SIGN IN
        </Link>
        <input
          id={id}
          className="input"
          type="password"
          autoComplete="off"
          spellCheck="false"
          placeholder="operator token"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <button type="submit" className="button" disabled={busy || token.trim() === ""}>
          {busy ? "CHECKING…" : "UNLOCK"}
        </button>
      </form>
      <p className="access-hint">
        Or the operator token, which the pool printed at its start (your configuration's <code>auth.admin_token</code>).
        It stays in this tab only.
      </p>
      {failure && <FailureCard failure={failure} onDismiss={() => setFailure(null)} />}
    </div>
  );
}
