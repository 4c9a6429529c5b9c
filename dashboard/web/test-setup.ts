import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

/** What jsdom lacks and the page asks for. */
class QuietObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
}
vi.stubGlobal("ResizeObserver", QuietObserver);
Object.defineProperty(window, "matchMedia", {
  value: (media: string) => ({
    media,
    matches: false,
    addEventListener() {},
    removeEventListener() {},
    addListener() {},
  }),
});
Element.prototype.scrollTo = function scrollTo(this: Element, where?: ScrollToOptions | number) {
  if (typeof where === "object") this.scrollLeft = where.left ?? 0;
} as typeof Element.prototype.scrollTo;
vi.stubGlobal("CSS", { escape: (text: string) => text });

afterEach(() => cleanup());
