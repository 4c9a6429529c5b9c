import { lazy, Suspense, useEffect, useSyncExternalStore } from "react";
import type { AlgorithmsStore } from "./algorithms/store";
import { Overview } from "./pages/Overview";
import type { Session } from "./state/session";
import { Nav } from "./ui/Nav";
import { Loading } from "./ui/Panel";
import { usePath } from "./ui/router";
import { Toasts } from "./ui/Toasts";

// Pages that an operator opens now and then are no part of the first load.
const AlgorithmsPage = lazy(() => import("./algorithms/AlgorithmsPage"));
const BenchPage = lazy(() => import("./bench/BenchPage"));
const PayoutsPage = lazy(() => import("./payouts/PayoutsPage"));
const MinerPage = lazy(() => import("./miner/MinerPage"));

/** The account that a path like `/miners/ADDRESS` names. */
function accountOf(path: string): string | null {
  const name = path.match(/^\/miners\/([^/]+)$/)?.[1];
  if (name === undefined) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

interface AppProps {
  session: Session;
  algorithms: AlgorithmsStore;
}

/** The frame of all pages: keeps the feed going, and finds the page for a path. */
export function App({ session, algorithms }: AppProps) {
  const path = usePath();
  const { service } = useSyncExternalStore(algorithms.subscribe, algorithms.shown);
  useEffect(() => {
    session.start();
    void algorithms.probe();
    return () => session.stop();
  }, [session, algorithms]);
  const account = accountOf(path);
  const nav = <Nav algorithms={service === "served"} />;
  return (
    <Toasts>
      <Suspense fallback={<Loading what="page" lines={6} />}>
        {path === "/algorithms" ? (
          <AlgorithmsPage session={session} store={algorithms} nav={nav} />
        ) : path === "/algorithms/bench" ? (
          <BenchPage session={session} nav={nav} />
        ) : path === "/payouts" ? (
          <PayoutsPage session={session} keeper={algorithms.keeper} nav={nav} />
        ) : account !== null ? (
          <MinerPage key={account} account={account} session={session} nav={nav} />
        ) : (
          <Overview session={session} nav={nav} />
        )}
      </Suspense>
    </Toasts>
  );
}
