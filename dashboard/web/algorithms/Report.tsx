import { hashrateText } from "../format/number";
import { Empty } from "../ui/Panel";
import type { Benchmark, Check } from "./schema";

interface ReportProps {
  checks: readonly Check[] | null;
  benchmark: Benchmark | null;
  warnings: readonly string[];
  nextSteps: readonly string[];
}

/** Below this part of the expected hash rate the pool warns. */
const scoreFloor = 0.8;

function markOf({ ok, severity }: Check): { mark: string; tone: string; word: string } {
  if (severity === "warning") return { mark: "!", tone: "warning", word: "warning" };
  return ok ? { mark: "✓", tone: "good", word: "passed" } : { mark: "✕", tone: "bad", word: "failed" };
}

/** `test_vectors` as words. */
const wordsOf = (check: string) => check.replaceAll("_", " ");

/** What staging found: each check with its finding, the benchmark, warnings, what to do next. */
export function Report({ checks, benchmark, warnings, nextSteps }: ReportProps) {
  if (checks === null && benchmark === null) {
    return <Empty title="NO_REPORT">The pool keeps no report of this package. Stage it again to see one.</Empty>;
  }
  return (
    <div className="report">
      {checks && (
        <div className="report-checks">
          <Checks checks={checks} />
        </div>
      )}
      <div className="report-side">
        {benchmark && <Score benchmark={benchmark} />}
        {warnings.length > 0 && (
          <>
            <h3 className="sub">WARNINGS</h3>
            <ul className="notes notes-warning">
              {warnings.map((warning) => (
                <li key={warning}>{warning}</li>
              ))}
            </ul>
          </>
        )}
        {nextSteps.length > 0 && (
          <>
            <h3 className="sub">NEXT_STEPS</h3>
            <ol className="notes notes-steps">
              {nextSteps.map((step) => (
                <li key={step}>{step}</li>
              ))}
            </ol>
          </>
        )}
      </div>
    </div>
  );
}

function Score({ benchmark }: { benchmark: Benchmark }) {
  const { performance_score: score, hashrate, expected } = benchmark;
  // A package that promises nothing can't fall short of it.
  if (!expected) {
    return (
      <>
        <h3 className="sub">BENCHMARK</h3>
        <p className="score">{hashrateText(hashrate)}</p>
        <p className="note">The manifest names no expected hash rate.</p>
      </>
    );
  }
  const slow = score !== null && score < scoreFloor;
  // The scale ends at twice what was expected.
  const part = Math.min(100, ((score ?? 0) / 2) * 100);
  return (
    <>
      <h3 className="sub">BENCHMARK</h3>
      <p className={slow ? "score score-slow" : "score"}>
        {score === null ? "—" : score.toFixed(2)}
        <span className="score-note">{slow ? "× expected: slower than it says" : "× expected"}</span>
      </p>
      <div className="scale" aria-hidden="true">
        <span className={slow ? "bar-fill bar-fill-warning" : "bar-fill"} style={{ width: `${part}%` }} />
        <span className="scale-mark" style={{ left: `${(scoreFloor / 2) * 100}%` }} />
      </div>
      <p className="note">
        {`measured ${hashrateText(hashrate)}, manifest says ${hashrateText(expected)}; below ${scoreFloor} is a warning`}
      </p>
    </>
  );
}

/** Each check with what it found. */
export function Checks({ checks }: { checks: readonly Check[] }) {
  const passed = checks.filter((check) => check.ok).length;
  return (
    <>
      <h3 className="sub">
        VALIDATION <span className="sub-note">{`${passed} of ${checks.length} checks passed`}</span>
      </h3>
      <ol className="checks">
        {checks.map((check) => {
          const { mark, tone, word } = markOf(check);
          return (
            <li key={check.check} className={`check check-${tone}`}>
              <span className="check-mark" aria-hidden="true">
                {mark}
              </span>
              <span className="check-name">
                {wordsOf(check.check)}
                <span className="visually-hidden"> {word}:</span>
              </span>
              <span className="check-message">{check.message}</span>
              {tone !== "good" && (
                <span className={`tag severity-${check.severity}`}>{check.code ?? check.severity}</span>
              )}
            </li>
          );
        })}
      </ol>
    </>
  );
}
