import { type MouseEvent, type ReactNode, useEffect, useRef, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

const path = () => window.location.pathname.replace(/^\/index\.html$|\/+$/, "") || "/";

/** The path that is shown, without a slash at its end. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, path);
}

export function navigate(to: string): void {
  window.history.pushState(null, "", to);
  window.scrollTo(0, 0);
  for (const listener of listeners) listener();
}

/**
 * Around the page of a path: once another one stands, it has the focus, so that the keyboard goes on there and whoever hears the
 * page is told. The first page leaves the focus where the browser puts it.
 */
export function Arrival({ path, children }: { path: string; children: ReactNode }) {
  const left = useRef(path);
  useEffect(() => {
    if (left.current === path) return;
    left.current = path;
    const main = document.querySelector("main");
    if (main === null) return;
    main.tabIndex = -1;
    main.focus({ preventScroll: true });
  }, [path]);
  return children;
}

/** A link within the page; a click that wants a new tab gets one. */
export function Link({ to, children, className }: { to: string; children: ReactNode; className?: string }) {
  const current = usePath() === to.split("?")[0];
  const go = (event: MouseEvent) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={to} className={className} aria-current={current ? "page" : undefined} onClick={go}>
      {children}
    </a>
  );
}
