import { lazy, type ReactNode } from "react";
import type { Account } from "./account/account";
import type { AlgorithmsStore } from "./algorithms/store";
import type { Firing } from "./state/firing";
import type { Session } from "./state/session";
import type { Needs } from "./ui/roles";

// None is part of what all pages need; `start/views.ts` says what is asked for early.
const Overview = lazy(async () => ({ default: (await import("./pages/Overview")).Overview }));
const AlgorithmsPage = lazy(() => import("./algorithms/AlgorithmsPage"));
const BenchPage = lazy(() => import("./bench/BenchPage"));
const PayoutsPage = lazy(() => import("./payouts/PayoutsPage"));
const AlertsPage = lazy(() => import("./alerts/AlertsPage"));
const SignInPage = lazy(() => import("./account/SignInPage"));
const ForgotPage = lazy(async () => ({ default: (await import("./account/MailPages")).ForgotPage }));
const ResetPage = lazy(async () => ({ default: (await import("./account/MailPages")).ResetPage }));
const VerifyPage = lazy(async () => ({ default: (await import("./account/MailPages")).VerifyPage }));
const AccountPage = lazy(() => import("./account/AccountPage"));
const UsersPage = lazy(() => import("./account/UsersPage"));
const AuditPage = lazy(() => import("./account/AuditPage"));
const DagPage = lazy(() => import("./dag/DagPage"));
const BlocksPage = lazy(() => import("./blocks/BlocksPage"));
const BlockPage = lazy(() => import("./blocks/BlockPage"));
const MinersPage = lazy(() => import("./miners/MinersPage"));
const MinerPage = lazy(() => import("./miner/MinerPage"));
const SystemPage = lazy(() => import("./operate/SystemPage"));
const BansPage = lazy(() => import("./operate/BansPage"));
const DeploymentsPage = lazy(() => import("./operate/DeploymentsPage"));
const DeploymentPage = lazy(() => import("./operate/DeploymentPage"));
const ConfigPage = lazy(() => import("./operate/ConfigPage"));
const LogsPage = lazy(() => import("./operate/LogsPage"));
const NoPage = lazy(() => import("./pages/NoPage"));

/** What every page is given. */
export interface PageContext {
  session: Session;
  account: Account;
  algorithms: AlgorithmsStore;
  firing: Firing;
  nav: ReactNode;
}

export const groups = ["POOL", "MONEY", "ALGORITHMS", "OPERATION", "PEOPLE", "YOU"] as const;
export type Group = (typeof groups)[number];

export interface Page {
  /** `{name}` is one part of a path, which `view` gets decoded. */
  path: string;
  /** In the navigation; a page without is reached from others. */
  link?: { group: Group; title: string };
  needs: Needs;
  /** Not offered where the pool has no algorithm routes. */
  algorithms?: boolean;
  view: (context: PageContext, name: string) => ReactNode;
}

