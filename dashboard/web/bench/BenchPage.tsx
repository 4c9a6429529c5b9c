import "../algorithms/algorithms.css";
import "./bench.css";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { PageFrame } from "../account/Frame";
import { Dropzone } from "../algorithms/Dropzone";
import { FailureCard } from "../algorithms/FailureCard";
import { failure } from "../algorithms/failure";
import { bytes, hashrateText, whole } from "../format/number";
import type { Session } from "../state/session";
import { Copy } from "../ui/Copy";
import { Empty, Fact, Facts, Panel } from "../ui/Panel";
import { apply, type Bench, begin, isOver, type Runner, start, wrongMax } from "./bench";
import type { Measured, WrongVector } from "./run";

interface PageProps {
  session: Session;
  nav: ReactNode;
  open?: () => Runner;
}

const openWorker = (): Runner => new Worker(new URL("./bench-worker.ts", import.meta.url), { type: "module" });

/** `[PACKAGE_BENCH]`: a package's own vectors and benchmark, run in this browser; nothing is sent to the pool. */
export default function BenchPage({ session, nav, open = openWorker }: PageProps) {
  const [bench, setBench] = useState<Bench | null>(null);
  const stop = useRef<(() => void) | null>(null);
  useEffect(() => {
    return () => stop.current?.();
  }, []);
  const run = async (file: File) => {
    stop.current?.();
    setBench(begin(file.name));
    const content = await file.arrayBuffer();
    stop.current = start(content, open, (news) => setBench((known) => known && apply(known, news)));
  };
  return (
    <PageFrame session={session} nav={nav} title="PACKAGE_BENCH" name="Package bench">
      <div className="grid">
        <Panel title="PACKAGE" className="panel-half">
          <Dropzone
            note="It is read and run in this browser; nothing is sent anywhere"
            closed={bench !== null && !isOver(bench)}
            onFile={(file) => void run(file)}
          />
          {bench && <About bench={bench} />}
        </Panel>
        <Panel title="RESULT" className="panel-half">
          {bench ? (
            <Result bench={bench} />
          ) : (
            <Empty title="NOTHING_RUN">
              Choose a package: its module is compiled here and has to give every known answer, the same in two
              instances and in batches, and is then measured for two seconds.
            </Empty>
          )}
        </Panel>
      </div>
    </PageFrame>
  );
}

function About({ bench: { opened, file } }: { bench: Bench }) {
  if (!opened) return <p className="note">{file}</p>;
  const { manifest, entries, signed, digest } = opened;
  return (
    <div className="bench-about">
      <p className="deploy-name">
        {manifest.name} {manifest.version}
      </p>
      {manifest.description && <p className="note">{manifest.description}</p>}
      <Facts>
        <Fact name="function">{manifest.algorithm?.hash_function ?? "—"}</Fact>
        <Fact name="author">{manifest.author ?? "—"}</Fact>
        <Fact name="license">{manifest.license ?? "—"}</Fact>
        <Fact name="signature">{signed ? "there (the pool checks it)" : <span className="warn">MISSING</span>}</Fact>
        {digest && (
          <Fact name="digest" wide>
            <code className="hash">{digest}</code> <Copy text={digest} what="the digest" />
          </Fact>
        )}
      </Facts>
      <ul className="bench-entries" aria-label="Entries">
        {entries.map(({ name, size }) => (
          <li key={name}>
            <code>{name}</code> <span>{bytes(size)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface StepProps {
  state: "waiting" | "running" | "good" | "bad";
  name: string;
  children: ReactNode;
}

const marks = { waiting: "○", running: "▶", good: "✓", bad: "✕" } as const;
const tones = { waiting: "quiet", running: "running", good: "good", bad: "bad" } as const;

function Step({ state, name, children }: StepProps) {
  return (
    <li className={`check check-${tones[state]}`}>
      <span className="check-mark" aria-hidden="true">
        {marks[state]}
      </span>
      <span className="check-name">
        {name}
        <span className="visually-hidden"> {state}:</span>
      </span>
      <span className="check-message">{children}</span>
    </li>
  );
}

function Result({ bench }: { bench: Bench }) {
  const { opened, loaded, vectors, determinism, measured, measuring, failed } = bench;
  const over = isOver(bench);
  const next = (known: boolean): StepProps["state"] => (known ? "good" : over ? "waiting" : "running");
  const wrong = vectors?.wrong ?? [];
  const counted = vectors !== null && vectors.done === vectors.total;
  return (
    <div className="bench-result" aria-live="polite">
      <ol className="checks">
        <Step state={next(opened !== null)} name="container">
          {opened ? `${opened.entries.length} entries within the limits` : "reading"}
        </Step>
        <Step state={next(loaded !== null)} name="module">
          {loaded ? `${loaded.name} ${loaded.version}, compiled, imports nothing` : "compiling"}
        </Step>
        <Step state={wrong.length > 0 ? "bad" : next(counted)} name="vectors">
          {vectors
            ? `${whole(vectors.done)} of ${whole(vectors.total)} run, ${wrong.length === wrongMax ? `${wrongMax} or more` : wrong.length || "none"} wrong`
            : "known answers"}
        </Step>
        <Step state={determinism?.differing ? "bad" : next(determinism !== null)} name="determinism">
          {determinism
            ? determinism.differing
              ? "two instances, or a batch, gave other hashes"
              : `${whole(determinism.inputs)} inputs, two instances and a batch: the same hashes`
            : "two instances, and a batch"}
        </Step>
        <Step state={next(measured !== null)} name="benchmark">
          {measured
            ? `${whole(measured.hashes)} hashes in ${measured.seconds.toFixed(1)} s`
            : measuring
              ? "measuring…"
              : "speed"}
        </Step>
      </ol>
      {wrong.map((one) => (
        <Wrong key={one.index} wrong={one} />
      ))}
      {determinism?.differing && <Proof rows={[["input", determinism.differing]]} />}
      {measured && <Speed measured={measured} />}
      {failed && <FailureCard failure={failure("refused", failed.code, failed.message, advice)} />}
    </div>
  );
}

const advice = [
  { action: "See all that is wrong with it", command: "dagpool algorithm inspect PACKAGE", priority: "high" },
] as const;

function Wrong({ wrong }: { wrong: WrongVector }) {
  return (
    <div className="reason">
      <p className="rejected">
        Vector {wrong.index + 1}
        {wrong.comment && ` (${wrong.comment})`} came out wrong.
      </p>
      <Proof
        rows={[
          ["input", wrong.input],
          ["expected", wrong.expected],
          ["got", wrong.got],
        ]}
      />
    </div>
  );
}

function Proof({ rows }: { rows: readonly (readonly [string, string])[] }) {
  return (
    <dl className="proof">
      {rows.map(([name, hex]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <code>{hex}</code>
            <Copy text={hex} what={`the ${name}`} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Speed({ measured: { hashrate, expected, batch } }: { measured: Measured }) {
  return (
    <div>
      <h3 className="sub">IN_THIS_BROWSER</h3>
      <p className="score">
        {hashrateText(hashrate)}
        <span className="score-note">
          {`one thread, batches of ${batch}`}
          {expected !== null && ` · the package says ${hashrateText(expected)}`}
        </span>
      </p>
      <p className="note">
        Another machine and another compiler than the pool's: the score that counts is that of staging.
      </p>
    </div>
  );
}
