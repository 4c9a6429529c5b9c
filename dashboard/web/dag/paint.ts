import type { Block } from "../feed/schema";
import { localTimeOfDay } from "../format/time";
import type { Book } from "./book";
import { letters, tail } from "./describe";
import { column, row } from "./geometry";
import type { Place } from "./layout";
import { lost } from "./lost";
import { axisHeight, layersSeen, type Size, ticksOf, toScreen, type View } from "./viewport";

/** The theme's, for a canvas: `styles/dag.css` has the same. */
const ink = {
  blue: "#00d4ff",
  red: "#ff6b8b",
  unknown: "#c4c4c4",
  ring: "#00ff41",
  body: "#0a0a0a",
  edge: "#5c5c5c",
  main: "#8a8a8a",
  touched: "#ffffff",
  text: "#9a9a9a",
  strong: "#ffffff",
  grid: "#1c1c1c",
  axis: "#3a3a3a",
} as const;
const tints = { blue: "#08323b", red: "#40232b", unknown: "#333333" } as const;
const mono = "'JetBrains Mono', ui-monospace, monospace";

/** Below these scales there is no room for what would be written. */
const labelsFrom = 0.62;
const lettersFrom = 0.42;
/** And an edge's curve is nothing that one sees. */
const curvesFrom = 0.3;
/** Edges that come from so many columns outside of the sight are drawn. */
const longestEdge = 24;

export interface Picture {
  book: Book;
  view: View;
  size: Size;
  selected: string | null;
  hovered: string | null;
}

type Pen = CanvasRenderingContext2D;

/** Draws what is in sight: edges first, then blocks, then the axis. */
export function paint(pen: Pen, picture: Picture): void {
  const { size } = picture;
  pen.clearRect(0, 0, size.width, size.height);
  pen.save();
  pen.beginPath();
  pen.rect(0, 0, size.width, size.height - axisHeight);
  pen.clip();
  const ticks = ticksOf(picture.book, picture.view, size);
  pen.strokeStyle = ink.grid;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const { x } of ticks) {
    pen.moveTo(Math.round(x) + 0.5, 0);
    pen.lineTo(Math.round(x) + 0.5, size.height);
  }
  pen.stroke();
  paintEdges(pen, picture);
  paintBlocks(pen, picture);
  pen.restore();
  pen.strokeStyle = ink.axis;
  pen.beginPath();
  pen.moveTo(0, size.height - axisHeight + 0.5);
  pen.lineTo(size.width, size.height - axisHeight + 0.5);
  pen.stroke();
  pen.fillStyle = ink.text;
  pen.font = `400 11px ${mono}`;
  pen.textAlign = "center";
  for (const { x, at } of ticks) {
    if (x > 32 && x < size.width - 32) pen.fillText(localTimeOfDay(at), x, size.height - 10);
  }
}

function* seen({ book, view, size }: Picture, beyond = 0): Generator<[Block, Place]> {
  const { first, last } = layersSeen(view, size);
  for (let layer = Math.max(first, book.min); layer <= Math.min(last + beyond, book.max); layer += 1) {
    for (const hash of book.layers.get(layer)?.hashes ?? []) {
      const [block, place] = [book.blocks.get(hash), book.place(hash)];
      if (block && place) yield [block, place];
    }
  }
}

function paintEdges(pen: Pen, picture: Picture): void {
  const { book, view, size, selected } = picture;
  const kinds = { plain: new Path2D(), main: new Path2D(), touched: new Path2D(), stub: new Path2D() };
  for (const [block, place] of seen(picture, longestEdge)) {
    const to = toScreen(place, view, size);
    let known = 0;
    for (const parent of block.parents) {
      const from = book.place(parent);
      if (!from) continue;
      known += 1;
      const touched = selected !== null && (parent === selected || block.hash === selected);
      const path = touched ? kinds.touched : parent === block.parents[0] ? kinds.main : kinds.plain;
      curve(path, from, place, picture);
    }
    if (known === 0 && block.parents.length > 0) {
      kinds.stub.moveTo(to.x - 36 * view.scale, to.y);
      kinds.stub.lineTo(to.x, to.y);
    }
  }
  const thin = Math.min(1.5, Math.max(0.5, view.scale * 1.5));
  const stroke = (path: Path2D, color: string, width: number) => {
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.stroke(path);
  };
  stroke(kinds.plain, ink.edge, thin);
  stroke(kinds.main, ink.main, thin * 1.4);
  pen.setLineDash([3, 4]);
  stroke(kinds.stub, ink.edge, thin);
  pen.setLineDash([]);
  stroke(kinds.touched, ink.touched, Math.max(1.5, thin * 1.6));
}

