import { useEffect, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import type { Outcome } from "../feed/client";
import type { Currency } from "../feed/schema";
import { parseMoney, unitOf } from "../format/money";
import { Field, Frame } from "../ui/Ask";
import { Loading } from "../ui/Panel";
import type { Scope } from "./api";
import { Outlook } from "./Plan";
import type { DryRun } from "./schema";
import type { PayoutsStore } from "./store";

/** What an operator is about to do: nothing changes without a dialog that says what will happen. */
export type Ask =
  | { what: "hold"; scope: Scope }
  | { what: "release"; scope: Scope; held: string }
  | { what: "run" }
  | { what: "threshold"; account: string };

interface AskProps {
  ask: Ask;
  store: PayoutsStore;
  currency: Currency | null;
  onClose: () => void;
  /** Does it; closes the dialog and says so when it went well. */
  finish: (doing: () => Promise<Failure | null>, said: string) => Promise<Failure | null>;
}

export function AskDialog(props: AskProps) {
  const { ask } = props;
  switch (ask.what) {
    case "hold":
      return <Hold {...props} scope={ask.scope} />;
    case "release":
      return <Release {...props} scope={ask.scope} held={ask.held} />;
    case "run":
      return <Run {...props} />;
    case "threshold":
      return <Threshold {...props} known={ask.account} />;
  }
}

function named(scope: Scope): string {
  if (scope.scope === "all") return "all payouts";
  return scope.scope === "payout" ? `payout #${scope.id}` : `account ${scope.account}`;
}

const reasonMax = 200;

function Hold({ scope, store, onClose, finish }: AskProps & { scope: Scope }) {
  const asksAccount = scope.scope === "account" && scope.account === "";
  const [account, setAccount] = useState(scope.scope === "account" ? scope.account : "");
  const [reason, setReason] = useState("");
  const wanted: Scope = scope.scope === "account" ? { scope: "account", account: account.trim() } : scope;
  const what = named(wanted);
  const long = reason.trim().length > reasonMax;
  return (
    <Frame
      title={scope.scope === "all" ? "HOLD_ALL_PAYOUTS" : scope.scope === "payout" ? "HOLD_PAYOUT" : "HOLD_ACCOUNT"}
      act="HOLD"
      red
      ready={reason.trim() !== "" && !long && (scope.scope !== "account" || account.trim() !== "")}
      onClose={onClose}
      onAct={() => finish(() => store.act(store.api.hold(wanted, reason.trim())), `Held: ${what}.`)}
    >
      <p>
        {scope.scope === "all"
          ? "Nothing that was not sent yet is sent, and nothing is planned, until you release it. Transactions that are on their way go on to their end: they can't be called back."
          : scope.scope === "payout"
            ? `Payout #${scope.id} is not sent, if it was not yet. One that is on its way goes on to its end.`
            : "The account is left out of payouts. One that is not signed yet and has it among its recipients is returned, so that the others are not held up."}
      </p>
      {asksAccount && (
        <Field
          label="Account"
          value={account}
          placeholder="address"
          hint="The payout address, as miners log in."
          onChange={setAccount}
        />
      )}
      <Field
        label="Reason"
        value={reason}
        placeholder="such as: address reported stolen"
        hint="It is shown to operators and kept in the trail; miners see it on their page."
        wrong={long ? `At most ${reasonMax} characters.` : null}
        onChange={setReason}
      />
    </Frame>
  );
}

function Release({ scope, held, store, onClose, finish }: AskProps & { scope: Scope; held: string }) {
  return (
    <Frame
      title="RELEASE"
      act="RELEASE"
      onClose={onClose}
      onAct={() => finish(() => store.act(store.api.release(scope)), `Released: ${named(scope)}.`)}
    >
      <p>
        Releases <strong>{named(scope)}</strong>, held because: {held || "no reason given"}.
      </p>
      <p className="note">
        {scope.scope === "account"
          ? "If the chain had refused its address, it is asked again. The account is paid with the next plan if its balance is at its threshold."
          : "What was waiting is sent with the dispatcher's next look, within seconds."}
      </p>
    </Frame>
  );
}

/** Money is about to move: the dry run is in the question. */
function Run({ store, currency, onClose, finish }: AskProps) {
  const [outlook, setOutlook] = useState<Outcome<DryRun> | null>(null);
  useEffect(() => {
    let open = true;
    void store.api.dryRun().then((outcome) => open && setOutlook(outcome));
    return () => {
      open = false;
    };
  }, [store]);
  return (
    <Frame
      title="PAY_NOW"
      act="PAY NOW"
      wide
      ready={outlook?.ok === true && outlook.value.held === null && outlook.value.payouts.length > 0}
      onClose={onClose}
      onAct={() => finish(() => store.act(store.api.run()), "Asked for: the dispatcher plans and pays now.")}
    >
      <p>Plans now instead of at the next interval. By the balances of this moment it would pay:</p>
      {outlook === null && <Loading what="the dry run" />}
      {outlook?.ok === true && <Outlook plan={outlook.value} currency={currency} />}
      {outlook?.ok === false && <FailureCard failure={outlook.failure} />}
    </Frame>
  );
}

function Threshold({ known, store, currency, onClose, finish }: AskProps & { known: string }) {
  const [account, setAccount] = useState(known);
  const [amount, setAmount] = useState("");
  const smallest = parseMoney(amount, currency);
  const empty = amount.trim() === "";
  const unit = unitOf(currency);
  const wrong = `Write an amount above 0 with at most ${currency?.decimals ?? 0} decimals.`;
  const said = empty ? "The pool's threshold holds again." : `Paid from ${amount.trim()} ${unit}.`;
  return (
    <Frame
      title="THRESHOLD"
      act={empty ? "USE THE POOL'S" : "SET"}
      ready={account.trim() !== "" && (empty || smallest !== null)}
      onClose={onClose}
      onAct={() => finish(() => store.act(store.api.threshold(account.trim(), smallest)), said)}
    >
      <p>The balance from which one account is paid. It overrides the pool's, in both directions.</p>
      {known === "" ? (
        <Field
          label="Account"
          value={account}
          placeholder="address"
          hint="The payout address, as miners log in."
          onChange={setAccount}
        />
      ) : (
        <p>
          <code className="hash">{known}</code>
        </p>
      )}
      <Field
        label={`Threshold in ${unit}`}
        value={amount}
        placeholder="empty: the pool's threshold"
        hint="Empty gives the account the pool's threshold again."
        wrong={!empty && smallest === null ? wrong : null}
        onChange={setAmount}
      />
    </Frame>
  );
}
