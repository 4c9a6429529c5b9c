/** What the page makes of the API's description. */
import { named, type OpenApi, type Operation, type Parameter, type Schema } from "../api/generate";

export interface Route {
  method: string;
  path: string;
  operation: Operation;
}

export interface Group {
  tag: string;
  about: string;
  routes: Route[];
}

/** Routes by tag, in the order of the tags; only those that have all words of `wanted` in them. */
export function groups({ tags, paths }: OpenApi, wanted = ""): Group[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const routes: Route[] = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const fits = ({ method, path, operation }: Route) => {
    const text = `${method} ${path} ${operation.summary} ${operation.tags.join(" ")}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return tags
    .map(({ name, description }) => ({
      tag: name,
      about: description,
      routes: routes.filter((route) => route.operation.tags[0] === name && fits(route)),
    }))
    .filter((group) => group.routes.length > 0);
}

/** Follows references. */
export function resolved(schema: Schema, { components }: OpenApi): Schema {
  return schema.$ref === undefined ? schema : (components.schemas[named(schema.$ref)] ?? {});
}

const deepest = 6;

/** A value that a schema takes. */
export function example(schema: Schema & { examples?: unknown[] }, document: OpenApi, depth = 0): unknown {
  const whole: Schema & { examples?: unknown[]; minimum?: number } = resolved(schema, document);
  if (whole.examples?.[0] !== undefined) return whole.examples[0];
  if (whole.enum !== undefined) return whole.enum[0];
  const choice = (whole.anyOf ?? whole.oneOf)?.[0];
  if (choice !== undefined) return example(choice, document, depth);
  const kind = Array.isArray(whole.type) ? whole.type[0] : whole.type;
  if (kind === "object") {
    if (depth >= deepest) return {};
    const fields = Object.entries(whole.properties ?? {}).filter(([name]) => whole.required?.includes(name));
    return Object.fromEntries(fields.map(([name, field]) => [name, example(field, document, depth + 1)]));
  }
  if (kind === "array") return whole.items === undefined ? [] : [example(whole.items, document, depth + 1)];
  if (kind === "integer" || kind === "number") return Math.max(whole.minimum ?? 0, 1);
  if (kind === "boolean") return false;
  return kind === "string" ? "text" : null;
}

/** The media type and schema of a request's or an answer's content that this page shows. */
export function jsonOf(content: Record<string, { schema: Schema }> | undefined): Schema | null {
  return content?.["application/json"]?.schema ?? null;
}

/** The address of a request, with what was filled in. */
export function address(path: string, parameters: Parameter[], values: Record<string, string>): string {
  const given = (parameter: Parameter) => values[parameter.name]?.trim() ?? "";
  const filled = parameters
    .filter((parameter) => parameter.in === "path")
    .reduce((text, parameter) => text.replace(`{${parameter.name}}`, encodeURIComponent(given(parameter))), path);
  const query = new URLSearchParams();
  for (const parameter of parameters)
    if (parameter.in === "query" && given(parameter) !== "") query.set(parameter.name, given(parameter));
  const text = query.toString();
  return text === "" ? filled : `${filled}?${text}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same request on a command line; the token is left for the reader to fill in. */
export function curl(origin: string, method: string, to: string, body: string, secured: boolean): string {
  const parts = ["curl", ...(method === "GET" ? [] : ["-X", method])];
  if (secured) parts.push("-H", '"Authorization: Bearer $TOKEN"');
  if (body !== "") parts.push("-H", "'Content-Type: application/json'", "-d", quoted(body));
  return [...parts, quoted(origin + to)].join(" ");
}
