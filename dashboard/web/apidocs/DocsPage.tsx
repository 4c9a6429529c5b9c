import { useEffect, useState } from "react";
import { named, type OpenApi, typed } from "../api/generate";
import { groups, jsonOf, type Route } from "./model";
import { Prose } from "./Prose";
import { SchemaView } from "./SchemaView";
import { type Fetch, TryIt } from "./TryIt";

const timeoutMs = 10_000;

function OperationView({ route, document, token, fetcher }: OperationProps) {
  const { method, path, operation } = route;
  const [open, setOpen] = useState(window.location.hash === `#${operation.operationId}`);
  const body = jsonOf(operation.requestBody?.content);
  return (
    <details
      className="operation"
      id={operation.operationId}
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span className={`method method-${method.toLowerCase()}`}>{method}</span>
        <code className="path">{path}</code>
        <span className="summary">{operation.summary}</span>
        {operation.security !== undefined && <span className="locked">TOKEN</span>}
      </summary>
      {open && (
        <div className="operation-body">
          <p className="operation-needs">
            <Prose text={operation.description} /> <a href={`#${operation.operationId}`}>#{operation.operationId}</a>
          </p>
          {operation.parameters && (
            <section aria-label="Parameters">
              <h4 className="operation-part">PARAMETERS</h4>
              <ul className="schema">
                {operation.parameters.map(({ name, required, description, schema, in: place }) => (
                  <li key={name} className="field">
                    <code className="field-name">{name}</code>
                    <code className="field-type">{typed(schema)}</code>
                    <span className="field-mark">{required ? place : `${place}, optional`}</span>
                    {description !== undefined && (
                      <span className="field-about">
                        <Prose text={description} />
                      </span>
                    )}
                  </li>
                ))}
              </ul>
            </section>
          )}
          {body !== null && (
            <section aria-label="Body">
              <h4 className="operation-part">BODY{operation.requestBody?.required ? "" : " (may be missing)"}</h4>
              <SchemaView schema={body} document={document} />
            </section>
          )}
          <section aria-label="Answers">
            <h4 className="operation-part">ANSWERS</h4>
            {Object.entries(operation.responses).map(([status, response]) => {
              const refusal = response.$ref === undefined ? null : document.components.responses[named(response.$ref)];
              const schema = jsonOf(response.content);
              return (
                <div key={status} className="response">
                  <p className="response-line">
                    <code className={status.startsWith("2") ? "status-good" : "status-bad"}>{status}</code>{" "}
                    <Prose text={refusal?.description ?? response.description ?? ""} />
                  </p>
                  {schema !== null && <SchemaView schema={schema} document={document} />}
                </div>
              );
            })}
          </section>
          <section aria-label="Try it">
            <h4 className="operation-part">TRY IT</h4>
            <TryIt route={route} document={document} token={token} fetcher={fetcher} />
          </section>
        </div>
      )}
    </details>
  );
}

interface OperationProps {
  route: Route;
  document: OpenApi;
  token: string;
  fetcher: Fetch;
}

function Loaded({ document, fetcher }: { document: OpenApi; fetcher: Fetch }) {
  const [wanted, setWanted] = useState("");
  const [token, setToken] = useState("");
  const found = groups(document, wanted);
  useEffect(() => {
    if (window.location.hash.length > 1)
      globalThis.document.getElementById(window.location.hash.slice(1))?.scrollIntoView();
  }, []);
  return (
    <>
      <header className="docs-header">
        <h1>
          {document.info.title} <span className="docs-version">API {document.info.version}</span>
        </h1>
        <p>
          <Prose text={document.info.description} />
        </p>
        <p className="docs-links">
          <a href="/">dashboard</a> <a href="/api/openapi.json">openapi.json</a> <a href="/docs/errors">errors</a>
        </p>
        <div className="docs-tools">
          <label>
            <span className="label">FIND</span>
            <input type="search" value={wanted} onChange={(event) => setWanted(event.target.value)} />
          </label>
          <label>
            <span className="label">TOKEN</span>
            <input
              type="password"
              value={token}
              autoComplete="off"
              placeholder="stays in this page"
              onChange={(event) => setToken(event.target.value.trim())}
            />
          </label>
        </div>
      </header>
      <div className="docs-body">
        <nav aria-label="Parts of the API">
          <ul>
            {found.map(({ tag, routes }) => (
              <li key={tag}>
                <a href={`#tag-${tag}`}>
                  {tag} <span>{routes.length}</span>
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <main>
          {found.length === 0 && <p className="nothing">No route has these words in it.</p>}
          {found.map(({ tag, about, routes }) => (
            <section key={tag} aria-labelledby={`tag-${tag}`}>
              <h2 id={`tag-${tag}`}>{tag}</h2>
              <p className="docs-about">
                <Prose text={about} />
              </p>
              {routes.map((route) => (
                <OperationView
                  key={route.operation.operationId}
                  route={route}
                  document={document}
                  token={token}
                  fetcher={fetcher}
                />
              ))}
            </section>
          ))}
        </main>
      </div>
    </>
  );
}

/** The API's description for people: what there is, what it takes and answers, and a way to try it. */
export function DocsPage({ fetcher = (to, init) => fetch(to, init) }: { fetcher?: Fetch }) {
  const [document, setDocument] = useState<OpenApi | null>(null);
  const [failed, setFailed] = useState(false);
  const [tries, setTries] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another try asks again
  useEffect(() => {
    let gone = false;
    setFailed(false);
    fetcher("/api/openapi.json", { signal: AbortSignal.timeout(timeoutMs) })
      .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`${response.status}`))))
      .then((told) => !gone && setDocument(told as OpenApi))
      .catch(() => !gone && setFailed(true));
    return () => {
      gone = true;
    };
  }, [fetcher, tries]);
  if (document !== null) return <Loaded document={document} fetcher={fetcher} />;
  return (
    <main className="docs-wait" aria-live="polite">
      {failed ? (
        <>
          <h1>The pool does not answer</h1>
          <button type="button" className="send" onClick={() => setTries(tries + 1)}>
            TRY AGAIN
          </button>
        </>
      ) : (
        <h1>Reading the description...</h1>
      )}
    </main>
  );
}
