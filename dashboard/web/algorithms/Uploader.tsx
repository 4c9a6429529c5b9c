import { useEffect, useRef, useState } from "react";
import { bytes } from "../format/number";
import { useNotify } from "../ui/Toasts";
import type { Outcome, UploadProgress } from "./api";
import { Dropzone } from "./Dropzone";
import { FailureCard } from "./FailureCard";
import type { Failure } from "./failure";
import type { StageReport } from "./schema";

interface UploaderProps {
  /** Why nothing may be uploaded, or null. */
  barred: string | null;
  onStage: (
    file: File,
    onProgress: (progress: UploadProgress) => void,
    signal: AbortSignal,
  ) => Promise<Outcome<StageReport>>;
}

/** The pool's checks, in its order. */
const order: readonly (readonly [string, string])[] = [
  ["container", "nothing but the files of the format, each once"],
  ["manifest", "well formed, and true to the code"],
  ["signature", "by a trusted key, of these very contents"],
  ["compatibility", "engine, platform, processor, memory"],
  ["vectors", "every known answer comes out right"],
  ["determinism", "the same input gives the same hash, in every instance"],
  ["benchmark", "as fast as it says, on this machine"],
  ["limits", "within its memory and its time"],
];

/** Takes a package by drag and drop or by choice, sends it, and says how far it is. */
export function Uploader({ barred, onStage }: UploaderProps) {
  const notify = useNotify();
  const [sending, setSending] = useState<{ name: string; progress: UploadProgress } | null>(null);
  const [problem, setProblem] = useState<Failure | null>(null);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  const send = async (file: File) => {
    setProblem(null);
    const controller = new AbortController();
    abort.current = controller;
    const report = (progress: UploadProgress) => setSending({ name: file.name, progress });
    report({ phase: "sending", sent: 0, total: file.size });
    const outcome = await onStage(file, report, controller.signal);
    abort.current = null;
    setSending(null);
    if (outcome.ok) notify("success", `${outcome.value.algorithm_id} is staged`);
    else {
      setProblem(outcome.failure.kind === "cancelled" ? null : outcome.failure);
      notify(outcome.failure.kind === "cancelled" ? "info" : "error", outcome.failure.message);
    }
  };

  return (
    <div className="uploader">
      {sending ? (
        <Sending {...sending} onCancel={() => abort.current?.abort()} />
      ) : (
        <Dropzone
          note={barred ?? "algorithm-package-NAME-vX.Y.Z.zip, signed by a trusted key"}
          closed={barred !== null}
          onFile={(file) => void send(file)}
        />
      )}
      {problem && <FailureCard failure={problem} onDismiss={() => setProblem(null)} />}
      <h3 className="sub">THEN_THE_POOL_CHECKS</h3>
      <ol className="notes notes-steps">
        {order.map(([name, text]) => (
          <li key={name}>
            <strong>{name}</strong> {text}
          </li>
        ))}
      </ol>
      <p className="note">Staging runs beside the traffic and moves no miner. The first check that fails ends it.</p>
    </div>
  );
}

function Sending({ name, progress, onCancel }: { name: string; progress: UploadProgress; onCancel: () => void }) {
  const checking = progress.phase === "checking";
  const part = checking ? 100 : progress.total > 0 ? (progress.sent / progress.total) * 100 : 0;
  return (
    <div className="sending">
      <p className="sending-name">{name}</p>
      <div
        className={checking ? "progress progress-busy" : "progress"}
        role="progressbar"
        aria-label={checking ? "The pool checks the package" : "Upload"}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={checking ? undefined : Math.round(part)}
      >
        <span className="progress-fill" style={{ width: `${part}%` }} />
      </div>
      <p className="sending-note">
        {checking
          ? "Sent. The pool checks signature, compatibility, vectors and determinism, and measures its speed…"
          : `${bytes(progress.sent)} of ${bytes(progress.total)} · ${Math.round(part)}%`}
      </p>
      <button type="button" className="button button-small" onClick={onCancel}>
        CANCEL
      </button>
    </div>
  );
}
