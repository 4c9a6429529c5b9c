import "./styles/fonts.css";
import "./styles/theme.css";
import "./styles/layout.css";
import "./styles/components.css";
import "./styles/dag.css";
import "./styles/ui.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { AlgorithmsStore } from "./algorithms/store";
import { liveUrl, Session } from "./state/session";
import { Boundary } from "./ui/Boundary";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
const algorithms = new AlgorithmsStore();
const session = new Session({ url: liveUrl(window.location) });
createRoot(root).render(
  <StrictMode>
    <Boundary>
      <App session={session} algorithms={algorithms} />
    </Boundary>
  </StrictMode>,
);
