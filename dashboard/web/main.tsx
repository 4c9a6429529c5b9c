import "./styles/fonts.css";
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
import { liveUrl, Session } from "./state/session";
import { Boundary } from "./ui/Boundary";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
const account = new Account();
renewBy(account.renew);
account.start();
const algorithms = new AlgorithmsStore({ keeper: account });
const session = new Session({ url: liveUrl(window.location) });
createRoot(root).render(
  <StrictMode>
    <Boundary>
      <App session={session} algorithms={algorithms} account={account} />
    </Boundary>
  </StrictMode>,
);
