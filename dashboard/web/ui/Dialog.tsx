import { type ReactNode, useId, useLayoutEffect, useRef } from "react";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Stays open while something is on its way. */
  busy?: boolean;
  wide?: boolean;
}

/** A modal dialog: the browser keeps the focus inside, and gives it back when it closes. */
export function Dialog({ title, onClose, children, busy = false, wide = false }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  // While it is still in the page: one that was taken out gives no focus back.
  useLayoutEffect(() => {
    const dialog = box.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={box}
      className={wide ? "dialog dialog-wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        if (!busy) onClose();
      }}
    >
      <header className="panel-header">
        <h2 className="panel-title" id={id}>
          {title}
        </h2>
        <div className="panel-aside">
          <button type="button" className="dialog-close" aria-label="Close" disabled={busy} onClick={onClose}>
            ✕
          </button>
        </div>
      </header>
      <div className="dialog-content">{children}</div>
    </dialog>
  );
}
