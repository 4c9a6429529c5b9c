/** TypeScript types from the API's description (`openapi.json`), as `types.ts` has them. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  const?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

interface Content {
  content?: Record<string, { schema: Schema }>;
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  parameters?: Parameter[];
  requestBody?: Content & { required: boolean };
  responses: Record<string, Content & { $ref?: string; description?: string }>;
  security?: unknown[];
}

export interface Parameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  description?: string;
  schema: Schema;
}

export interface OpenApi {
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, { description: string }> };
}

const words: Record<string, string> = {
  string: "string",
  integer: "number",
  number: "number",
  boolean: "boolean",
  null: "null",
};

/** The name that a reference leads to. */
export function named(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

function comment(text: string | undefined, indent: string): string {
  return text === undefined ? "" : `${indent}/** ${text.replaceAll("\n", " ").replaceAll("*/", "* /")} */\n`;
}

function fields(schema: Schema, indent: string): string {
  const deeper = `${indent}  `;
  const lines = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const mark = schema.required?.includes(name) ? "" : "?";
    return `${comment(field.description, deeper)}${deeper}${name}${mark}: ${typed(field, deeper)};\n`;
  });
  return `{\n${lines.join("")}${indent}}`;
}

function ofOneKind(kind: string, schema: Schema, indent: string): string {
  if (kind === "array") {
    const item = typed(schema.items ?? {}, indent);
    return /[|&]/.test(item) ? `(${item})[]` : `${item}[]`;
  }
  if (kind !== "object") return words[kind] ?? "unknown";
  if (schema.properties !== undefined) return fields(schema, indent);
  const values = schema.additionalProperties;
  return `Record<string, ${typeof values === "object" ? typed(values, indent) : "unknown"}>`;
}

/** The type of a schema. */
export function typed(schema: Schema, indent = ""): string {
  if (schema.$ref !== undefined) return named(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map((choice) => typed(choice, indent)).join(" | ");
  if (schema.allOf !== undefined) return schema.allOf.map((part) => typed(part, indent)).join(" & ");
  if (schema.type === undefined) return schema.properties === undefined ? "unknown" : fields(schema, indent);
  const kinds = Array.isArray(schema.type) ? schema.type : [schema.type];
  return kinds.map((kind) => ofOneKind(kind, schema, indent)).join(" | ");
}

function json(content: Content | undefined): Schema | undefined {
  return content?.content?.["application/json"]?.schema;
}

/** What a successful answer holds; `null` for one without a body. */
function answer(operation: Operation): string {
  const good = Object.entries(operation.responses).filter(([status]) => status.startsWith("2"));
  const types = good.map(([, response]) => {
    const schema = json(response);
    if (schema !== undefined) return typed(schema);
    return response.content === undefined ? "null" : "string";
  });
  return [...new Set(types)].join(" | ") || "null";
}

/** The whole file. */
export function generate(document: OpenApi): string {
  const types = Object.entries(document.components.schemas).map(([name, schema]) => {
    const text = comment(schema.description, "");
    const isPlain = schema.type === "object" && schema.properties !== undefined;
    return isPlain
      ? `${text}export interface ${name} ${fields(schema, "")}\n`
      : `${text}export type ${name} = ${typed(schema)};\n`;
  });
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );
  const answers = operations.map(({ name, operation }) => `  "${name}": ${answer(operation)};\n`);
  const bodies = operations.flatMap(({ name, operation }) => {
    const schema = json(operation.requestBody);
    return schema === undefined ? [] : [`  "${name}": ${typed(schema)};\n`];
  });
  return [
    "// Made of openapi.json by `npm run api-types`; a test sees to it that it is.\n",
    ...types,
    `/** What a route answers when all is well. */\nexport interface Answers {\n${answers.join("")}}\n`,
    `/** What a route takes. */\nexport interface Bodies {\n${bodies.join("")}}\n`,
  ].join("\n");
}
