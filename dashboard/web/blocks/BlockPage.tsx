import "./blocks.css";
import "../miner/miner.css";
import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { BlockDetails as SeenInDag } from "../dag/BlockDetails";
import { Glyph } from "../dag/Glyph";
import { getJson, NotAsked, NotThere, query } from "../feed/pages";
import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { hashrate, shorten, whole } from "../format/number";
import { parseTime } from "../format/time";
import { loadProof } from "../miner/api";
import { type Verdict, verify } from "../miner/proof";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { Copy } from "../ui/Copy";
import { PageFrame } from "../ui/PageFrame";
import { Empty, Fact, Facts, Loading, Panel } from "../ui/Panel";
import { Link, navigate } from "../ui/router";
import { Instant } from "../ui/Time";
import { colorWords } from "./BlocksPage";
import { type BlockDetails, blockDetails, type Line, type Statement, type Step, statement } from "./schema";

interface PageProps {
  hash: string;
  session: Session;
  nav: ReactNode;
}

type Answer<T> =
  | { state: "loading" }
  | { state: "failed" }
  | { state: "none" }
  | { state: "refused"; why: string }
  | { state: "shown"; found: T };

function failed(error: unknown): Answer<never> {
  if (error instanceof NotAsked) return { state: "refused", why: error.message };
  return { state: error instanceof NotThere ? "none" : "failed" };
}

/** Asks once, and again each time when `moved` is another. */
function useAnswer<T>(load: () => Promise<T>, moved: unknown): [Answer<T>, () => void] {
  const [answer, setAnswer] = useState<Answer<T>>({ state: "loading" });
  const [again, setAgain] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what moved and who asks again are what this is about
  useEffect(() => {
    let open = true;
    load()
      .then((found) => open && setAnswer({ state: "shown", found }))
      .catch((error: unknown) => {
        if (!open) return;
        setAnswer((known) => (known.state === "shown" ? known : failed(error)));
      });
    return () => {
      open = false;
    };
  }, [load, moved, again]);
  return [answer, () => setAgain((count) => count + 1)];
}

/** `[BLOCK]`: one block's life, what it paid and to whom. */
export default function BlockPage({ hash, session, nav }: PageProps) {
  const pool = usePool(session);
  const live = pool.blocks?.get(hash);
  const away = pool.stats?.stale ?? false;
  // A block that changes on the feed is asked for again: its steps are not there.
  const moved = `${live?.status} ${live?.color} ${live?.reward} ${away}`;
  const load = useCallback(
    async () => blockDetails.parse(await getJson(`/api/blocks/${encodeURIComponent(hash)}`)),
    [hash],
  );
  const [answer, again] = useAnswer(load, moved);
  const block = answer.state === "shown" ? { ...answer.found, ...(live ?? {}) } : null;
  return (
    <PageFrame
      session={session}
      nav={nav}
      title="BLOCK"
      name={`Block ${hash.slice(-8)}`}
      live
      note="Proofs are checked in this browser."
    >
      <p className="miner-name">
        <code className="hash">{hash}</code> <Copy text={hash} />
      </p>
      {answer.state === "loading" ? (
        <Panel title="BLOCK" freshness="waiting">
          <Loading what="the block" lines={6} />
        </Panel>
      ) : block ? (
        <div className="grid">
          <Panel title="WHAT_IT_IS" className="panel-half">
            <About block={block} currency={pool.currency} />
          </Panel>
          <Panel title="ITS_LIFE" className="panel-half">
            <Life steps={answer.state === "shown" ? answer.found.steps : []} reason={block.reason} />
          </Panel>
          <Panel title="STATEMENT" className="panel-whole">
            <Paid hash={hash} moved={moved} currency={pool.currency} away={away} />
          </Panel>
        </div>
      ) : live ? (
        <Panel title="SEEN_IN_THE_DAG">
          <SeenInDag
            block={live}
            blocks={pool.blocks ?? new Map()}
            currency={pool.currency}
            following
            onSelect={(parent) => parent && navigate(`/blocks/${parent}`)}
          />
          <p className="note">No miner of this pool found it, so it has no statement here.</p>
        </Panel>
      ) : (
        <Panel title="BLOCK">
          {answer.state === "none" ? (
            <Empty title="NOT_OURS">
              This pool did not find a block with this hash. Those that it found are in <Link to="/blocks">BLOCKS</Link>
              .
            </Empty>
          ) : answer.state === "refused" ? (
            <Empty title="NOT_A_HASH">
              No block has this name. The pool says: {answer.why}. Blocks that it found are in{" "}
              <Link to="/blocks">BLOCKS</Link>.
            </Empty>
          ) : (
            <Empty title={away ? "DATABASE_AWAY" : "NO_ANSWER"}>
              {away
                ? "Blocks can't be told while the database is away. Nothing of them is lost. "
                : "The pool did not tell this block. "}
              <button type="button" className="button button-small" onClick={again}>
                ASK AGAIN
              </button>
            </Empty>
          )}
        </Panel>
      )}
    </PageFrame>
  );
}

