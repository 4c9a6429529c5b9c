import { useEffect, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import type { Currency } from "../feed/schema";
import { money, parseMoney, unitOf } from "../format/money";
import { Field, Frame } from "../ui/Ask";
import { Loading } from "../ui/Panel";
import { useNotify } from "../ui/Toasts";
import type { Account } from "./account";

interface Props {
  account: Account;
  address: string;
  onClose: () => void;
}

interface Known {
  currency: Currency;
  /** What the pool pays from; null where nothing is paid out. */
  pool: string | null;
}

/** `[PAID_FROM]`: the balance from which an address of one's own is paid. */
export function PaidFrom({ account, address, onClose }: Props) {
  const [known, setKnown] = useState<Known | null>(null);
  const [amount, setAmount] = useState("");
  const [failure, setFailure] = useState<Failure | null>(null);
  const notify = useNotify();
  useEffect(() => {
    void Promise.all([account.api.settings(address), account.api.currency()]).then(([settings, figures]) => {
      if (!settings.ok) return setFailure(settings.failure);
      if (!figures.ok) return setFailure(figures.failure);
      const { currency } = figures.value.pool;
      const { threshold, pool_threshold } = settings.value;
      setKnown({ currency, pool: pool_threshold });
      if (threshold !== null) setAmount(money(threshold, currency).replaceAll(",", ""));
    });
  }, [account, address]);
  const currency = known?.currency ?? null;
  const smallest = parseMoney(amount, currency);
  const empty = amount.trim() === "";
  const least = known?.pool ?? null;
  const low = smallest !== null && least !== null && BigInt(smallest) < BigInt(least);
  const wrong = () => {
    if (empty || known === null) return null;
    if (smallest === null) return `Write an amount above 0 with at most ${known.currency.decimals} decimals.`;
    return low ? `At least ${money(least, currency)}, from which the pool pays everybody.` : null;
  };
  const keep = async () => {
    const answer = await account.api.setThreshold(address, empty ? null : smallest);
    if (!answer.ok) return answer.failure;
    const from = empty ? "The pool's threshold holds." : `Paid from ${amount.trim()} ${unitOf(currency)} on.`;
    notify("success", from, "paid-from");
    onClose();
    return null;
  };
  const ready = known !== null && wrong() === null;
  return (
    <Frame title="PAID_FROM" act={empty ? "USE THE POOL'S" : "KEEP"} ready={ready} onAct={keep} onClose={onClose}>
      <p className="note break own-of">
        Of <strong>{address}</strong>
      </p>
      {failure && <FailureCard failure={failure} />}
      {known === null && failure === null && <Loading what="from what it is paid" />}
      {known && (
        <Field
          label={`Paid from, in ${unitOf(known.currency)}`}
          value={amount}
          numeric
          placeholder={known.pool === null ? "the pool's threshold" : money(known.pool, known.currency)}
          hint="Empty: the pool's threshold. A higher one means fewer, larger payouts."
          wrong={wrong()}
          onChange={setAmount}
        />
      )}
    </Frame>
  );
}
