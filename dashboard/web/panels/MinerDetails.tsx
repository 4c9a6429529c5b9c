import { useEffect, useState } from "react";
import { loadMiner } from "../feed/rest";
import type { Currency, MinerDetails as Details } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { hashrateText, whole } from "../format/number";
import { parseTime } from "../format/time";
import { Compact } from "../ui/Compact";
import { Empty, Fact, Facts, Loading } from "../ui/Panel";
import { Link } from "../ui/router";
import { Ago } from "../ui/Time";

type Answer = { state: "loading" } | { state: "failed" } | { state: "shown"; details: Details };

/** While it is open, it is asked for again at this pace: the feed does not carry single workers. */
const refreshMs = 5_000;

function useMiner(account: string): Answer {
  const [answer, setAnswer] = useState<Answer>({ state: "loading" });
  useEffect(() => {
    let open = true;
    const ask = async () => {
      try {
        const details = await loadMiner(account);
        if (open) setAnswer({ state: "shown", details });
      } catch {
        if (open) setAnswer({ state: "failed" });
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), refreshMs);
    return () => {
      open = false;
      clearInterval(timer);
    };
  }, [account]);
  return answer;
}

interface DetailsProps {
  account: string;
  currency: Currency | null;
  /** By the pool's clock. */
  now: number;
}

/** The workers and the balance of one account. */
export function MinerDetails({ account, currency, now }: DetailsProps) {
  const answer = useMiner(account);
  if (answer.state === "loading") return <Loading what="workers" />;
  if (answer.state === "failed") {
    return <Empty title="NO_ANSWER">The pool does not answer for this account. Asking again every 5 s.</Empty>;
  }
  const { workers, balance } = answer.details;
  return (
    <div className="miner-details">
      <p className="miner-account">
        {account} <Link to={`/miners/${encodeURIComponent(account)}`}>earnings and proofs</Link>
      </p>
      {balance && (
        <Facts>
          {(["pending", "confirmed", "paid"] as const).map((key) => (
            <Fact key={key} name={`${key} ${unitOf(currency)}`}>
              {money(balance[key], currency)}
            </Fact>
          ))}
        </Facts>
      )}
      <ul className="workers" aria-label={`Workers of ${account}`}>
        {workers.map((worker, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two sessions may carry the same worker name
          <li key={`${worker.name}-${index}`}>
            <strong>{worker.name || "unnamed"}</strong>
            <span>{hashrateText(worker.hashrate)}</span>
            <span>
              difficulty <Compact value={worker.difficulty} />
            </span>
            <span>
              {whole(worker.shares.accepted)} accepted, {whole(worker.shares.rejected)} rejected
            </span>
            <span>
              last share <Ago at={parseTime(worker.last_share_at)} now={now} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
