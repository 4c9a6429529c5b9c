import type { Job, NodeHealth } from "../feed/schema";
import { compact, shorten, whole } from "../format/number";
import { parseTime, span } from "../format/time";
import { Empty, Fact, Facts } from "../ui/Panel";
import { Ago } from "../ui/Time";

interface NodeProps {
  node: NodeHealth | "none";
  /** By the pool's clock. */
  now: number;
}

export function NodePanel({ node, now }: NodeProps) {
  if (node === "none") {
    return <Empty title="NO_NODE">The pool has not reached any node yet. It keeps trying those in pool.toml.</Empty>;
  }
  return (
    <>
      <p className={node.ready ? "verdict verdict-good" : "verdict verdict-bad"} data-testid="node-verdict">
        <span aria-hidden="true">{node.ready ? "✓" : "✕"}</span>
        {node.ready ? "Ready to take blocks" : `Not ready: ${node.reason ?? "no reason given"}`}
      </p>
      <Facts>
        <Fact name="node">{node.name ?? "—"}</Fact>
        <Fact name="endpoints">{whole(node.endpoint_count)}</Fact>
        <Fact name="last template">
          <Ago at={parseTime(node.last_template_at)} now={now} />
        </Fact>
        <Fact name="latency">{span(node.latency_ms)}</Fact>
      </Facts>
    </>
  );
}

/** `elapsedMs`: time since the figures arrived, so that the age goes on counting when they stop. */
export function JobPanel({ job, elapsedMs }: { job: Job | "none"; elapsedMs: number }) {
  if (job === "none") {
    return <Empty title="NO_JOB">Nothing to mine right now. A job follows as soon as the node gives a template.</Empty>;
  }
  const age = job.age_ms === null ? null : job.age_ms + Math.max(0, elapsedMs);
  return (
    <Facts>
      <Fact name="job">{shorten(job.id, 8, 6)}</Fact>
      <Fact name="algorithm">{job.algorithm ?? "—"}</Fact>
      <Fact name="height">{whole(job.height)}</Fact>
      <Fact name="age">{span(age)}</Fact>
      <Fact name="difficulty">{compact(job.network_difficulty)}</Fact>
      <Fact name="parents" wide>
        {job.parents.length === 0 && "none"}
        <span className="hash-list">
          {job.parents.map((hash) => (
            <code key={hash} title={hash}>
              {shorten(hash, 6, 6)}
            </code>
          ))}
        </span>
      </Fact>
    </Facts>
  );
}
