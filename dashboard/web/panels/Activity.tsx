import type { PoolEvent } from "../state/events";
import { Empty } from "../ui/Panel";
import { Ago } from "../ui/Time";

const marks = { good: "+", bad: "✕", quiet: "−", plain: "·" } as const;

/** What happened lately, newest first. Not a live region: on a fast chain it would never stop talking. */
export function Activity({ events, now }: { events: readonly PoolEvent[]; now: number }) {
  if (events.length === 0) {
    return <Empty title="QUIET">Blocks, miners coming and going, and node trouble show up here.</Empty>;
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard (WCAG 2.1.1)
    <section className="activity-scroll" tabIndex={0} aria-label="Recent events">
      <ul className="activity">
        {events.map((event) => (
          <li className={`event event-${event.tone}`} key={event.id}>
            <span className="event-mark" aria-hidden="true">
              {marks[event.tone]}
            </span>
            <span className="event-text">{event.text}</span>
            <span className="event-time">
              <Ago at={event.at} now={now} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
