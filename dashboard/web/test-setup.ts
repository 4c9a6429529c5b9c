import { afterEach, vi } from "vitest";

/** What jsdom lacks and the page asks for. Tests of plain logic run without it and need none of this. */
class QuietObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
}

if (typeof window !== "undefined") {
  const { cleanup, fireEvent } = await import("@testing-library/react");
  // As browsers do it: a field says first that something was put in, then that it is another one.
  const { change } = fireEvent;
  fireEvent.change = (element, init) => {
    fireEvent.input(element, init);
    return change(element);
  };
  vi.stubGlobal("ResizeObserver", QuietObserver);
  vi.stubGlobal("CSS", { escape: (text: string) => text });
  vi.stubGlobal("matchMedia", (media: string) => ({
    media,
    matches: false,
    addEventListener() {},
    removeEventListener() {},
  }));
  HTMLDialogElement.prototype.showModal = function showModal(this: HTMLDialogElement) {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close(this: HTMLDialogElement) {
    this.open = false;
  };
  window.scrollTo = (() => {}) as typeof window.scrollTo;
  Element.prototype.scrollTo = function scrollTo(this: Element, where?: ScrollToOptions | number) {
    if (typeof where === "object") this.scrollLeft = where.left ?? 0;
  } as typeof Element.prototype.scrollTo;
  afterEach(() => cleanup());
}
