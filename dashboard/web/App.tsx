import { lazy, Suspense, useEffect, useSyncExternalStore } from "react";
import type { Account } from "./account/account";
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
const AlertsPage = lazy(() => import("./alerts/AlertsPage"));
const SignInPage = lazy(() => import("./account/SignInPage"));
const AccountPage = lazy(() => import("./account/AccountPage"));
const UsersPage = lazy(() => import("./account/UsersPage"));
const AuditPage = lazy(() => import("./account/AuditPage"));
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
  account: Account;
}

/** The frame of all pages: keeps the feed going, and finds the page for a path. */
export function App({ session, algorithms, account }: AppProps) {
  const path = usePath();
  const { service } = useSyncExternalStore(algorithms.subscribe, algorithms.shown);
  useEffect(() => {
    session.start();
    void algorithms.probe();
    return () => session.stop();
  }, [session, algorithms]);
  const { me } = useSyncExternalStore(account.subscribe, account.shown);
  const who = me?.username ?? null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another person is what this is about
  useEffect(() => algorithms.forget(), [who, algorithms]);
  const miner = accountOf(path);
  const nav = <Nav algorithms={service === "served"} me={me} />;
  return (
    <Toasts>
      <Suspense fallback={<Loading what="page" lines={6} />}>
        {path === "/algorithms" ? (
          <AlgorithmsPage session={session} store={algorithms} nav={nav} />
        ) : path === "/algorithms/bench" ? (
          <BenchPage session={session} nav={nav} />
        ) : path === "/payouts" ? (
          <PayoutsPage session={session} keeper={algorithms.keeper} nav={nav} />
        ) : path === "/alerts" ? (
          <AlertsPage session={session} account={account} nav={nav} />
        ) : path === "/sign-in" ? (
          <SignInPage session={session} account={account} nav={nav} />
        ) : path === "/account" ? (
          <AccountPage session={session} account={account} nav={nav} />
        ) : path === "/users" ? (
          <UsersPage session={session} account={account} nav={nav} />
        ) : path === "/audit" ? (
          <AuditPage session={session} account={account} nav={nav} />
        ) : miner !== null ? (
          <MinerPage key={miner} account={miner} session={session} nav={nav} />
        ) : (
          <Overview session={session} nav={nav} />
        )}
      </Suspense>
    </Toasts>
  );
}
