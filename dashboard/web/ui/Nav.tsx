import { type KeyboardEvent, useEffect, useId, useRef, useState, useSyncExternalStore } from "react";
import { groups, type Page, pages } from "../pages";
import type { Firing } from "../state/firing";
import { mayOpen, type Viewer } from "./roles";
import { Link, usePath } from "./router";

interface NavProps {
  algorithms: boolean;
  viewer: Viewer;
  firing: Firing;
}

/**
 * Between the pages: those that the pool serves and that the viewer may open. On a phone it is a menu, which Escape and every
 * choice close.
 */
export function Nav({ algorithms, viewer, firing }: NavProps) {
  const path = usePath();
  const id = useId();
  const [open, setOpen] = useState(false);
  const toggle = useRef<HTMLButtonElement>(null);
  const alerts = useSyncExternalStore(firing.subscribe, firing.shown);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes it
  useEffect(() => setOpen(false), [path]);
  const offered = pages.filter((page) => mayOpen(page.needs, viewer) && (algorithms || page.algorithms !== true));
  const titleOf = ({ link, path }: Page) =>
    path === "/account" && viewer.me !== null ? viewer.me.username : (link?.title ?? "");
  // A block's page is found below BLOCKS.
  const here = pages.find((page) => page.path === path) ?? pages.find((page) => path.startsWith(`${page.path}/`));
  const close = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    setOpen(false);
    toggle.current?.focus();
  };
  return (
    <nav className="nav" aria-label="Pages" onKeyDown={close}>
      <button
        ref={toggle}
        type="button"
        className="nav-toggle"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <span aria-hidden="true">{open ? "✕" : "☰"}</span> MENU
        {here?.link && <span className="nav-here">{titleOf(here)}</span>}
        <Count alerts={alerts} />
      </button>
      <ul id={id} className="nav-groups" data-open={open}>
        {groups.map((group) => {
          const own = offered.filter(({ link }) => link?.group === group);
          if (own.length === 0) return null;
          return (
            <li className="nav-group" key={group}>
              <span className="nav-name" id={`${id}-${group}`}>
                {group}
              </span>
              <ul aria-labelledby={`${id}-${group}`}>
                {own.map((page) => (
                  <li key={page.path}>
                    <Link to={page.path}>
                      <span className="nav-title">{titleOf(page)}</span>
                      {page.path === "/alerts" && <Count alerts={alerts} />}
                    </Link>
                  </li>
                ))}
              </ul>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

/** How many alerts fire: a number with a word for those who hear the page, coloured by the worst. */
function Count({ alerts }: { alerts: ReturnType<Firing["shown"]> }) {
  if (alerts === null || alerts.length === 0) return null;
  const bad = alerts.some(({ severity }) => severity !== "warning");
  return (
    <span className={bad ? "nav-count nav-count-bad" : "nav-count"}>
      {" "}
      {alerts.length} <span className="visually-hidden">firing</span>
    </span>
  );
}
