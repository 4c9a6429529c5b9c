import { startTransition, useEffect, useState } from "react";
import type { PoolState } from "./model";
import type { Session } from "./session";

type Subscribe = (listener: () => void) => () => void;

/**
 * What a store shows, drawn so that it gives way to whatever the viewer does: React would do it in slices of a few milliseconds, where
 * `useSyncExternalStore` does it in one piece; Preact does either in one piece, and is quick. Both functions stay the same ones.
 */
export function useCalmly<T>(subscribe: Subscribe, shown: () => T): T {
  const [state, setState] = useState(shown);
  useEffect(() => {
    // What is shown may be a function.
    const follow = () => startTransition(() => setState(() => shown()));
    follow();
    return subscribe(follow);
  }, [subscribe, shown]);
  return state;
}

export function usePool({ store }: Pick<Session, "store">): PoolState {
  return useCalmly(store.subscribe, store.shown);
}

/** Counts up to `last`, one with each drawing: a large page is drawn part by part, and what is looked for first comes first. */
export function useStages(last: number): number {
  const [stage, setStage] = useState(0);
  useEffect(() => {
    if (stage < last) startTransition(() => setStage(stage + 1));
  }, [stage, last]);
  return stage;
}
