import { type ReactNode, useId } from "react";

export type Freshness = "fresh" | "stale" | "waiting";

interface PanelProps {
  title: string;
  children: ReactNode;
  /** Right side of the header: switches, a figure. */
  aside?: ReactNode;
  freshness?: Freshness;
  className?: string;
}

/** A framed region with the theme's header. Stale content is greyed and says so in words. */
export function Panel({ title, children, aside, freshness = "fresh", className = "" }: PanelProps) {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id} data-freshness={freshness}>
      <header className="panel-header">
        <h2 className="panel-title" id={id}>
          {title}
        </h2>
        {freshness === "stale" && <span className="tag tag-warning">STALE</span>}
        <div className="panel-aside">{aside}</div>
      </header>
      <div className="panel-content">{children}</div>
    </section>
  );
}

/** Shown where there is nothing: says why, and what would change it. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      <p className="empty-text">{children}</p>
    </div>
  );
}

interface LoadingProps {
  what: string;
  lines?: number;
  /** As tall as the window: of a long list, so that nothing that is seen below it moves when it comes. */
  tall?: boolean;
}

/** Holds the place of figures that are on their way. */
export function Loading({ what, lines = 3, tall = false }: LoadingProps) {
  return (
    <div className={tall ? "loading loading-tall" : "loading"} role="status">
      <span className="loading-word">Loading {what}</span>
      {Array.from({ length: lines }, (_, line) => `bar-${line}`).map((key) => (
        <span className="loading-bar" key={key} />
      ))}
    </div>
  );
}

/** A list of named figures. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="facts">{children}</dl>;
}

export function Fact({ name, children, wide = false }: { name: string; children: ReactNode; wide?: boolean }) {
  return (
    <div className={wide ? "fact fact-wide" : "fact"}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
