import { type MouseEvent, type ReactNode, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

const path = () => window.location.pathname.replace(/\/+$/, "") || "/";

/** The path that is shown, without a slash at its end. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, path);
}

export function navigate(to: string): void {
  window.history.pushState(null, "", to);
  window.scrollTo(0, 0);
  for (const listener of listeners) listener();
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
