// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from "vitest";
import { pages } from "../pages";
import { begin } from "./begin";
import { views } from "./views";

const plans = {
  "/": { files: ["/assets/Overview.js"], asks: ["/api/stats"] },
  "/blocks": { files: ["/assets/Blocks.js", "/assets/Blocks.css"], asks: ["/api/stats", "/api/blocks?limit=50"] },
  "/blocks/{name}": { files: [], asks: ["/api/stats", "/api/blocks/{name}"] },
};

const asked = () =>
  [...document.head.querySelectorAll("link")].map((link) => `${link.rel} ${link.getAttribute("href")}`);

describe("what is asked for before the scripts are there", () => {
  beforeEach(() => {
    document.head.innerHTML = "";
  });

  it.each([
    ["/", "", ["preload /api/stats", "modulepreload /assets/Overview.js"]],
    [
      "/blocks/",
      "",
      [
        "preload /api/stats",
        "preload /api/blocks?limit=50",
        "modulepreload /assets/Blocks.js",
        "preload /assets/Blocks.css",
      ],
    ],
    // A filter asks for something else, which the page knows best.
    [
      "/blocks",
      "?status=paid",
      ["preload /api/stats", "modulepreload /assets/Blocks.js", "preload /assets/Blocks.css"],
    ],
    ["/blocks/00%2Fff", "", ["preload /api/stats", "preload /api/blocks/00%2Fff"]],
    ["/blocks/kaspa:x", "", ["preload /api/stats", "preload /api/blocks/kaspa%3Ax"]],
    ["/blocks/%zz", "", ["preload /api/stats", "preload /api/blocks/%zz"]],
    ["/nobody/knows/it", "", ["preload /api/stats", "modulepreload /assets/Overview.js"]],
  ])("%s%s", (pathname, search, wanted) => {
    begin(plans, { pathname, search }, document);
    expect(asked()).toEqual(wanted);
  });

  it("is asked for by the same rules for other origins as later on, or it would come twice", () => {
    begin(plans, { pathname: "/blocks", search: "" }, document);
    for (const link of document.head.querySelectorAll("link")) expect(link.crossOrigin).toBe("");
  });

  it("asks for nothing where the build knows nothing", () => {
    begin({}, { pathname: "/", search: "" }, document);
    expect(asked()).toEqual([]);
  });

  it("knows every page", () => {
    expect(Object.keys(views)).toEqual(pages.map(({ path }) => path));
  });
});
