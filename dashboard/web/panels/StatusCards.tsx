import type { Stats } from "../feed/schema";
import { compact, exact, hashrate, hashrateText, percent, plural, whole } from "../format/number";
import { Card } from "../ui/Card";
import type { Freshness } from "../ui/Panel";

/** Blocks per second, said in the unit that leaves a readable number. */
export function blockRate(perSecond: number | null): string {
  if (perSecond === null || perSecond <= 0) return "block rate unknown";
  if (perSecond >= 0.5) return `${perSecond.toFixed(1)} blocks/s`;
  if (perSecond * 60 >= 0.5) return `${(perSecond * 60).toFixed(1)} blocks/min`;
  return `${(perSecond * 3600).toFixed(1)} blocks/h`;
}

/** Both are estimates over spans of their own: a small network may seem to have less than its pool, which is no share to show. */
function ofNetwork(pool: number | undefined, network: number | null | undefined): string {
  if (!network) return "network hash rate unknown";
  const all = `network ${hashrateText(network)}`;
  return pool !== undefined && pool <= network ? `${percent(pool, network)} of ${all}` : all;
}

interface CardsProps {
  stats: Stats | null;
  freshness: Freshness;
  /** Of what only the database knows. */
  books?: Freshness;
}

/** 12_500 -> 125% */
function part(basisPoints: number): string {
  const percent = basisPoints / 100;
  return `${percent < 100 ? percent.toFixed(1) : Math.round(percent)}%`;
}

/** A tenth of a block matters while they are few. */
function expectedText(blocks: number): string {
  if (blocks < 0.1) return "less than 0.1";
  return blocks < 100 ? blocks.toFixed(1) : whole(Math.round(blocks));
}

/** Of a hundred blocks five take more than three times the work to be expected. */
const longEffort = 30_000;

/** So much of the shares is lost nowhere by chance. */
const manyRejected = 0.05;

/** Fewer blocks than chance alone explains: three standard deviations below what was to be expected. */
export function unlucky({ found, expected_millionths }: { found: number; expected_millionths: number }): boolean {
  const expected = expected_millionths / 1e6;
  return expected - found > 3 * Math.sqrt(expected);
}

type Pool = Stats["pool"];

/** How far the block is that is worked on, and how all went since the pool began to count. */
function EffortAndLuck({ pool, freshness }: { pool: Pool | undefined; freshness: Freshness }) {
  const effort = pool?.effort_basis_points ?? null;
  const luck = pool?.luck ?? null;
  return (
    <>
      <Card
        icon="shares"
        label="EFFORT"
        value={effort === null ? "—" : part(effort)}
        tone={effort !== null && effort > longEffort ? "warning" : "good"}
        freshness={freshness}
        testId="effort"
      >
        {effort === null ? "a block's work is unknown" : "of a block's work since our last"}
      </Card>
      <Card
        icon="health"
        label="LUCK"
        value={luck?.basis_points === undefined || luck.basis_points === null ? "—" : part(luck.basis_points)}
        tone={luck !== null && unlucky(luck) ? "warning" : "good"}
        freshness={freshness}
        testId="luck"
      >
        {luck === null
          ? "not known yet"
          : `${whole(luck.found)} found of ${expectedText(luck.expected_millionths / 1e6)} expected`}
      </Card>
    </>
  );
}

/** The figures that an operator looks at first. */
export function StatusCards({ stats, freshness, books = freshness }: CardsProps) {
  const pool = stats?.pool;
  const network = stats?.network;
  const blocks = stats?.blocks;
  const rate = hashrate(pool?.hashrate);
  const judged = (pool?.shares.accepted ?? 0) + (pool?.shares.rejected ?? 0);
  return (
    <ul className="cards cards-eight" aria-label="Key figures">
      <Card
        icon="hashrate"
        label="POOL_HASHRATE"
        value={rate.value}
        unit={rate.unit}
        freshness={freshness}
        testId="hashrate"
      >
        {ofNetwork(pool?.hashrate, network?.hashrate)}
      </Card>
      <Card
        icon="shares"
        label="SHARES"
        value={compact(pool?.shares_per_second)}
        unit="/s"
        tone={judged > 0 && (pool?.shares.rejected ?? 0) / judged > manyRejected ? "warning" : "good"}
        freshness={freshness}
        testId="shares-rate"
      >
        {whole(pool?.shares.accepted)} accepted
        {judged > 0 && ` (${percent(pool?.shares.accepted ?? 0, judged)})`}
      </Card>
      <Card icon="miners" label="MINERS" value={whole(pool?.miners)} freshness={freshness} testId="miners">
        {plural(pool?.workers ?? 0, "worker")} connected
      </Card>
      <Card
        icon="network"
        label="NET_DIFFICULTY"
        value={compact(network?.difficulty)}
        full={typeof network?.difficulty === "number" ? exact(network.difficulty) : undefined}
        freshness={freshness}
        testId="difficulty"
      >
        {blockRate(network?.block_rate ?? null)}
      </Card>
      <EffortAndLuck pool={pool} freshness={freshness} />
      <Card icon="blocks" label="BLOCKS_FOUND" value={whole(blocks?.candidate)} freshness={books} testId="blocks-found">
        {whole(blocks?.blue)} blue · {whole(blocks?.red)} red
      </Card>
      <Card
        icon="conversion"
        label="PAID_CONVERSION"
        value={percent(blocks?.paid ?? 0, blocks?.candidate ?? 0) ?? "—"}
        freshness={books}
        testId="conversion"
      >
        {whole(blocks?.paid)} of {plural(blocks?.candidate ?? 0, "block")} paid
      </Card>
    </ul>
  );
}
