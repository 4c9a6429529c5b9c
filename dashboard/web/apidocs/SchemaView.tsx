import { useState } from "react";
import { named, type OpenApi, type Schema, typed } from "../api/generate";
import { resolved } from "./model";
import { Prose } from "./Prose";

interface Props {
  schema: Schema;
  document: OpenApi;
}

/** The schema whose fields can be shown below one of this type, if it has any. */
function inner(schema: Schema, document: OpenApi): Schema | null {
  const choices = schema.anyOf?.filter((choice) => choice.type !== "null");
  if (choices?.length === 1 && choices[0]) return inner(choices[0], document);
  if (schema.items !== undefined) return inner(schema.items, document);
  const whole = resolved(schema, document);
  return whole.properties !== undefined || whole.anyOf !== undefined || whole.oneOf !== undefined ? whole : null;
}

function Field({ name, schema, required, document }: Props & { name: string; required: boolean }) {
  const [open, setOpen] = useState(false);
  const below = inner(schema, document);
  const whole = resolved(schema, document);
  // What a kind of text is, is said at its name: every other field has it.
  const about = schema.description ?? (below === null ? undefined : whole.description);
  return (
    <li>
      <div className="field">
        {below === null ? (
          <code className="field-name">{name}</code>
        ) : (
          <button type="button" className="field-name" aria-expanded={open} onClick={() => setOpen(!open)}>
            <span aria-hidden="true">{open ? "- " : "+ "}</span>
            {name}
          </button>
        )}
        <code className="field-type" title={whole.description}>
          {below !== null && schema.properties ? "object" : typed(schema)}
        </code>
        {!required && <span className="field-mark">optional</span>}
        {about !== undefined && (
          <span className="field-about">
            <Prose text={about} />
          </span>
        )}
      </div>
      {open && below !== null && <SchemaView schema={below} document={document} />}
    </li>
  );
}

/** The fields of a schema; what is inside of them opens on demand. */
export function SchemaView({ schema, document }: Props) {
  const whole = resolved(schema, document);
  const choices = whole.anyOf ?? whole.oneOf;
  if (choices !== undefined)
    return (
      <div className="schema-choices">
        <p>one of</p>
        {choices.map((choice) => (
          <SchemaView key={typed(choice)} schema={choice} document={document} />
        ))}
      </div>
    );
  if (whole.type === "array" && whole.items !== undefined)
    return (
      <div className="schema-choices">
        <p>a list of</p>
        <SchemaView schema={whole.items} document={document} />
      </div>
    );
  if (whole.properties === undefined) return <code className="field-type">{typed(schema)}</code>;
  return (
    <ul className="schema" aria-label={schema.$ref === undefined ? "fields" : `fields of ${named(schema.$ref)}`}>
      {Object.entries(whole.properties).map(([name, field]) => (
        <Field
          key={name}
          name={name}
          schema={field}
          required={whole.required?.includes(name) ?? false}
          document={document}
        />
      ))}
    </ul>
  );
}
