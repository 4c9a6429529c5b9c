import type { ReactNode } from "react";
import { Loading } from "../ui/Panel";
import { FailureCard } from "./FailureCard";
import type { Remote } from "./store";

interface RemoteProps<T> {
  remote: Remote<T>;
  what: string;
  children: (value: T) => ReactNode;
}

/** A part by itself: what is known stays shown when the next answer fails. */
export function RemoteView<T>({ remote, what, children }: RemoteProps<T>) {
  return (
    <>
      {remote.failure && <FailureCard failure={remote.failure} />}
      {remote.value !== null ? children(remote.value) : remote.failure === null && <Loading what={what} />}
    </>
  );
}
