import { type KeyboardEvent, memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Block } from "../feed/schema";
import { describeBlock, tail } from "./describe";
import { Glyph } from "./Glyph";
import { column, type Edge, edgesOf, type Frame, frameOf } from "./geometry";
import { type Layout, layout, type Place } from "./layout";
import { lost as isLost } from "./lost";
import { neighbour } from "./navigate";

interface DagProps {
  blocks: ReadonlyMap<string, Block>;
  selected: string | null;
  onSelect: (hash: string) => void;
}

/** How near to the right end still counts as watching the newest blocks. */
const followPx = 48;

/** The layout of these blocks, each keeping the place that it had before. */
function useLayout(blocks: ReadonlyMap<string, Block>): Layout {
  const before = useRef<Layout | undefined>(undefined);
  return useMemo(() => {
    before.current = layout(blocks.values(), before.current);
    return before.current;
  }, [blocks]);
}

/** Keeps the newest blocks in view until the viewer scrolls away, and what they look at in place after that. */
function useFollow(frame: Frame, oldestLayer: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const last = useRef({ left: 0, oldestLayer, first: true });
  const middle = useRef<number | null>(null);
  useLayoutEffect(() => {
    const box = ref.current;
    if (!box) return;
    // The main chain starts in the middle and stays where it is when lanes come and go above it.
    box.scrollTop += frame.middle - (middle.current ?? box.clientHeight / 2);
    middle.current = frame.middle;
  }, [frame.middle]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the width is the trigger, its value is read from the element
  useLayoutEffect(() => {
    const box = ref.current;
    if (!box) return;
    if (following) {
      const calm = last.current.first || window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      box.scrollTo({ left: box.scrollWidth, behavior: calm ? "instant" : "smooth" });
    } else {
      box.scrollLeft -= (oldestLayer - last.current.oldestLayer) * column;
    }
    last.current = { left: box.scrollLeft, oldestLayer, first: false };
  }, [frame.width, oldestLayer, following]);
  // A window that was turned, or made smaller, shows the newest again.
  useEffect(() => {
    if (!following) return;
    const keep = () => {
      if (ref.current) ref.current.scrollLeft = ref.current.scrollWidth;
    };
    window.addEventListener("resize", keep);
    return () => window.removeEventListener("resize", keep);
  }, [following]);
  const onScroll = () => {
    const box = ref.current;
    if (!box) return;
    const atEnd = box.scrollLeft + box.clientWidth >= box.scrollWidth - followPx;
    // A smooth scroll to the end only ever moves right: going left is the viewer's doing.
    if (atEnd) setFollowing(true);
    else if (box.scrollLeft < last.current.left - 2) setFollowing(false);
    last.current.left = box.scrollLeft;
  };
  return { ref, following, onScroll, follow: () => setFollowing(true) };
}

/** Recent blocks as the DAG that they are: time runs to the right, each block's edges lead back to its parents. */
export const DagView = memo(function DagView({ blocks, selected, onSelect }: DagProps) {
  const placed = useLayout(blocks);
  const frame = useMemo(() => frameOf(placed), [placed]);
  const edges = useMemo(() => edgesOf(blocks, placed, frame), [blocks, placed, frame]);
  const { ref, following, onScroll, follow } = useFollow(frame, placed.layers.min);
  const newest = [...blocks.keys()].at(-1) ?? null;
  // One stop for the tab key; arrows move within.
  const tabStop = selected !== null && blocks.has(selected) ? selected : newest;

  const onKeyDown = (event: KeyboardEvent<SVGGElement>, hash: string) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onSelect(hash);
      return;
    }
    const target = neighbour(event.key, hash, blocks, placed);
    if (target === null) return;
    event.preventDefault();
    onSelect(target);
    ref.current?.querySelector<SVGGElement>(`[data-hash="${CSS.escape(target)}"]`)?.focus();
  };

  return (
    <div className="dag">
      <div className="dag-scroll" ref={ref} onScroll={onScroll} data-testid="dag">
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot hold SVG shapes */}
        <svg
          width={frame.width}
          height={frame.height}
          role="group"
          aria-label={`Block DAG, ${blocks.size} blocks. Arrow keys: left to a parent, right to a child, up and down to siblings.`}
        >
          <g>
            {edges.map((edge) => (
              <EdgeLine key={`${edge.child}-${edge.parent}`} edge={edge} selected={selected} />
            ))}
          </g>
          {[...blocks.values()].map((block) => {
            const place = placed.places.get(block.hash);
            return (
              place && (
                <Node
                  key={block.hash}
                  block={block}
                  frame={frame}
                  place={place}
                  selected={block.hash === selected}
                  tabStop={block.hash === tabStop}
                  onSelect={onSelect}
                  onKeyDown={onKeyDown}
                />
              )
            );
          })}
        </svg>
      </div>
      {!following && (
        <button type="button" className="button dag-follow" onClick={follow}>
          NEWEST ▸
        </button>
      )}
    </div>
  );
});

function EdgeLine({ edge, selected }: { edge: Edge; selected: string | null }) {
  const touched = selected !== null && (edge.child === selected || edge.parent === selected);
  const kind = edge.parent === null ? "edge-stub" : touched ? "edge-touched" : edge.main ? "edge-main" : "";
  return <path className={`edge ${kind}`} d={edge.path} />;
}

interface NodeProps {
  block: Block;
  frame: Frame;
  place: Place;
  selected: boolean;
  tabStop: boolean;
  onSelect: (hash: string) => void;
  onKeyDown: (event: KeyboardEvent<SVGGElement>, hash: string) => void;
}

function Node({ block, frame, place, selected, tabStop, onSelect, onKeyDown }: NodeProps) {
  // In SVG names of attributes are as they are written, and Preact writes them as they are given.
  const stop = { tabindex: tabStop ? 0 : -1 };
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button element
    <g
      className={`node ${block.ours ? "node-ours" : ""} ${isLost(block) ? "node-lost" : ""}`}
      transform={`translate(${frame.x(place)} ${frame.y(place)})`}
      role="button"
      {...stop}
      aria-pressed={selected}
      aria-label={describeBlock(block)}
      data-hash={block.hash}
      onClick={() => onSelect(block.hash)}
      onKeyDown={(event) => onKeyDown(event, block.hash)}
    >
      <circle className="node-target" r={block.ours ? 28 : 22} />
      <Glyph block={block} />
      <text className="node-hash" textAnchor="middle" y={block.ours ? 34 : 27}>
        {`${tail(block.hash)} `}
      </text>
      {block.ours && block.status && (
        <text className="node-status" textAnchor="middle" y={47}>
          {block.status}
        </text>
      )}
    </g>
  );
}
