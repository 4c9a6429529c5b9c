import { useState } from "react";

/** Puts a text on the clipboard, where the browser allows that. */
export function Copy({ text, what = "the hash" }: { text: string; what?: string }) {
  const [done, setDone] = useState<"copied" | "failed" | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone("copied");
    } catch {
      // Browsers refuse on plain http; the text can still be selected by hand.
      setDone("failed");
    }
    setTimeout(() => setDone(null), 1500);
  };
  const word = done === "copied" ? "COPIED" : done === "failed" ? "SELECT IT BY HAND" : "COPY";
  return (
    <button type="button" className="button button-small" onClick={copy} aria-label={`Copy ${what}`}>
      <span aria-live="polite">{word}</span>
    </button>
  );
}
