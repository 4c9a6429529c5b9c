import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from "react";

export type ToastTone = "success" | "info" | "warning" | "error";

interface Toast {
  id: number;
  about: string;
  tone: ToastTone;
  text: string;
}

/** News about the same thing replaces what was said of it before. */
type Notify = (tone: ToastTone, text: string, about?: string) => void;

const NotifyContext = createContext<Notify>(() => {});

const marks: Record<ToastTone, string> = { success: "✓", info: "i", warning: "!", error: "✕" };
/** Good news leaves by itself; what went wrong stays until it was read. */
const staysMs = 7_000;
const most = 3;

export function useNotify(): Notify {
  return useContext(NotifyContext);
}

/** Short news in a corner, read aloud once. */
export function Toasts({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const last = useRef(0);
  const dismiss = useCallback((id: number) => setToasts((shown) => shown.filter((toast) => toast.id !== id)), []);
  const notify = useCallback<Notify>(
    (tone, text, about = text) => {
      last.current += 1;
      const id = last.current;
      setToasts((shown) => [
        ...shown.filter((toast) => toast.about !== about).slice(1 - most),
        { id, about, tone, text },
      ]);
      if (tone === "success" || tone === "info") setTimeout(() => dismiss(id), staysMs);
    },
    [dismiss],
  );
  const list = useMemo(
    () =>
      toasts.map((toast) => (
        <div className={`toast toast-${toast.tone}`} key={toast.id}>
          <span className="toast-mark" aria-hidden="true">
            {marks[toast.tone]}
          </span>
          <p className="toast-text">{toast.text}</p>
          <button type="button" className="toast-close" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
            ✕
          </button>
        </div>
      )),
    [toasts, dismiss],
  );
  return (
    <NotifyContext value={notify}>
      {children}
      <section className="toasts" aria-label="Notifications" aria-live="polite" aria-relevant="additions">
        {list}
      </section>
    </NotifyContext>
  );
}
