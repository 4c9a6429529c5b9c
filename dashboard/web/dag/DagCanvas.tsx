import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useId, useRef, useState } from "react";
import type { Book } from "./book";
import { describeBlock } from "./describe";
import type { Place } from "./layout";
import { neighbour } from "./navigate";
import { paint } from "./paint";
import {
  anchored,
  blockAt,
  blockInMiddle,
  layersSeen,
  newestRight,
  panned,
  revealed,
  type Size,
  startView,
  type View,
  zoomed,
} from "./viewport";

/** A press that moves less than this is a click, CSS pixels. */
const clickPx = 5;
const keyPanPx = 90;
const zoomStep = 1.25;
/** So many columns before the oldest that is known, older ones are asked for. */
const askColumns = 14;
const arrows: Record<string, [number, number]> = {
  ArrowLeft: [1, 0],
  ArrowRight: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

interface CanvasProps {
  book: Book;
  /** Counts the changes of the book. */
  version: number;
  selected: string | null;
  onSelect: (hash: string | null) => void;
  following: boolean;
  onFollow: (follow: boolean) => void;
  /** The oldest that is known comes into sight. */
  onStart: () => void;
}

const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The DAG on a canvas, as wide as there is room: only what is in sight is drawn. */
export function DagCanvas({ book, version, selected, onSelect, following, onFollow, onStart }: CanvasProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<View>(startView);
  const size = useRef<Size>({ width: 0, height: 0 });
  const hovered = useRef<string | null>(null);
  const anchor = useRef<{ hash: string; place: Place | undefined } | null>(null);
  const frame = useRef(0);
  /** The first picture begins at the newest; only later ones move there. */
  const begun = useRef(false);
  const [zoom, setZoom] = useState(100);
  const help = useId();
  const props = useRef({ book, selected, following, onStart });
  props.current = { book, selected, following, onStart };

  const draw = useCallback(() => {
    frame.current = 0;
    const { book: shown, selected: chosen, following: follows, onStart: ask } = props.current;
    const element = canvas.current;
    const pen = element?.getContext("2d");
    if (!element || !pen || size.current.width === 0) return;
    let moving = false;
    if (follows) {
      const target = newestRight(shown, view.current.scale);
      const away = target - view.current.right;
      const far = Math.abs(away) > (size.current.width / view.current.scale) * 1.5;
      const arrived = Math.abs(away) < 0.5 || far || !begun.current || calm();
      begun.current = shown.size > 0;
      view.current = { ...view.current, right: arrived ? target : view.current.right + away * 0.16 };
      moving = !arrived;
    }
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const picture = { book: shown, view: view.current, size: size.current, selected: chosen, hovered: hovered.current };
    paint(pen, picture);
    const middle = blockInMiddle(shown, view.current, size.current);
    anchor.current = middle === null ? null : { hash: middle, place: shown.place(middle) };
    if (shown.size > 0 && layersSeen(view.current, size.current).first < shown.min + askColumns) ask();
    if (moving) frame.current = requestAnimationFrame(draw);
  }, []);

  const redraw = useCallback(() => {
    if (frame.current === 0) frame.current = requestAnimationFrame(draw);
  }, [draw]);

  const look = useCallback(
    (next: View) => {
      if (next.scale !== view.current.scale) setZoom(Math.round(next.scale * 100));
      view.current = next;
      redraw();
    },
    [redraw],
  );

  // What was in the middle stays there, wherever it was placed anew.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each change of the book is what this is about
  useEffect(() => {
    const held = anchor.current;
    if (held && !following) view.current = anchored(view.current, held.place, book.place(held.hash));
    redraw();
  }, [book, version, selected, following, redraw]);

  useEffect(() => {
    const [element, painted] = [box.current, canvas.current];
    if (!element || !painted) return;
    const measure = () => {
      const [width, height] = [element.clientWidth, element.clientHeight];
      const ratio = Math.min(2, window.devicePixelRatio || 1);
      size.current = { width, height };
      painted.width = Math.round(width * ratio);
      painted.height = Math.round(height * ratio);
      // Setting its size empties a canvas: it is filled before anybody sees that.
      draw();
    };
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [draw]);

  const zoomAt = useCallback(
    (factor: number, x: number, y: number) => {
      const next = panned(zoomed(view.current, factor, x, y, size.current), 0, 0, props.current.book, size.current);
      look(props.current.following ? { ...next, right: newestRight(props.current.book, next.scale) } : next);
    },
    [look],
  );
  const zoomBy = (factor: number) => zoomAt(factor, size.current.width / 2, size.current.height / 2);

  const pan = useCallback(
    (dx: number, dy: number) => {
      if (dx !== 0 && props.current.following) onFollow(false);
      look(panned(view.current, dx, dy, props.current.book, size.current));
    },
    [look, onFollow],
  );

  // React listens to the wheel passively: it could not keep the page from scrolling.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : 1;
      if (event.shiftKey) pan(-(event.deltaX || event.deltaY) * unit, 0);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(-event.deltaX * unit, -event.deltaY * unit);
      else {
        const edges = element.getBoundingClientRect();
        zoomAt(Math.exp(-event.deltaY * unit * 0.0016), event.clientX - edges.left, event.clientY - edges.top);
      }
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [pan, zoomAt]);

  const fingers = useRef(new Map<number, { x: number; y: number }>());
  const pressed = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  const at = (event: PointerEvent) => {
    const edges = box.current?.getBoundingClientRect();
    return { x: event.clientX - (edges?.left ?? 0), y: event.clientY - (edges?.top ?? 0) };
  };
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    const here = at(event);
    fingers.current.set(event.pointerId, here);
    pressed.current = { ...here, moved: fingers.current.size > 1 };
    box.current?.setPointerCapture?.(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    const here = at(event);
    const before = fingers.current.get(event.pointerId);
    if (!before) {
      const over = blockAt(here.x, here.y, book, view.current, size.current);
      if (over !== hovered.current) {
        hovered.current = over;
        if (canvas.current) canvas.current.style.cursor = over ? "pointer" : "";
        redraw();
      }
      return;
    }
    const start = pressed.current;
    if (start && !start.moved && Math.hypot(here.x - start.x, here.y - start.y) < clickPx) return;
    if (start) start.moved = true;
    const [first, second] = [...fingers.current.values()];
    fingers.current.set(event.pointerId, here);
    if (first && second) {
      const [one, two] = [...fingers.current.values()] as [typeof first, typeof first];
      const spread = (a: typeof first, b: typeof first) => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
      zoomAt(spread(one, two) / spread(first, second), (one.x + two.x) / 2, (one.y + two.y) / 2);
      pan((one.x + two.x - first.x - second.x) / 2, (one.y + two.y - first.y - second.y) / 2);
    } else pan(here.x - before.x, here.y - before.y);
  };
  const onPointerEnd = (event: PointerEvent<HTMLDivElement>) => {
    const here = at(event);
    fingers.current.delete(event.pointerId);
    if (event.type === "pointerup" && pressed.current && !pressed.current.moved) {
      onSelect(blockAt(here.x, here.y, book, view.current, size.current));
    }
    if (fingers.current.size === 0) pressed.current = null;
  };

  const walk = (key: string) => {
    const newest = book.layers.get(book.max)?.hashes[0] ?? null;
    const from = selected ?? newest;
    if (from === null) return;
    const target = selected === null ? from : neighbour(key, from, book.blocks, book);
    const place = target === null ? undefined : book.place(target);
    if (target === null || !place) return;
    if (following) onFollow(false);
    onSelect(target);
    look(revealed(view.current, place, size.current));
  };
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) walk(event.key);
    else if (arrow) pan(arrow[0] * keyPanPx, arrow[1] * keyPanPx);
    else if (event.key === "+" || event.key === "=") zoomBy(zoomStep);
    else if (event.key === "-" || event.key === "_") zoomBy(1 / zoomStep);
    else if (event.key === "0") zoomBy(1 / view.current.scale);
    else if (event.key === "End" || event.key === "f" || event.key === "F") onFollow(true);
    else if (event.key === "Home") pan((view.current.right - book.min * 78) * view.current.scale, 0);
    else if (event.key === "Enter") {
      if (selected === null) walk("Enter");
      else box.current?.closest(".dag-page")?.querySelector<HTMLElement>(".details a, .details button")?.focus();
    } else if (event.key === "Escape") onSelect(null);
    else return;
    event.preventDefault();
  };

  const chosen = selected === null ? undefined : book.blocks.get(selected);
  return (
    <div className="dag-stage">
      <div
        ref={box}
        className="dag-box"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: its keys move and open
        tabIndex={0}
        aria-label={`Block DAG, ${book.size} blocks`}
        aria-describedby={help}
        data-testid="dag-canvas"
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerEnd}
        onPointerCancel={onPointerEnd}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} />
      </div>
      <p className="visually-hidden" role="status">
        {chosen ? describeBlock(chosen) : ""}
      </p>
      <div className="dag-controls">
        <button
          type="button"
          className="button button-small"
          aria-label="Zoom out"
          onClick={() => zoomBy(1 / zoomStep)}
        >
          −
        </button>
        <button
          type="button"
          className="button button-small dag-zoom"
          aria-label={`Zoom ${zoom} percent, back to 100`}
          onClick={() => zoomBy(1 / view.current.scale)}
        >
          {zoom}%
        </button>
        <button type="button" className="button button-small" aria-label="Zoom in" onClick={() => zoomBy(zoomStep)}>
          +
        </button>
        <button
          type="button"
          className="button button-small"
          aria-pressed={following}
          onClick={() => onFollow(!following)}
        >
          FOLLOW ▸
        </button>
      </div>
      <p className="dag-help" id={help}>
        <kbd>drag</kbd> or <kbd>← ↑ ↓ →</kbd> moves · <kbd>wheel</kbd>, pinch or <kbd>+</kbd> <kbd>−</kbd> zooms ·{" "}
        <kbd>shift</kbd> and arrows go from block to block · <kbd>enter</kbd> opens · <kbd>F</kbd> follows the newest
      </p>
    </div>
  );
}
