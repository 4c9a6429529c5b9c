/**
 * Runs a package's code away from the page: it is ended from outside when it hangs. The pool serves this file with a policy
 * of its own, which allows to compile wasm and forbids to reach anything.
 */
import { runPackage } from "./run";

addEventListener("message", (event: MessageEvent<ArrayBuffer>) => {
  void runPackage(new Uint8Array(event.data), {
    tell: (news) => postMessage(news),
    clock: () => performance.now(),
    measureMs: 2_000,
  });
});
