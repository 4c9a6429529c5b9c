/**
 * Checks the pool's answers against shapes, with zod's own words for those that the pages use: `shape.test.ts` holds each schema of
 * the page to zod's verdict. Zod itself is 22 kB on the wire and was a fifth of all that the first page waited for.
 */

/** Why a value does not fit, and where. */
class Misfit {
  readonly path: (string | number)[] = [];
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }

  within(key: string | number): this {
    this.path.unshift(key);
    return this;
  }
}

type Result<T> = { success: true; data: T } | { success: false; error: { issues: readonly Misfit[] } };

function named(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : typeof value;
}

const wrong = (wanted: string, value: unknown) =>
  new Misfit(`Invalid input: expected ${wanted}, received ${named(value)}`);

export class Shape<Out = unknown, In = unknown> {
  /** What may come; for the compiler only. */
  declare readonly input: In;
  readonly read: (value: unknown) => Out | Misfit;

  constructor(read: (value: unknown) => Out | Misfit) {
    this.read = read;
  }

  safeParse(value: unknown): Result<Out> {
    const data = this.read(value);
    return data instanceof Misfit ? { success: false, error: { issues: [data] } } : { success: true, data };
  }

  /** Throws what does not fit. */
  parse(value: unknown): Out {
    const data = this.read(value);
    if (data instanceof Misfit) throw new TypeError(`${data.path.join(".") || "value"}: ${data.message}`);
    return data;
  }

  optional(): Shape<Out | undefined, In | undefined> {
    return new Shape<Out | undefined, In | undefined>((value) => (value === undefined ? undefined : this.read(value)));
  }

  nullish(): Shape<Out | null | undefined, In | null | undefined> {
    return new Shape<Out | null | undefined, In | null | undefined>((value) =>
      value === undefined || value === null ? value : this.read(value),
    );
  }

  /** What stands for what is missing. */
  default(missing: Exclude<Out, undefined>): Shape<Exclude<Out, undefined>, In | undefined> {
    return new Shape<Exclude<Out, undefined>, In | undefined>((value) =>
      value === undefined ? missing : (this.read(value) as Exclude<Out, undefined> | Misfit),
    );
  }

  /** What stands for whatever does not fit. */
  catch(instead: Out): Shape<Out, In | undefined> {
    return new Shape<Out, In | undefined>((value) => {
      const data = this.read(value);
      return data instanceof Misfit ? instead : data;
    });
  }

  transform<To>(change: (data: Out) => To): Shape<To, In> {
    return new Shape<To, In>((value) => {
      const data = this.read(value);
      return data instanceof Misfit ? data : change(data);
    });
  }

  refine(holds: (data: Out) => boolean, message = "Invalid input"): Shape<Out, In> {
    return new Shape<Out, In>(checked(this.read, holds, message));
  }
}

function checked<T>(read: (value: unknown) => T | Misfit, holds: (data: T) => boolean, message: string) {
  return (value: unknown): T | Misfit => {
    const data = read(value);
    return data instanceof Misfit || holds(data) ? data : new Misfit(message);
  };
}

class Text extends Shape<string, string> {
  min(length: number): Text {
    const message = `Too small: expected string to have >=${length} characters`;
    return new Text(checked(this.read, (text) => text.length >= length, message));
  }

  max(length: number): Text {
    const message = `Too big: expected string to have <=${length} characters`;
    return new Text(checked(this.read, (text) => text.length <= length, message));
  }

  regex(pattern: RegExp, message = `Invalid string: must match pattern ${pattern}`): Text {
    return new Text(checked(this.read, (text) => pattern.test(text), message));
  }
}

class Num extends Shape<number, number> {
  min(least: number): Num {
    return new Num(checked(this.read, (value) => value >= least, `Too small: expected number to be >=${least}`));
  }

  max(most: number): Num {
    return new Num(checked(this.read, (value) => value <= most, `Too big: expected number to be <=${most}`));
  }

  int(): Num {
    return new Num(checked(this.read, Number.isSafeInteger, "Invalid input: expected int, received number"));
  }

  nonnegative(): Num {
    return this.min(0);
  }

  positive(): Num {
    return new Num(checked(this.read, (value) => value > 0, "Too small: expected number to be >0"));
  }
}

/** Whatever there is, null too; but it must be there. */
class Anything extends Shape {}

class List<Out, In> extends Shape<Out[], In[]> {
  min(length: number): List<Out, In> {
    const message = `Too small: expected array to have >=${length} items`;
    return new List(checked(this.read, (items) => items.length >= length, message));
  }

