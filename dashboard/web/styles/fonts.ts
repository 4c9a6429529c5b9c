import inter400 from "@fontsource/inter/files/inter-latin-400-normal.woff2?url";
import inter600 from "@fontsource/inter/files/inter-latin-600-normal.woff2?url";
import mono400 from "@fontsource/jetbrains-mono/files/jetbrains-mono-latin-400-normal.woff2?url";
import mono700 from "@fontsource/jetbrains-mono/files/jetbrains-mono-latin-700-normal.woff2?url";

/* Bundled, Latin only: nothing is loaded from elsewhere. */
const faces = [
  ["Inter", inter400, "400"],
  ["Inter", inter600, "600"],
  ["JetBrains Mono", mono400, "400"],
  ["JetBrains Mono", mono700, "700"],
] as const;
/** That this browser has them: then they come at once. */
const key = "dagpool.fonts";
/** What the page is for comes first, and so does what is done with it. */
const restMs = 2_500;

async function load(): Promise<void> {
  const wanted = faces.map(([family, url, weight]) =>
    new FontFace(family, `url("${url}") format("woff2")`, { weight }).load(),
  );
  // All in one go: what is written changes once, and keeps its place, as the stand-ins are as wide.
  for (const face of await Promise.all(wanted)) document.fonts.add(face);
  localStorage.setItem(key, mono400);
}

/** The fonts of the design. The first time they come once the page has been of use, in fonts that every system has. */
export function loadFonts(): void {
  const now = () => void load().catch(() => undefined);
  let known = false;
  try {
    known = localStorage.getItem(key) === mono400;
  } catch {
    // Storage may be forbidden.
  }
  if (known) now();
  else if (document.readyState === "complete") setTimeout(now, restMs);
  else window.addEventListener("load", () => setTimeout(now, restMs), { once: true });
}