function About({ block, currency }: { block: BlockDetails; currency: Currency | null }) {
  return (
    <div className="about">
      <svg className="about-glyph" viewBox="-28 -28 56 56" aria-hidden="true" focusable="false">
        <Glyph block={block} />
      </svg>
      <Facts>
        <Fact name="status">{block.status ?? "—"}</Fact>
        <Fact name="colour">{colorWords[block.color]}</Fact>
        <Fact name={`reward ${unitOf(currency)}`}>
          {block.reward === null ? "not known yet" : money(block.reward, currency)}
        </Fact>
        <Fact name="height">{whole(block.height)}</Fact>
        <Fact name="confirmations">{whole(block.confirmations)}</Fact>
        <Fact name="algorithm">{block.algorithm ?? "—"}</Fact>
        <Fact name="work of a block">{block.network_work === null ? "—" : hashes(Number(block.network_work))}</Fact>
        <Fact name="found">
          <Instant at={parseTime(block.found_at)} />
        </Fact>
        <Fact name="found by" wide>
          {block.account ? (
            <Link to={`/miners/${encodeURIComponent(block.account)}`}>{shorten(block.account, 22, 10)}</Link>
          ) : (
            "—"
          )}
          {block.worker && `.${block.worker}`}
        </Fact>
        <Fact name="parents" wide>
          <span className="hash-list">
            {block.parents.map((parent) => (
              <Link key={parent} to={`/blocks/${parent}`}>
                {shorten(parent, 8, 8)}
              </Link>
            ))}
            {block.parents.length === 0 && "none"}
          </span>
        </Fact>
        {block.merging_block && (
          <Fact name="merged by" wide>
            <Link to={`/blocks/${block.merging_block}`}>{shorten(block.merging_block, 8, 8)}</Link>
          </Fact>
        )}
      </Facts>
    </div>
  );
}

const meanings: Record<string, string> = {
  candidate: "a share met the network's target",
  submitted: "handed to the node",
  accepted: "the node took it",
  rejected: "the node refused it",
  matured: "deep enough: its reward is certain",
  paid: "all its credits are owed or sent",
  void: "it pays nothing: red, or off the chain",
};

/** What happened to the block, oldest first. */
function Life({ steps, reason }: { steps: readonly Step[]; reason: string | null }) {
  if (steps.length === 0) return <Empty title="NO_STEPS">The pool tells no steps of this block.</Empty>;
  return (
    <ol className="life">
      {steps.map((step, index) => {
        const before = steps[index - 1];
        const turned = before !== undefined && before.color !== step.color;
        const same = before?.status === step.status;
        const lost = step.status === "rejected" || step.status === "void";
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps are only ever added
          <li key={index} className={lost ? "life-step life-lost" : "life-step"}>
            <span className="life-name">{same && turned ? `turned ${colorWords[step.color]}` : step.status}</span>
            <span className="life-text">
              {same ? (turned ? `it was ${colorWords[before.color]}` : "") : (meanings[step.status] ?? "")}
              {!same && turned && ` · ${colorWords[step.color]}`}
              {step.reason && <span className="loss"> {step.reason}</span>}
            </span>
            <span className="life-when">
              <Instant at={parseTime(step.at)} />
            </span>
          </li>
        );
      })}
      {reason && !steps.some((step) => step.reason === reason) && <li className="note loss">{reason}</li>}
    </ol>
  );
}

interface PaidProps {
  hash: string;
  /** Another one: ask again. */
  moved: string;
  currency: Currency | null;
  away: boolean;
}

const pageSize = 25;

