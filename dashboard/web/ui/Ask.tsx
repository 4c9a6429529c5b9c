import { type FormEvent, type ReactNode, useId, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { Dialog } from "./Dialog";

interface FrameProps {
  title: string;
  /** The word on the button that does it. */
  act: string;
  red?: boolean;
  ready?: boolean;
  wide?: boolean;
  onAct: () => Promise<Failure | null>;
  onClose: () => void;
  children: ReactNode;
}

/** A question with two answers; a refusal is shown in it, with the pool's advice. */
export function Frame({ title, act, red = false, ready = true, wide = false, onAct, onClose, children }: FrameProps) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!ready || busy) return;
    setBusy(true);
    setFailure(await onAct());
    setBusy(false);
  };
  return (
    <Dialog title={title} onClose={onClose} busy={busy} wide={wide}>
      <form className="ask" onSubmit={submit}>
        {children}
        {failure && <FailureCard failure={failure} />}
        <div className="dialog-acts">
          <button type="button" className="button button-quiet" disabled={busy} onClick={onClose}>
            CANCEL
          </button>
          <button type="submit" className={red ? "button button-danger" : "button"} disabled={busy || !ready}>
            {busy ? "ASKING THE POOL…" : act}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  value: string;
  placeholder?: string;
  wrong?: string | null;
  type?: "text" | "password" | "email";
  /** What a password manager may put in. */
  autoComplete?: string;
  numeric?: boolean;
  onChange: (value: string) => void;
}

export function Field({ label, hint, value, placeholder, wrong = null, onChange, ...more }: FieldProps) {
  const id = useId();
  return (
    <div className="ask-field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input"
        type={more.type ?? "text"}
        autoComplete={more.autoComplete ?? "off"}
        inputMode={more.numeric ? "numeric" : undefined}
        spellCheck="false"
        value={value}
        placeholder={placeholder}
        aria-invalid={wrong !== null}
        aria-describedby={`${id}-hint`}
        onChange={(event) => onChange(event.target.value)}
      />
      <p id={`${id}-hint`} className={wrong === null ? "note" : "warn"}>
        {wrong ?? hint}
      </p>
    </div>
  );
}