function curve(path: Path2D, from: Place, to: Place, { book, view, size }: Picture): void {
  const [a, b] = [toScreen(from, view, size), toScreen(to, view, size)];
  if (view.scale < curvesFrom) {
    path.moveTo(a.x, a.y);
    path.lineTo(b.x, b.y);
    return;
  }
  // An edge along a lane would run through the blocks on its way: bend it around them.
  let blocked = false;
  if (from.lane === to.lane)
    for (let layer = from.layer + 1; layer < to.layer && !blocked; layer += 1) blocked = book.isTaken(layer, to.lane);
  const bend = blocked ? (from.layer % 2 === 0 ? 1 : -1) * row * 0.55 * view.scale : 0;
  const reach = Math.max(column * 0.45 * view.scale, (b.x - a.x) * 0.4);
  path.moveTo(a.x, a.y);
  path.bezierCurveTo(a.x + reach, a.y + bend, b.x - reach, b.y + bend, b.x, b.y);
}

/** What both a pen and a path of it can be told. */
type Tracer = Pick<Path2D, "arc" | "moveTo" | "lineTo" | "closePath">;

function outline(pen: Tracer, color: Block["color"], x: number, y: number, radius: number): void {
  if (color === "unknown") {
    pen.moveTo(x + radius * 0.95, y);
    pen.arc(x, y, radius * 0.95, 0, 2 * Math.PI);
    return;
  }
  const [corners, turn, wide] = color === "blue" ? [6, Math.PI / 6, radius] : [4, 0, radius * 1.12];
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = turn + (corner * 2 * Math.PI) / corners;
    const [cornerX, cornerY] = [x + wide * Math.cos(angle), y + wide * Math.sin(angle)];
    if (corner === 0) pen.moveTo(cornerX, cornerY);
    else pen.lineTo(cornerX, cornerY);
  }
  pen.closePath();
}

function circle(pen: Pen, x: number, y: number, radius: number): void {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.stroke();
}

/** All of one look at once: a stroke for each of thousands is what takes the time. */
function paintBlocks(pen: Pen, picture: Picture): void {
  const { view, size, selected, hovered } = picture;
  const { scale } = view;
  const bodies = new Map<string, { path: Path2D; block: Block }>();
  const [rings, strokes] = [new Path2D(), new Path2D()];
  const written: [Block, number, number][] = [];
  pen.lineWidth = 1.5;
  for (const [block, place] of seen(picture)) {
    const { x, y } = toScreen(place, view, size);
    if (y < -60 || y > size.height + 60) continue;
    // Shapes stay tellable when all else is too small to be drawn.
    const radius = Math.max(block.ours ? 3.6 : 2.4, (block.ours ? 15 : 11) * scale);
    const look = `${block.color}${block.ours}`;
    const body = bodies.get(look) ?? { path: new Path2D(), block };
    bodies.set(look, body);
    outline(body.path, block.color, x, y, radius);
    if (block.ours) outline(rings, block.color, x, y, radius + Math.max(2, 5 * scale));
    if (lost(block)) {
      const arm = radius + Math.max(2, 6 * scale);
      strokes.moveTo(x - arm, y + arm);
      strokes.lineTo(x + arm, y - arm);
    }
    if (block.hash === selected || block.hash === hovered) {
      pen.strokeStyle = block.hash === selected ? ink.touched : ink.text;
      pen.setLineDash(block.hash === selected ? [4, 3] : []);
      circle(pen, x, y, radius + Math.max(5, 12 * scale));
      pen.setLineDash([]);
    }
    if (scale >= lettersFrom) written.push([block, x, y]);
  }
  pen.strokeStyle = ink.ring;
  pen.lineWidth = Math.max(1, 2 * scale);
  pen.stroke(rings);
  for (const { path, block } of bodies.values()) {
    pen.fillStyle = block.ours ? tints[block.color] : ink.body;
    pen.fill(path);
    pen.strokeStyle = ink[block.color];
    pen.lineWidth = Math.max(0.9, 1.8 * scale);
    if (block.color === "unknown") pen.setLineDash([Math.max(2, 4 * scale), Math.max(1.5, 3 * scale)]);
    pen.stroke(path);
    pen.setLineDash([]);
  }
  pen.strokeStyle = ink.red;
  pen.lineWidth = Math.max(1.4, 3 * scale);
  pen.stroke(strokes);
  pen.textAlign = "center";
  for (const [block, x, y] of written) write(pen, block, x, y, scale);
}

function write(pen: Pen, block: Block, x: number, y: number, scale: number): void {
  pen.fillStyle = block.ours ? ink.strong : ink[block.color];
  pen.font = `700 ${Math.max(8, (block.ours ? 14 : 12) * scale)}px ${mono}`;
  pen.fillText(letters[block.color], x, y + (block.ours ? 5 : 4.3) * scale);
  if (scale < labelsFrom) return;
  const below = (text: string, at: number, color: string) => {
    pen.font = `400 ${Math.max(9, 10 * scale)}px ${mono}`;
    // A dark rim keeps labels readable where edges pass behind them.
    pen.lineWidth = 4;
    pen.strokeStyle = ink.body;
    pen.lineJoin = "round";
    pen.strokeText(text, x, y + at * scale);
    pen.fillStyle = color;
    pen.fillText(text, x, y + at * scale);
  };
  below(tail(block.hash), block.ours ? 34 : 27, block.ours ? ink.strong : ink.text);
  if (block.ours && block.status) below(block.status, 46, lost(block) ? ink.red : ink.ring);
}
