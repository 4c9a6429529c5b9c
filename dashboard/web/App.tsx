import { Suspense, useEffect, useMemo, useSyncExternalStore } from "react";
import type { Account } from "./account/account";
import { AlertsApi } from "./alerts/api";
import type { AlgorithmsStore } from "./algorithms/store";
import { pageOf } from "./pages";
import { Firing } from "./state/firing";
import { useCalmly } from "./state/pool";
import type { Session } from "./state/session";
import { Nav } from "./ui/Nav";
import { Loading } from "./ui/Panel";
import { mayOpen } from "./ui/roles";
import { Arrival, usePath } from "./ui/router";
import { Toasts } from "./ui/Toasts";

interface AppProps {
  session: Session;
  algorithms: AlgorithmsStore;
  account: Account;
}

/** The frame of all pages: keeps the feed going, and finds the page for a path. */
export function App({ session, algorithms, account }: AppProps) {
  const path = usePath();
  const { service } = useCalmly(algorithms.subscribe, algorithms.shown);
  const { me } = useSyncExternalStore(account.subscribe, account.shown);
  const token = useSyncExternalStore(account.subscribe, account.vouched);
  const firing = useMemo(() => new Firing(new AlertsApi(account.token)), [account]);
  useEffect(() => {
    const identify = () => session.identify(account.token());
    identify();
    session.start();
    void algorithms.probe();
    const leave = account.subscribe(identify);
    return () => {
      leave();
      session.stop();
    };
  }, [session, algorithms, account]);
  const who = me?.username ?? null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another person is what this is about
  useEffect(() => algorithms.forget(), [who, algorithms]);
  const viewer = { me, token };
  const sees = mayOpen("viewer", viewer);
  useEffect(() => {
    if (!sees) return;
    firing.start();
    return () => firing.stop();
  }, [firing, sees]);
  const { page, name } = pageOf(path);
  const nav = <Nav algorithms={service === "served"} viewer={viewer} firing={firing} />;
  return (
    <Toasts>
      <Suspense fallback={<Loading what="page" lines={6} />}>
        <Arrival path={path}>{page.view({ session, account, algorithms, firing, nav }, name)}</Arrival>
      </Suspense>
    </Toasts>
  );
}