/** Who is paid for the block, by which shares. */
function Paid({ hash, moved, currency, away }: PaidProps) {
  const ask = useCallback(
    async (cursor: string | null) => {
      const path = query(`/api/blocks/${hash}/statement`, { limit: pageSize, cursor });
      return statement.parse(await getJson(path));
    },
    [hash],
  );
  const first = useCallback(() => ask(null), [ask]);
  const [answer, again] = useAnswer(first, moved);
  const [more, setMore] = useState<{ items: Line[]; next: string | null } | null>(null);
  const [failed, setFailed] = useState(false);
  const asked = useRef(false);
  // Amounts of what was listed further down may have changed with the block.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a block that has moved is what this is about
  useEffect(() => setMore(null), [moved]);
  if (answer.state === "loading") return <Loading what="the statement" lines={5} />;
  if (answer.state === "none")
    return (
      <Empty title="NO_STATEMENT">
        A block has a statement from the moment on that the ledger has taken it in; a refused one has none.
      </Empty>
    );
  if (answer.state !== "shown")
    return (
      <Empty title={away ? "DATABASE_AWAY" : "NO_ANSWER"}>
        {away ? "Statements can't be told while the database is away. " : "The pool did not tell the statement. "}
        <button type="button" className="button button-small" onClick={again}>
          ASK AGAIN
        </button>
      </Empty>
    );
  const { found } = answer;
  const lines = [...found.items, ...(more?.items ?? [])];
  const next = more === null ? found.next : more.next;
  const older = async () => {
    if (asked.current) return;
    asked.current = true;
    try {
      const page = await ask(next);
      setMore({ items: [...(more?.items ?? []), ...page.items], next: page.next });
      setFailed(false);
    } catch {
      setFailed(true);
    } finally {
      asked.current = false;
    }
  };
  return (
    <div className="statement-whole">
      <Facts>
        <Fact name="scheme">
          {found.scheme.toUpperCase()}
          {found.factor_basis_points !== null && ` × ${found.factor_basis_points / 10_000}`}
        </Fact>
        <Fact name="fee">{`${found.fee_basis_points / 100}%`}</Fact>
        <Fact name="shares">
          {found.shares.first === null ? "—" : whole(found.shares.first)} to {whole(found.shares.last)}
        </Fact>
        <Fact name="accounts">{whole(found.accounts)}</Fact>
        <Fact name={`reward ${unitOf(currency)}`}>{money(found.reward, currency)}</Fact>
        <Fact name={`merged reds ${unitOf(currency)}`}>{money(found.red_merge_income, currency)}</Fact>
        <Fact name="root" wide>
          <code className="hash">{found.root}</code> <Copy text={found.root} what="the root" />
        </Fact>
      </Facts>
      <div className="table-scroll table-long">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">account</th>
              <th scope="col" className="col-number">
                work
              </th>
              <th scope="col" className="col-number">
                amount {unitOf(currency)}
              </th>
              <th scope="col">proof</th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line) => (
              <PaidLine key={line.index} line={line} statement={found} currency={currency} />
            ))}
          </tbody>
        </table>
      </div>
      {failed && (
        <p className="note warn" role="status">
          The pool did not tell more of it.
        </p>
      )}
      {next !== null && (
        <button type="button" className="button button-quiet" onClick={() => void older()}>
          {`MORE (${whole(found.accounts - lines.length)} left)`}
        </button>
      )}
    </div>
  );
}

/** 187_000_000_000 -> 187.0 GH */
function hashes(work: number): string {
  const { value, unit } = hashrate(work);
  return `${value} ${unit.replace("/s", "")}`;
}

/** Work of the window in percent, for reading only. */
export function shareOf(work: string, total: string): string {
  const all = BigInt(total);
  const hundredths = all === 0n ? 0n : (BigInt(work) * 10_000n) / all;
  return `${(Number(hundredths) / 100).toFixed(2)}%`;
}

interface LineProps {
  line: Line;
  statement: Statement;
  currency: Currency | null;
}

function PaidLine({ line, statement, currency }: LineProps) {
  const [verdict, setVerdict] = useState<Verdict | "asking" | null>(null);
  const check = async () => {
    setVerdict("asking");
    try {
      setVerdict(verify(await loadProof(statement.block, line.account), statement.root));
    } catch {
      setVerdict({ valid: false, reason: "the pool did not tell the proof" });
    }
  };
  const file = query(`/api/blocks/${statement.block}/proof`, { account: line.account });
  return (
    <tr>
      <th scope="row">
        <Link to={`/miners/${encodeURIComponent(line.account)}`}>
          <span className="wide-only" title={line.account}>
            {shorten(line.account, 18, 8)}
          </span>
          <span className="narrow-only">{shorten(line.account.replace(/^.*:/, ""), 4, 5)}</span>
        </Link>
      </th>
      <td className="col-number">{shareOf(line.work, statement.total_work)}</td>
      <td className="col-number">{money(line.amount, currency)}</td>
      <td className="proof-cell">
        {verdict === null || verdict === "asking" ? (
          <button
            type="button"
            className="button button-small"
            disabled={verdict === "asking"}
            aria-label={`Verify the line of ${line.account}`}
            onClick={() => void check()}
          >
            VERIFY
          </button>
        ) : (
          <span role="status" className={verdict.valid ? "proof-good" : "proof-bad"}>
            {verdict.valid ? "✓ checked" : `✕ ${verdict.reason}`}
          </span>
        )}
        <a className="proof-file" href={file} download="proof.json" aria-label={`Proof file of ${line.account}`}>
          file
        </a>
      </td>
    </tr>
  );
}
