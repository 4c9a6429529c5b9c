interface SwitchProps<T extends string> {
  /** What is switched, for those who hear the page. */
  name: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}

/** A few choices side by side, one of them pressed. */
export function Switch<T extends string>({ name, options, value, onChange }: SwitchProps<T>) {
  return (
    <fieldset className="switch">
      <legend className="visually-hidden">{name}</legend>
      {options.map(([key, label]) => (
        <button key={key} type="button" aria-pressed={key === value} onClick={() => onChange(key)}>
          {label}
        </button>
      ))}
    </fieldset>
  );
}
