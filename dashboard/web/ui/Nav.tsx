import { Link, usePath } from "./router";

/** Between the pages. What the pool does not serve is not offered; a page that was opened all the same has a way back. */
export function Nav({ algorithms }: { algorithms: boolean }) {
  const elsewhere = usePath() !== "/";
  if (!algorithms && !elsewhere) return null;
  return (
    <nav className="nav" aria-label="Pages">
      <Link to="/">DASHBOARD</Link>
      {algorithms && <Link to="/algorithms">ALGORITHMS</Link>}
      {algorithms && <Link to="/payouts">PAYOUTS</Link>}
      {algorithms && <Link to="/algorithms/bench">PACKAGE_BENCH</Link>}
    </nav>
  );
}
