import { whole } from "../format/number";
import { Empty } from "../ui/Panel";
import { nanoseconds, titleOf } from "./rollout";
import type { Slot } from "./schema";

/** The generations in service: each algorithm that was loaded, and what it does now. */
export function Generations({ slots }: { slots: readonly Slot[] }) {
  if (slots.length === 0) return <Empty title="NO_GENERATIONS">The pool has loaded no algorithm yet.</Empty>;
  return (
    <section className="table-scroll" aria-label="Generations in service">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">algorithm</th>
            <th scope="col">state</th>
            <th scope="col" className="col-number">
              traffic
            </th>
            <th scope="col" className="col-number col-minor">
              in flight
            </th>
            <th scope="col" className="col-number col-minor">
              shares
            </th>
            <th scope="col" className="col-number">
              median
            </th>
          </tr>
        </thead>
        <tbody>
          {slots.map(({ slot, generation, algorithm, life, traffic_split, in_flight, figures }) => (
            <tr key={`${slot}.${generation}`}>
              <th scope="row">
                {algorithm ? titleOf(algorithm) : "?"}
                <small className="generation"> gen {generation ?? "?"}</small>
              </th>
              <td>{life?.replaceAll("_", " ") ?? "—"}</td>
              <td className="col-number">{traffic_split}%</td>
              <td className="col-number col-minor">{whole(in_flight)}</td>
              <td className="col-number col-minor">{whole(figures?.shares)}</td>
              <td className="col-number">{nanoseconds(figures?.median_ns ?? null)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
