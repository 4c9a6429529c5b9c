import { useCallback, useEffect, useId, useRef, useState } from "react";
import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { shorten, whole } from "../format/number";
import { parseTime } from "../format/time";
import { Copy } from "../ui/Copy";
import { Empty, Fact, Facts, Loading } from "../ui/Panel";
import { Instant } from "../ui/Time";
import { loadEarnings, loadProof, loadStatement, NotThere } from "./api";
import { type Verdict, verify } from "./proof";
import type { Earning, Proof, Statement } from "./schema";

interface EarningsProps {
  account: string;
  currency: Currency | null;
}

interface ListProps extends EarningsProps {
  /** The database is away; asked again by itself when it is back. */
  away: boolean;
}

interface Listed {
  items: Earning[];
  next: string | null;
}

/** Every credit of the account, newest first; one opens to its block's statement and proof. */
export function Earnings({ account, currency, away }: ListProps) {
  const [listed, setListed] = useState<Listed | "loading" | "failed" | "unserved">("loading");
  const [open, setOpen] = useState<string | null>(null);
  const more = useCallback(
    async (known: Listed | null) => {
      try {
        const page = await loadEarnings(account, known?.next ?? null);
        setListed({ items: [...(known?.items ?? []), ...page.items], next: page.next });
      } catch (error) {
        setListed(error instanceof NotThere ? "unserved" : "failed");
      }
    },
    [account],
  );
  useEffect(() => {
    void more(null);
  }, [more]);
  const wasAway = useRef(away);
  useEffect(() => {
    if (wasAway.current && !away) void more(null);
    wasAway.current = away;
  }, [away, more]);
  if (listed === "loading") return <Loading what="earnings" lines={5} />;
  if (listed === "unserved") return <Empty title="NOT_SERVED">This pool serves no earnings of accounts.</Empty>;
  if (listed === "failed") {
    return (
      <Empty title={away ? "DATABASE_AWAY" : "NO_ANSWER"}>
        {away
          ? "The earnings can't be told while the database is away. Nothing of them is lost. "
          : "The pool did not tell the earnings. "}
        <button type="button" className="button button-small" onClick={() => void more(null)}>
          ASK AGAIN
        </button>
      </Empty>
    );
  }
  if (listed.items.length === 0)
    return <Empty title="NO_EARNINGS">Each block that this account worked for is listed here, with its proof.</Empty>;
  return (
    <>
      <ul className="credits">
        {listed.items.map((one) => (
          <Credit
            key={one.id}
            credit={one}
            account={account}
            currency={currency}
            open={open === one.id}
            onToggle={() => setOpen(open === one.id ? null : one.id)}
          />
        ))}
      </ul>
      {listed.next !== null && (
        <button type="button" className="button button-quiet" onClick={() => void more(listed)}>
          OLDER
        </button>
      )}
    </>
  );
}

const tones = { pending: "tag tag-warning", confirmed: "tag tag-good", voided: "tag tag-red" } as const;

interface CreditProps extends EarningsProps {
  credit: Earning;
  open: boolean;
  onToggle: () => void;
}

function Credit({ credit, account, currency, open, onToggle }: CreditProps) {
  const id = useId();
  return (
    <li className="credit">
      <button type="button" className="credit-head" aria-expanded={open} aria-controls={id} onClick={onToggle}>
        <span className="credit-open" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
        <span className="credit-block">
          block {shorten(credit.block)}
          {credit.income === "red_merge" && <span className="credit-income"> · merged reds</span>}
        </span>
        <span className={credit.state === "voided" ? "credit-amount credit-void" : "credit-amount"}>
          {money(credit.amount, currency)} <span className="unit">{unitOf(currency)}</span>
        </span>
        <span className={tones[credit.state]}>{credit.state.toUpperCase()}</span>
        <span className="credit-when">
          <Instant at={parseTime(credit.credited_at)} />
        </span>
      </button>
      {open && (
        <div id={id}>
          <Details block={credit.block} account={account} currency={currency} />
        </div>
      )}
    </li>
  );
}

type Answer = { statement: Statement; proof: Proof } | "loading" | "failed";

function Details({ block, account, currency }: { block: string } & EarningsProps) {
  const [answer, setAnswer] = useState<Answer>("loading");
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  useEffect(() => {
    let shown = true;
    Promise.all([loadStatement(block), loadProof(block, account)])
      .then(([statement, proof]) => shown && setAnswer({ statement, proof }))
      .catch(() => shown && setAnswer("failed"));
    return () => {
      shown = false;
    };
  }, [block, account]);
  if (answer === "loading") return <Loading what="statement" />;
  if (answer === "failed") return <Empty title="NO_ANSWER">The pool did not tell this block's statement.</Empty>;
  const { statement, proof } = answer;
  return (
    <div className="statement">
      <p className="credit-id">
        <code className="hash">{block}</code> <Copy text={block} />
      </p>
      <Facts>
        <Fact name="scheme">
          {statement.scheme.toUpperCase()}
          {statement.factor_basis_points !== null && ` × ${statement.factor_basis_points / 10_000}`}
        </Fact>
        <Fact name="fee">{`${statement.fee_basis_points / 100}%`}</Fact>
        <Fact name="shares">
          {statement.shares.first === null ? "—" : whole(statement.shares.first)} to {whole(statement.shares.last)}
        </Fact>
        <Fact name="accounts">{whole(statement.accounts)}</Fact>
        <Fact name={`reward ${unitOf(currency)}`}>{money(statement.reward, currency)}</Fact>
        <Fact name={`merged reds ${unitOf(currency)}`}>{money(statement.red_merge_income, currency)}</Fact>
        <Fact name={`your part ${unitOf(currency)}`}>{money(proof.reward_part, currency)}</Fact>
        <Fact name="your work">{workShare(proof)}</Fact>
        <Fact name="root" wide>
          <code className="hash">{statement.root}</code> <Copy text={statement.root} what="the root" />
        </Fact>
      </Facts>
      <div className="verify">
        <button type="button" className="button" onClick={() => setVerdict(verify(proof, statement.root))}>
          VERIFY
        </button>
        <a
          className="button button-small"
          href={`/api/blocks/${block}/proof?account=${encodeURIComponent(account)}`}
          download="proof.json"
        >
          PROOF FILE
        </a>
        <p
          role="status"
          className={verdict === null ? "note" : verdict.valid ? "verdict verdict-good" : "verdict verdict-bad"}
        >
          {verdict === null ? (
            "Checks in this browser that your work is in the block's root and that the amount follows from it."
          ) : verdict.valid ? (
            <>
              <span aria-hidden="true">✓</span> Your line is below this root, and the amount is your share of the
              reward.
            </>
          ) : (
            <>
              <span aria-hidden="true">✕</span> Not valid: {verdict.reason}
            </>
          )}
        </p>
      </div>
    </div>
  );
}

/** Work of the window in percent, for reading only. */
function workShare({ work, total_work }: Proof): string {
  const total = BigInt(total_work);
  const hundredths = total === 0n ? 0n : (BigInt(work) * 10_000n) / total;
  return `${(Number(hundredths) / 100).toFixed(2)}% of the window`;
}
