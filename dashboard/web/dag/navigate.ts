import type { Block } from "../feed/schema";
import type { Layout } from "./layout";

/** Where a key leads from a block: left to a parent, right to a child, up and down within the column, ends by Home and End. */
export function neighbour(
  key: string,
  from: string,
  blocks: ReadonlyMap<string, Block>,
  { places }: Pick<Layout, "places">,
): string | null {
  const here = places.get(from);
  const block = blocks.get(from);
  if (!here || !block) return null;
  const near = (hashes: readonly string[]) => nearest(hashes, here.lane, places);
  const all = [...places.keys()];
  switch (key) {
    case "ArrowLeft":
      return near(block.parents) ?? near(all.filter((hash) => layerOf(hash) === closestLayer(-1)));
    case "ArrowRight": {
      const children = all.filter((hash) => blocks.get(hash)?.parents.includes(from));
      return near(children) ?? near(all.filter((hash) => layerOf(hash) === closestLayer(1)));
    }
    case "ArrowUp":
      return near(column().filter((hash) => laneOf(hash) < here.lane));
    case "ArrowDown":
      return near(column().filter((hash) => laneOf(hash) > here.lane));
    case "Home":
      return extreme(-1);
    case "End":
      return extreme(1);
    default:
      return null;
  }

  function layerOf(hash: string): number {
    return places.get(hash)?.layer ?? 0;
  }
  function laneOf(hash: string): number {
    return places.get(hash)?.lane ?? 0;
  }
  function column(): string[] {
    return all.filter((hash) => hash !== from && layerOf(hash) === here?.layer);
  }
  function closestLayer(direction: 1 | -1): number | null {
    const own = here?.layer ?? 0;
    const beyond = all.map(layerOf).filter((layer) => (layer - own) * direction > 0);
    if (beyond.length === 0) return null;
    return direction === 1 ? Math.min(...beyond) : Math.max(...beyond);
  }
  function extreme(direction: 1 | -1): string | null {
    const layers = all.map(layerOf);
    const end = direction === 1 ? Math.max(...layers) : Math.min(...layers);
    return nearest(
      all.filter((hash) => layerOf(hash) === end),
      0,
      places,
    );
  }
}

function nearest(hashes: readonly string[], lane: number, places: Layout["places"]): string | null {
  let best: string | null = null;
  let distance = Infinity;
  for (const hash of hashes) {
    const place = places.get(hash);
    if (place && Math.abs(place.lane - lane) < distance) {
      best = hash;
      distance = Math.abs(place.lane - lane);
    }
  }
  return best;
}
