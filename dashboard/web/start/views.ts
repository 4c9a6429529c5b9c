/** What a page needs beyond the scripts of all: its own module, and the answers that it asks for first. */
export interface View {
  /** Below `web/`. */
  module: string;
  /** `{name}` is that of the path. */
  asks: readonly string[];
}

const figures = "/api/stats";

/**
 * By path, as in `pages.tsx`: the build makes `start.js` of it, which asks for all of that while the scripts are still on their way.
 * A page that is missing here works, and comes later.
 */
export const views: Readonly<Record<string, View>> = {
  "/": {
    module: "pages/Overview.tsx",
    asks: [figures, "/api/blocks?limit=60", "/api/miners?active=true&limit=200"],
  },
  "/dag": { module: "dag/DagPage.tsx", asks: [figures, "/api/blocks?limit=60", "/api/miners?active=true&limit=200"] },
  "/blocks": { module: "blocks/BlocksPage.tsx", asks: [figures, "/api/blocks?limit=50"] },
  "/blocks/{name}": { module: "blocks/BlockPage.tsx", asks: [figures, "/api/blocks/{name}"] },
  "/miners": {
    module: "miners/MinersPage.tsx",
    asks: [figures, "/api/miners?active=true&sort=hashrate&order=desc&limit=200"],
  },
  "/miners/{name}": { module: "miner/MinerPage.tsx", asks: [figures, "/api/miners/{name}"] },
  "/payouts": { module: "payouts/PayoutsPage.tsx", asks: [figures] },
  "/algorithms": { module: "algorithms/AlgorithmsPage.tsx", asks: [figures, "/api/algorithms/status"] },
  "/deployments": { module: "operate/DeploymentsPage.tsx", asks: [figures] },
  "/deployments/{name}": { module: "operate/DeploymentPage.tsx", asks: [figures] },
  "/algorithms/bench": { module: "bench/BenchPage.tsx", asks: [figures] },
  "/alerts": { module: "alerts/AlertsPage.tsx", asks: [figures] },
  "/system": { module: "operate/SystemPage.tsx", asks: [figures] },
  "/bans": { module: "operate/BansPage.tsx", asks: [figures] },
  "/config": { module: "operate/ConfigPage.tsx", asks: [figures] },
  "/logs": { module: "operate/LogsPage.tsx", asks: [figures] },
  "/users": { module: "account/UsersPage.tsx", asks: [figures] },
  "/audit": { module: "account/AuditPage.tsx", asks: [figures] },
  "/account": { module: "account/AccountPage.tsx", asks: [figures] },
  "/forgot": { module: "account/MailPages.tsx", asks: [figures] },
  "/reset": { module: "account/MailPages.tsx", asks: [figures] },
  "/verify": { module: "account/MailPages.tsx", asks: [figures] },
  "/sign-in": { module: "account/SignInPage.tsx", asks: [figures] },
};
