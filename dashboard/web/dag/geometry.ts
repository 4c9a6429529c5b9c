import type { Block } from "../feed/schema";
import type { Layout, Place } from "./layout";

/** Distances in CSS pixels. */
export const column = 78;
export const row = 74;
const margin = { left: 46, right: 46, top: 40, bottom: 52 };
/** Lanes shown even when the DAG is a plain chain, so that the panel does not change its height all the time. */
const fewestLanes = 3;

export interface Frame {
  width: number;
  height: number;
  x(place: Place): number;
  y(place: Place): number;
  /** Height of the main chain. */
  middle: number;
}

export function frameOf({ layers, lanes }: Layout): Frame {
  const spare = Math.max(0, fewestLanes - (lanes.max - lanes.min + 1));
  const top = lanes.min - Math.floor(spare / 2);
  const rows = lanes.max - lanes.min + spare;
  const y = ({ lane }: { lane: number }) => margin.top + (lane - top) * row;
  return {
    width: margin.left + margin.right + (layers.max - layers.min) * column,
    height: margin.top + margin.bottom + rows * row,
    x: (place) => margin.left + (place.layer - layers.min) * column,
    y,
    middle: y({ lane: 0 }),
  };
}

export interface Edge {
  child: string;
  /** Null for a parent that is no longer shown: a short dashed stub. */
  parent: string | null;
  /** Whether it leads to the main parent, the one whose chain orders the others. */
  main: boolean;
  path: string;
}

/** Curves from each block back to its parents. */
export function edgesOf(blocks: ReadonlyMap<string, Block>, layout: Layout, frame: Frame): Edge[] {
  const taken = new Set([...layout.places.values()].map((place) => `${place.layer}:${place.lane}`));
  const edges: Edge[] = [];
  for (const [hash, block] of blocks) {
    const to = layout.places.get(hash);
    if (!to) continue;
    const known = block.parents.filter((parent) => layout.places.has(parent));
    for (const parent of known) {
      const from = layout.places.get(parent) as Place;
      edges.push({ child: hash, parent, main: parent === block.parents[0], path: curve(from, to, frame, taken) });
    }
    if (known.length === 0 && block.parents.length > 0) {
      edges.push({
        child: hash,
        parent: null,
        main: false,
        path: `M${frame.x(to) - 36},${frame.y(to)} H${frame.x(to)}`,
      });
    }
  }
  return edges;
}

function curve(from: Place, to: Place, frame: Frame, taken: ReadonlySet<string>): string {
  const [x1, y1, x2, y2] = [frame.x(from), frame.y(from), frame.x(to), frame.y(to)];
  // An edge along a lane would run through the blocks on its way: bend it around them.
  const blocked =
    from.lane === to.lane && Array.from(between(from.layer, to.layer)).some((l) => taken.has(`${l}:${to.lane}`));
  const bend = blocked ? (from.layer % 2 === 0 ? 1 : -1) * row * 0.55 : 0;
  const reach = Math.max(column * 0.45, (x2 - x1) * 0.4);
  return `M${x1},${y1} C${x1 + reach},${y1 + bend} ${x2 - reach},${y2 + bend} ${x2},${y2}`;
}

function* between(from: number, to: number): Generator<number> {
  for (let layer = from + 1; layer < to; layer += 1) yield layer;
}
