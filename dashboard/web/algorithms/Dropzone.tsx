import { type ChangeEvent, type DragEvent, useId, useState } from "react";
import { Icon } from "../ui/icons";
import { FailureCard } from "./FailureCard";
import { type Failure, failure } from "./failure";

/** What can be said of files before anything is done with them. */
export function unfit(files: readonly File[]): Failure | null {
  const [file] = files;
  if (!file || files.length > 1) return failure("refused", "ONE_AT_A_TIME", "Choose one package at a time.");
  if (!file.name.toLowerCase().endsWith(".zip")) {
    const advice = { action: "Pack the algorithm", command: "dagpool algorithm pack", priority: "high" } as const;
    const text = `${file.name} is no .zip file. A package is what the pack command makes.`;
    return failure("refused", "NOT_A_PACKAGE", text, [advice]);
  }
  return file.size > 0 ? null : failure("refused", "EMPTY_FILE", `${file.name} is empty.`);
}

interface DropzoneProps {
  note: string;
  closed: boolean;
  onFile: (file: File) => void;
}

/** Takes one package by drag and drop or by choice. */
export function Dropzone({ note, closed, onFile }: DropzoneProps) {
  const id = useId();
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState<Failure | null>(null);
  const take = (files: FileList | null) => {
    if (!files || files.length === 0 || closed) return;
    const list = Array.from(files);
    const unfitness = unfit(list);
    setProblem(unfitness);
    if (!unfitness && list[0]) onFile(list[0]);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files);
  };
  const choose = (event: ChangeEvent<HTMLInputElement>) => {
    take(event.target.files);
    // The same file again, once it was packed anew, is a change too.
    event.target.value = "";
  };
  return (
    <>
      <label
        className="dropzone"
        htmlFor={id}
        data-over={over && !closed}
        data-closed={closed}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <Icon name="upload" />
        <span className="dropzone-main">
          {over && !closed ? "Let go to take it" : "Drop a package here, or choose a file"}
        </span>
        <span className="dropzone-note">{note}</span>
        <input id={id} type="file" accept=".zip,application/zip" disabled={closed} onChange={choose} />
      </label>
      {problem && <FailureCard failure={problem} onDismiss={() => setProblem(null)} />}
    </>
  );
}
