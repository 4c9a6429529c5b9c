import { Field } from "../ui/Ask";

interface Props {
  label: string;
  /** What else is to be said of it. */
  more?: string;
  value: string;
  onChange: (value: string) => void;
}

/** A password that is chosen here. How long it must be at least is a setting of the pool, which says so when it refuses one. */
export function NewPassword({ label, more = "", value, onChange }: Props) {
  return (
    <Field
      label={label}
      type="password"
      autoComplete="new-password"
      hint={`A long one that nobody tries first: the pool says what it lacks. ${more}`.trim()}
      value={value}
      onChange={onChange}
    />
  );
}
