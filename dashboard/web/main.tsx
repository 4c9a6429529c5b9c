import "./styles/theme.css";
import "./styles/layout.css";
import "./styles/components.css";
import "./styles/dag.css";
import "./styles/ui.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Account } from "./account/account";
import { AlgorithmsStore } from "./algorithms/store";
import { renewBy } from "./feed/client";
import { loadRest } from "./feed/rest";
import { liveUrl, Session } from "./state/session";
import { loadFonts } from "./styles/fonts";
import { Boundary } from "./ui/Boundary";

loadFonts();
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
const account = new Account();
renewBy(account.renew);
account.start();
const algorithms = new AlgorithmsStore({ keeper: account });
/** What these pages are about. */
const withLists = () => ["/", "/dag"].includes(window.location.pathname);
const session = new Session({ url: liveUrl(window.location), load: () => loadRest(undefined, withLists()) });
session.start();
createRoot(root).render(
  <StrictMode>
    <Boundary>
      <App session={session} algorithms={algorithms} account={account} />
    </Boundary>
  </StrictMode>,
);
