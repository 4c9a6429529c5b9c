import { type FormEvent, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import { usePolled } from "../feed/poll";
import { parseTime } from "../format/time";
import { Field } from "../ui/Ask";
import { Copy } from "../ui/Copy";
import { Empty, Loading } from "../ui/Panel";
import { Link } from "../ui/router";
import { Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import type { Account } from "./account";
import { OwnAlerts } from "./OwnAlerts";
import { PaidFrom } from "./PaidFrom";
import type { Claim } from "./schema";

/** Payout addresses that are one's own, and how to show that one is. */
export function Addresses({ account }: { account: Account }) {
  const { value: items, failure, load, act } = usePolled(account.api.accounts);
  const [claim, setClaim] = useState<Claim | null>(null);
  const [telling, setTelling] = useState<string | null>(null);
  const [paying, setPaying] = useState<string | null>(null);
  const notify = useNotify();
  if (items === null) return failure ? <FailureCard failure={failure} /> : <Loading what="your addresses" lines={2} />;
  return (
    <>
      {items.length === 0 && claim === null && (
        <Empty title="NO_ADDRESSES">
          Mining needs no account. Show that an address is yours to find it here. Money goes to the address, whoever has
          claimed it.
        </Empty>
      )}
      {items.length > 0 && (
        <ul className="parts addresses">
          {items.map((item) => (
            <li key={item.account}>
              <Link className="part-account" to={`/miners/${encodeURIComponent(item.account)}`}>
                {item.account}
              </Link>
              <span className="part-why">
                by {item.by === "signature" ? "its key" : "its machines"}, <Instant at={parseTime(item.claimed_at)} />
              </span>
              <span className="part-acts">
                <button type="button" className="button button-small" onClick={() => setTelling(item.account)}>
                  TELL ME…
                </button>
                <button type="button" className="button button-small" onClick={() => setPaying(item.account)}>
                  PAID FROM…
                </button>
                <button
                  type="button"
                  className="button button-small button-quiet"
                  onClick={() => void act(account.api.releaseAccount(item.account))}
                >
                  GIVE BACK
                </button>
              </span>
            </li>
          ))}
        </ul>
      )}
      {failure && <FailureCard failure={failure} />}
      {telling !== null && <OwnAlerts account={account} address={telling} onClose={() => setTelling(null)} />}
      {paying !== null && <PaidFrom account={account} address={paying} onClose={() => setPaying(null)} />}
      {claim === null ? (
        <Begin account={account} onBegun={setClaim} />
      ) : (
        <Show
          account={account}
          claim={claim}
          onBack={() => setClaim(null)}
          onDone={async () => {
            setClaim(null);
            notify("success", "The address is yours.", "claim");
            await load();
          }}
        />
      )}
    </>
  );
}

function Begin({ account, onBegun }: { account: Account; onBegun: (claim: Claim) => void }) {
  const [address, setAddress] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || address.trim() === "") return;
    setBusy(true);
    setFailure(null);
    const answer = await account.api.beginClaim(address.trim());
    setBusy(false);
    if (answer.ok) onBegun(answer.value);
    else setFailure(answer.failure);
  };
  return (
    <form className="ask" onSubmit={submit}>
      <Field label="Payout address" hint="That your machines mine for." value={address} onChange={setAddress} />
      {failure && <FailureCard failure={failure} />}
      <div className="dialog-acts">
        <button type="submit" className="button" disabled={busy || address.trim() === ""}>
          {busy ? "ASKING THE POOL…" : "CLAIM IT"}
        </button>
      </div>
    </form>
  );
}

interface ShowProps {
  account: Account;
  claim: Claim;
  onBack: () => void;
  onDone: () => Promise<void>;
}

function Show({ account, claim, onBack, onDone }: ShowProps) {
  const [signature, setSignature] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const check = async (signed: string | null) => {
    setBusy(true);
    setFailure(null);
    const answer = await account.api.verifyClaim(claim.account, signed);
    setBusy(false);
    if (answer.ok) await onDone();
    else setFailure(answer.failure);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && signature.trim() !== "") void check(signature.trim());
  };
  return (
    <div className="claim">
      <p className="note">
        For <strong className="break">{claim.account}</strong>, until <Instant at={parseTime(claim.expires_at)} />.
      </p>
      {claim.signature && (
        <form className="ask" onSubmit={submit}>
          <p>Sign this text with the address&apos;s key (&quot;sign message&quot; in the wallet):</p>
          <code className="secret">{claim.challenge}</code>
          <div className="acts">
            <Copy text={claim.challenge} what="the text" />
          </div>
          <Field label="Signature" hint="128 hexadecimal digits." value={signature} onChange={setSignature} />
          <div className="dialog-acts">
            <button type="submit" className="button" disabled={busy || signature.trim() === ""}>
              {busy ? "ASKING THE POOL…" : "IT IS SIGNED"}
            </button>
          </div>
        </form>
      )}
      <p>
        {claim.signature ? "Or show" : "Show"} this as the password of a machine that mines for the address, at every
        place from which it is mined for now:
      </p>
      <code className="secret">{claim.password}</code>
      <div className="acts">
        <Copy text={claim.password} what="the password" />
      </div>
      <p className="note">Restart the machine, wait for a share of it, then check. Take the password out afterwards.</p>
      {failure && <FailureCard failure={failure} />}
      <div className="dialog-acts">
        <button type="button" className="button button-quiet" disabled={busy} onClick={onBack}>
          BACK
        </button>
        <button type="button" className="button" disabled={busy} onClick={() => void check(null)}>
          {busy ? "ASKING THE POOL…" : "CHECK THE MACHINES"}
        </button>
      </div>
    </div>
  );
}
