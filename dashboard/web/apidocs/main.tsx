import "./docs.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { loadFonts } from "../styles/fonts";
import { Boundary } from "../ui/Boundary";
import { DocsPage } from "./DocsPage";

loadFonts();
const root = document.getElementById("root");
if (!root) throw new Error("api-docs.html has no #root");
createRoot(root).render(
  <StrictMode>
    <Boundary>
      <DocsPage />
    </Boundary>
  </StrictMode>,
);
