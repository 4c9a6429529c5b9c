import { useCallback, useEffect, useRef, useState } from "react";
import type { Failure } from "../algorithms/failure";
import type { Outcome } from "./client";

export interface Polled<T> {
  value: T | null;
  failure: Failure | null;
  /** Asks now. */
  load: () => Promise<void>;
  /** Asks again once this was done; shows why it was refused. */
  act: (doing: Promise<Outcome<unknown>>) => Promise<Failure | null>;
}

/**
 * Asked for now and every `everyMs` while somebody looks (0: now only). What is known stays while the pool fails. Of two answers
 * that are under way only the later question's is taken; by itself nothing is asked while an answer is under way.
 */
export function usePolled<T>(ask: () => Promise<Outcome<T>>, everyMs = 0): Polled<T> {
  const [value, setValue] = useState<T | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const round = useRef({ asked: 0, answered: 0 });
  const load = useCallback(async () => {
    const mine = ++round.current.asked;
    const answer = await ask();
    if (mine !== round.current.asked) return;
    round.current.answered = mine;
    setFailure(answer.ok ? null : answer.failure);
    if (answer.ok) setValue(answer.value);
  }, [ask]);
  useEffect(() => {
    void load();
    const again = () => {
      const { asked, answered } = round.current;
      if (asked === answered && document.visibilityState === "visible") void load();
    };
    const timer = everyMs > 0 ? setInterval(again, everyMs) : undefined;
    return () => {
      round.current.asked += 1;
      clearInterval(timer);
    };
  }, [load, everyMs]);
  const act = async (doing: Promise<Outcome<unknown>>): Promise<Failure | null> => {
    const answer = await doing;
    if (answer.ok) await load();
    else setFailure(answer.failure);
    return answer.ok ? null : answer.failure;
  };
  return { value, failure, load, act };
}

/** What is known of a list that comes in pages. */
export interface Known<T> {
  items: readonly T[];
  next: string | null;
}

/**
 * A list that comes in pages: the first one now, the next ones with `more`, until so many are known. `again` asks anew for as
 * many as are known. What is known stays while the pool fails, and of two answers only the later question's is taken.
 */
export function usePages<T>(ask: (cursor: string | null) => Promise<Outcome<Known<T>>>) {
  const [known, setKnown] = useState<Known<T> | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [busy, setBusy] = useState(true);
  const round = useRef(0);
  const load = useCallback(
    async (from: Known<T> | null, wanted: number) => {
      const mine = ++round.current;
      setBusy(true);
      let { items, next }: Known<T> = from ?? { items: [], next: null };
      do {
        const answer = await ask(next);
        if (mine !== round.current) return;
        setFailure(answer.ok ? null : answer.failure);
        if (!answer.ok) break;
        items = [...items, ...answer.value.items];
        next = answer.value.next;
        if (from !== null || next === null || items.length >= wanted) setKnown({ items, next });
      } while (next !== null && items.length < wanted);
      setBusy(false);
    },
    [ask],
  );
  useEffect(() => {
    void load(null, 1);
    return () => {
      round.current += 1;
    };
  }, [load]);
  const more = (wanted: number) => load(known, wanted);
  const again = () => load(null, known?.items.length ?? 1);
  return { known, failure, busy, more, again };
}

/** A text once nobody has typed for a moment. */
export function useSettled(text: string, ms = 250): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), ms);
    return () => clearTimeout(timer);
  }, [text, ms]);
  return settled;
}