  max(length: number): List<Out, In> {
    const message = `Too big: expected array to have <=${length} items`;
    return new List(checked(this.read, (items) => items.length <= length, message));
  }
}

type Fields = Readonly<Record<string, Shape>>;
/** As the compiler would write it by hand. */
type Plain<T> = { [Key in keyof T]: T[Key] };
type MayMiss<F extends Fields> = { [Key in keyof F]: undefined extends F[Key]["input"] ? Key : never }[keyof F];
type OutOf<F extends Fields> = { [Key in keyof F]: Infer<F[Key]> };
type InOf<F extends Fields> = Plain<
  { [Key in Exclude<keyof F, MayMiss<F>>]: F[Key]["input"] } & { [Key in MayMiss<F>]?: F[Key]["input"] }
>;
type Infer<S extends Shape> = S extends Shape<infer Out, infer _> ? Out : never;
type Input<S extends Shape> = S["input"];

export type { Infer as infer, Input as input };

class Struct<F extends Fields> extends Shape<OutOf<F>, InOf<F>> {
  readonly shape: F;

  constructor(shape: F) {
    const fields = Object.entries(shape);
    super((value) => {
      if (!isRecord(value)) return wrong("object", value);
      const read: Record<string, unknown> = {};
      for (const [key, field] of fields) {
        const missing = field instanceof Anything && !(key in value);
        const data = missing ? wrong("nonoptional", undefined) : field.read(value[key]);
        if (data instanceof Misfit) return data.within(key);
        read[key] = data;
      }
      return read as OutOf<F>;
    });
    this.shape = shape;
  }

  extend<More extends Fields>(more: More): Struct<Omit<F, keyof More> & More> {
    return new Struct<Omit<F, keyof More> & More>({ ...this.shape, ...more });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const string = () => new Text((value) => (typeof value === "string" ? value : wrong("string", value)));
export const number = () => new Num((value) => (Number.isFinite(value) ? (value as number) : wrong("number", value)));
export const boolean = () =>
  new Shape<boolean, boolean>((value) => (typeof value === "boolean" ? value : wrong("boolean", value)));
export const unknown = () => new Anything((value) => value);

export function literal<const T extends string | number | boolean>(wanted: T): Shape<T, T> {
  const message = `Invalid input: expected ${JSON.stringify(wanted)}`;
  return new Shape<T, T>((value) => (value === wanted ? wanted : new Misfit(message)));
}

function oneOf<const T extends readonly string[]>(names: T): Shape<T[number], T[number]> {
  const message = `Invalid option: expected one of ${names.map((name) => `"${name}"`).join("|")}`;
  return new Shape<T[number], T[number]>((value) =>
    names.includes(value as string) ? (value as T[number]) : new Misfit(message),
  );
}

export { oneOf as enum };

/** Keys that the shape does not name are left out. */
export const object = <F extends Fields>(fields: F) => new Struct(fields);

export function array<S extends Shape>(item: S): List<Infer<S>, Input<S>> {
  return new List<Infer<S>, Input<S>>((value) => {
    if (!Array.isArray(value)) return wrong("array", value);
    const read: Infer<S>[] = [];
    for (let index = 0; index < value.length; index += 1) {
      const data = item.read(value[index]);
      if (data instanceof Misfit) return data.within(index);
      read.push(data as Infer<S>);
    }
    return read;
  });
}

export function record<S extends Shape>(_key: Shape<string>, item: S) {
  return new Shape<Record<string, Infer<S>>, Record<string, Input<S>>>((value) => {
    if (!isRecord(value)) return wrong("record", value);
    const read: [string, Infer<S>][] = [];
    for (const [key, one] of Object.entries(value)) {
      const data = item.read(one);
      if (data instanceof Misfit) return data.within(key);
      read.push([key, data as Infer<S>]);
    }
    return Object.fromEntries(read);
  });
}

/** The first that fits. */
export function union<const S extends readonly Shape[]>(shapes: S): Shape<Infer<S[number]>, Input<S[number]>> {
  return new Shape<Infer<S[number]>, Input<S[number]>>((value) => {
    for (const shape of shapes) {
      const data = shape.read(value);
      if (!(data instanceof Misfit)) return data as Infer<S[number]>;
    }
    return new Misfit("Invalid input");
  });
}

export function intersection<A extends Shape, B extends Shape>(a: A, b: B) {
  return new Shape<Infer<A> & Infer<B>, Input<A> & Input<B>>((value) => {
    const [one, other] = [a.read(value), b.read(value)];
    if (one instanceof Misfit) return one;
    if (other instanceof Misfit) return other;
    return { ...(one as object), ...(other as object) } as Infer<A> & Infer<B>;
  });
}
