import { type FormEvent, useState } from "react";
import type { OpenApi } from "../api/generate";
import { address, curl, example, jsonOf, type Route } from "./model";

export type Fetch = (address: string, init: RequestInit) => Promise<Response>;

interface Answer {
  status: string;
  id: string;
  ms: number;
  text: string;
}

const shownMax = 100_000;

/** JSON so that people can read it; anything else as it is. */
function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

interface Props {
  route: Route;
  document: OpenApi;
  token: string;
  fetcher: Fetch;
}

/** Sends a request to this pool, and shows what it answers. */
export function TryIt({ route, document, token, fetcher }: Props) {
  const { method, path, operation } = route;
  const parameters = operation.parameters ?? [];
  const wanted = jsonOf(operation.requestBody?.content);
  const [values, setValues] = useState<Record<string, string>>({});
  const [body, setBody] = useState(() => (wanted === null ? "" : JSON.stringify(example(wanted, document), null, 2)));
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const to = address(path, parameters, values);
  const secured = operation.security !== undefined;

  async function send(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setTrouble(null);
    const headers: Record<string, string> = {};
    if (token !== "") headers.Authorization = `Bearer ${token}`;
    if (body !== "") headers["Content-Type"] = "application/json";
    const begun = performance.now();
    try {
      const response = await fetcher(to, body === "" ? { method, headers } : { method, headers, body });
      const text = readable(await response.text());
      setAnswer({
        status: `${response.status} ${response.statusText}`.trim(),
        id: response.headers.get("X-Request-Id") ?? "",
        ms: Math.round(performance.now() - begun),
        text: text.length > shownMax ? `${text.slice(0, shownMax)}\n...` : text,
      });
    } catch {
      setAnswer(null);
      setTrouble("The pool did not answer.");
    }
    setBusy(false);
  }

  return (
    <form className="try" onSubmit={send}>
      {parameters.map((parameter) => (
        <label key={parameter.name} className="try-field">
          <span className="label">
            {parameter.name}
            {parameter.required && <em> needed</em>}
          </span>
          <input
            value={values[parameter.name] ?? ""}
            required={parameter.required}
            placeholder={String(example(parameter.schema, document) ?? "")}
            autoComplete="off"
            spellCheck="false"
            onChange={(event) => setValues({ ...values, [parameter.name]: event.target.value })}
          />
        </label>
      ))}
      {wanted !== null && (
        <label className="try-field">
          <span className="label">body</span>
          <textarea
            rows={Math.min(12, body.split("\n").length + 1)}
            value={body}
            spellCheck="false"
            onChange={(event) => setBody(event.target.value)}
          />
        </label>
      )}
      <pre className="curl">{curl(window.location.origin, method, to, body, secured)}</pre>
      <div className="try-send">
        <button type="submit" className={method === "GET" ? "send" : "send send-acts"} disabled={busy}>
          {busy ? "SENDING" : `SEND ${method}`}
        </button>
        {secured && token === "" && <span className="warn">This route needs a token: give one at the top.</span>}
      </div>
      <div aria-live="polite">
        {trouble !== null && <p className="trouble">{trouble}</p>}
        {answer !== null && (
          <>
            <p className="answer-line">
              <strong>{answer.status}</strong> in {answer.ms} ms {answer.id !== "" && <code>{answer.id}</code>}
            </p>
            {answer.text !== "" && (
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
              <pre className="answer" tabIndex={0}>
                {answer.text}
              </pre>
            )}
          </>
        )}
      </div>
    </form>
  );
}