/** Every page, in the order of the navigation: the router and the navigation both come from here. */
export const pages: readonly Page[] = [
  {
    path: "/",
    link: { group: "POOL", title: "OVERVIEW" },
    needs: "anybody",
    view: ({ session, firing, nav }) => <Overview session={session} firing={firing} nav={nav} />,
  },
  {
    path: "/dag",
    link: { group: "POOL", title: "DAG" },
    needs: "anybody",
    view: ({ session, nav }) => <DagPage session={session} nav={nav} />,
  },
  {
    path: "/blocks",
    link: { group: "POOL", title: "BLOCKS" },
    needs: "anybody",
    view: ({ session, nav }) => <BlocksPage session={session} nav={nav} />,
  },
  {
    path: "/blocks/{name}",
    needs: "anybody",
    view: ({ session, nav }, name) => <BlockPage key={name} hash={name} session={session} nav={nav} />,
  },
  {
    path: "/miners",
    link: { group: "POOL", title: "MINERS" },
    needs: "anybody",
    view: ({ session, nav }) => <MinersPage session={session} nav={nav} />,
  },
  {
    path: "/miners/{name}",
    needs: "anybody",
    view: ({ session, nav }, name) => <MinerPage key={name} account={name} session={session} nav={nav} />,
  },
  {
    path: "/payouts",
    link: { group: "MONEY", title: "PAYOUTS" },
    needs: "viewer",
    view: ({ session, algorithms, nav }) => <PayoutsPage session={session} keeper={algorithms.keeper} nav={nav} />,
  },
  {
    path: "/algorithms",
    link: { group: "ALGORITHMS", title: "ALGORITHMS" },
    needs: "anybody",
    algorithms: true,
    view: ({ session, algorithms, nav }) => <AlgorithmsPage session={session} store={algorithms} nav={nav} />,
  },
  {
    path: "/deployments",
    link: { group: "ALGORITHMS", title: "DEPLOYMENTS" },
    needs: "viewer",
    algorithms: true,
    view: (context) => <DeploymentsPage {...context} />,
  },
  {
    path: "/deployments/{name}",
    needs: "viewer",
    view: (context, name) => <DeploymentPage key={name} {...context} id={name} />,
  },
  {
    path: "/algorithms/bench",
    link: { group: "ALGORITHMS", title: "BENCH" },
    needs: "anybody",
    algorithms: true,
    view: ({ session, nav }) => <BenchPage session={session} nav={nav} />,
  },
  {
    path: "/alerts",
    link: { group: "OPERATION", title: "ALERTS" },
    needs: "viewer",
    view: ({ session, account, nav }) => <AlertsPage session={session} account={account} nav={nav} />,
  },
  {
    path: "/system",
    link: { group: "OPERATION", title: "SYSTEM" },
    needs: "viewer",
    view: (context) => <SystemPage {...context} />,
  },
  {
    path: "/bans",
    link: { group: "OPERATION", title: "BANS" },
    needs: "viewer",
    view: (context) => <BansPage {...context} />,
  },
  {
    path: "/config",
    link: { group: "OPERATION", title: "CONFIG" },
    needs: "operator",
    view: (context) => <ConfigPage {...context} />,
  },
  {
    path: "/logs",
    link: { group: "OPERATION", title: "LOGS" },
    needs: "operator",
    view: (context) => <LogsPage {...context} />,
  },
  {
    path: "/users",
    link: { group: "PEOPLE", title: "USERS" },
    needs: "admin",
    view: ({ session, account, nav }) => <UsersPage session={session} account={account} nav={nav} />,
  },
  {
    path: "/audit",
    link: { group: "PEOPLE", title: "AUDIT" },
    needs: "admin",
    view: ({ session, account, nav }) => <AuditPage session={session} account={account} nav={nav} />,
  },
  {
    path: "/account",
    link: { group: "YOU", title: "ACCOUNT" },
    needs: "known",
    view: ({ session, account, nav }) => <AccountPage session={session} account={account} nav={nav} />,
  },
  {
    path: "/forgot",
    needs: "anybody",
    view: ({ session, account, nav }) => <ForgotPage session={session} account={account} nav={nav} />,
  },
  {
    path: "/reset",
    needs: "anybody",
    view: ({ session, account, nav }) => <ResetPage session={session} account={account} nav={nav} />,
  },
  {
    path: "/verify",
    needs: "anybody",
    view: ({ session, account, nav }) => <VerifyPage session={session} account={account} nav={nav} />,
  },
  {
    path: "/sign-in",
    link: { group: "YOU", title: "SIGN_IN" },
    needs: "stranger",
    view: ({ session, account, nav }) => <SignInPage session={session} account={account} nav={nav} />,
  },
];

/** For a path that nobody knows. */
const noPage: Page = {
  path: "",
  needs: "anybody",
  view: ({ session, nav }) => <NoPage session={session} nav={nav} />,
};

/** The page for a path, and what stands there for its `{name}`. */
export function pageOf(path: string): { page: Page; name: string } {
  for (const page of pages) {
    const name = nameIn(page.path, path);
    if (name !== null) return { page, name };
  }
  return { page: noPage, name: "" };
}

function nameIn(pattern: string, path: string): string | null {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return null;
  let name = "";
  for (const [index, part] of wanted.entries()) {
    const there = given[index] ?? "";
    if (part === "{name}" && there !== "") name = decoded(there);
    else if (part !== there) return null;
  }
  return name;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
