import type { Book } from "./book";
import { column, row } from "./geometry";
import type { Place } from "./layout";

export const zoomLimits = { min: 0.1, max: 2 } as const;
/** Between the newest block and the right end, CSS pixels. */
const rightMargin = 64;
/** Of the time axis at the bottom. */
export const axisHeight = 30;

export interface Size {
  width: number;
  height: number;
}

/** What part of the DAG is seen: the world's units are those of the small view (a column is 78, a row 74). */
export interface View {
  scale: number;
  /** The world's x at the right end of the canvas. */
  right: number;
  /** The world's y at the middle of the canvas. */
  middle: number;
}

/** Lanes stay apart when columns shrink: shapes must not run into each other. */
const lanesFrom = 0.32;
const laneScale = (scale: number) => Math.max(scale, lanesFrom);

export const startView: View = { scale: 1, right: 0, middle: 0 };

const between = (low: number, value: number, high: number) => Math.min(high, Math.max(low, value));

/** Where the view stands while it follows the newest blocks. */
export function newestRight(book: Pick<Book, "max">, scale: number): number {
  return book.max * column + rightMargin / scale;
}

export function toScreen({ layer, lane }: Place, view: View, size: Size): { x: number; y: number } {
  return {
    x: size.width - (view.right - layer * column) * view.scale,
    y: (size.height - axisHeight) / 2 + (lane * row - view.middle) * laneScale(view.scale),
  };
}

/** The layers in sight, with those whose edges may reach into it. */
export function layersSeen(view: View, size: Size): { first: number; last: number } {
  return {
    first: Math.floor((view.right - size.width / view.scale) / column) - 1,
    last: Math.ceil(view.right / column) + 1,
  };
}

/** Moved by so many pixels; blocks never leave sight altogether. */
export function panned(view: View, dx: number, dy: number, book: Pick<Book, "min" | "max">, size: Size): View {
  const wide = size.width / view.scale;
  return {
    scale: view.scale,
    right: between(book.min * column + wide * 0.2, view.right - dx / view.scale, book.max * column + wide * 0.3),
    middle: between(-12 * row, view.middle - dy / laneScale(view.scale), 12 * row),
  };
}

/** Zoomed, with what is at (x, y) of the canvas in its place. */
export function zoomed(view: View, factor: number, x: number, y: number, size: Size): View {
  const scale = between(zoomLimits.min, view.scale * factor, zoomLimits.max);
  const worldX = view.right - (size.width - x) / view.scale;
  const fromMiddle = y - (size.height - axisHeight) / 2;
  return {
    scale,
    right: worldX + (size.width - x) / scale,
    middle: view.middle + fromMiddle / laneScale(view.scale) - fromMiddle / laneScale(scale),
  };
}

/** How far from a block's middle a pointer still means it, CSS pixels. */
const reach = 22;

/** The block at a point of the canvas. */
export function blockAt(x: number, y: number, book: Book, view: View, size: Size): string | null {
  const worldX = view.right - (size.width - x) / view.scale;
  const near = Math.max(1, Math.ceil(reach / view.scale / column));
  const middle = Math.round(worldX / column);
  let best: string | null = null;
  let distance = reach * Math.max(1, view.scale);
  for (let layer = middle - near; layer <= middle + near; layer += 1) {
    for (const hash of book.layers.get(layer)?.hashes ?? []) {
      const place = book.place(hash);
      if (!place) continue;
      const at = toScreen(place, view, size);
      const away = Math.hypot(at.x - x, at.y - y);
      if (away < distance) {
        best = hash;
        distance = away;
      }
    }
  }
  return best;
}

/** The block in the middle of the sight: what stays where it is when everything is placed anew. */
export function blockInMiddle(book: Book, view: View, size: Size): string | null {
  const middle = Math.round((view.right - size.width / view.scale / 2) / column);
  for (let away = 0; away < 400; away += 1) {
    for (const layer of [middle - away, middle + away]) {
      const hash = book.layers.get(layer)?.hashes[0];
      if (hash !== undefined) return hash;
    }
  }
  return null;
}

/** The view in which a block is where it was before it moved. */
export function anchored(view: View, before: Place | undefined, after: Place | undefined): View {
  if (!before || !after) return view;
  return {
    scale: view.scale,
    right: view.right + (after.layer - before.layer) * column,
    middle: view.middle + (after.lane - before.lane) * row,
  };
}

/** Brings a block into sight, with some room around it. */
export function revealed(view: View, place: Place, size: Size): View {
  const { x, y } = toScreen(place, view, size);
  const [roomX, roomY] = [Math.min(120, size.width / 4), Math.min(80, size.height / 4)];
  const dx = x < roomX ? roomX - x : x > size.width - roomX ? size.width - roomX - x : 0;
  const bottom = size.height - axisHeight - roomY;
  const dy = y < roomY ? roomY - y : y > bottom ? bottom - y : 0;
  return { scale: view.scale, right: view.right - dx / view.scale, middle: view.middle - dy / laneScale(view.scale) };
}

export interface Tick {
  x: number;
  at: number;
}

/** Least distance of two ticks of the time axis, CSS pixels. */
const tickPx = 112;

/** When the blocks of some of the columns in sight were found. Columns are no measure of time: the labels are. */
export function ticksOf(book: Book, view: View, size: Size): Tick[] {
  const every = Math.max(1, Math.ceil(tickPx / (column * view.scale)));
  const { first, last } = layersSeen(view, size);
  const ticks: Tick[] = [];
  for (let layer = Math.ceil(first / every) * every; layer <= last; layer += every) {
    const at = book.layers.get(layer)?.at ?? null;
    if (at === null) continue;
    ticks.push({ x: toScreen({ layer, lane: 0 }, view, size).x, at });
  }
  return ticks;
}
