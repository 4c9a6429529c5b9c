import type { Block } from "../feed/schema";
import { letters } from "./describe";
import { lost as isLost } from "./lost";

/** Points of a regular polygon around the origin. */
function polygon(corners: number, radius: number, turn: number): string {
  return Array.from({ length: corners }, (_, corner) => {
    const angle = turn + (corner * 2 * Math.PI) / corners;
    return `${(radius * Math.cos(angle)).toFixed(2)},${(radius * Math.sin(angle)).toFixed(2)}`;
  }).join(" ");
}

function Outline({ color, radius, className }: { color: Block["color"]; radius: number; className: string }) {
  if (color === "blue") return <polygon className={className} points={polygon(6, radius, Math.PI / 6)} />;
  if (color === "red") return <polygon className={className} points={polygon(4, radius * 1.12, 0)} />;
  return <circle className={className} r={radius * 0.95} />;
}

interface GlyphProps {
  block: Pick<Block, "color" | "ours" | "status">;
}

/**
 * A block around the origin. Colour is told by shape and letter (hexagon B, diamond R, dashed circle ?), ours by size
 * and a second outline, loss by a stroke across: nothing is told by hue alone.
 */
export function Glyph({ block }: GlyphProps) {
  const radius = block.ours ? 15 : 11;
  return (
    <g className={`glyph glyph-${block.color} ${block.ours ? "glyph-ours" : "glyph-other"}`}>
      {block.ours && <Outline className="glyph-ring" color={block.color} radius={radius + 5} />}
      <Outline className="glyph-body" color={block.color} radius={radius} />
      <text className="glyph-letter" textAnchor="middle" dy="0.36em">
        {`${letters[block.color]} `}
      </text>
      {isLost(block) && (
        <line className="glyph-lost" x1={-radius - 6} y1={radius + 6} x2={radius + 6} y2={-radius - 6} />
      )}
    </g>
  );
}

const samples: { name: string; block: GlyphProps["block"] }[] = [
  { name: "blue", block: { color: "blue", ours: false, status: null } },
  { name: "red", block: { color: "red", ours: false, status: null } },
  { name: "pending", block: { color: "unknown", ours: false, status: null } },
  { name: "ours", block: { color: "blue", ours: true, status: "accepted" } },
  { name: "lost", block: { color: "red", ours: true, status: "void" } },
];

export function Legend() {
  return (
    <ul className="legend" aria-label="Legend">
      {samples.map(({ name, block }) => (
        <li key={name}>
          <svg viewBox="-24 -24 48 48" aria-hidden="true" focusable="false">
            <Glyph block={block} />
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}
