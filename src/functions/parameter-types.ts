/** The kinds of parameter; `strings` is a list of them, `file` the path of one. */
export type ParameterType = "string" | "integer" | "number" | "boolean" | "file" | "strings";

/** What a parameter accepts, as in `reeve.toml`. */
export interface Parameter {
  /** `string`, if nothing is said. */
  readonly type?: ParameterType;
  readonly required?: boolean;
  readonly default?: string | number | boolean | readonly string[];
  /** Where in a message its value is: `"body.image.name"`, `"attr.tenant"`. */
  readonly from?: string;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly (string | number)[];
  /** A regular expression that the whole value must match. */
  readonly pattern?: string;
  /** In characters. */
  readonly maxLength?: number;
  /** Its value is shown to nobody. */
  readonly secret?: boolean;
  readonly description?: string;
}

/** Parameters by name. A type alone is that of one that must be given. */
export type Parameters = Readonly<Record<string, ParameterType | Parameter>>;

interface ValueOfType {
  readonly string: string;
  readonly integer: number;
  readonly number: number;
  readonly boolean: boolean;
  readonly file: string;
  readonly strings: readonly string[];
}

type TypeOf<P> = P extends ParameterType
  ? P
  : P extends { readonly type: infer T extends ParameterType }
    ? T
    : "string";

type Chosen<P, Value> = P extends { readonly choices: readonly (infer Choice)[] }
  ? Value extends string | number
    ? Extract<Choice, Value> extends never
      ? Value
      : Extract<Choice, Value>
    : Value
  : Value;

type IsThere<P> = P extends ParameterType
  ? true
  : P extends { readonly required: true }
    ? true
    : P extends { readonly default: string | number | boolean | readonly string[] }
      ? true
      : false;

type ValueOf<P> = Chosen<P, ValueOfType[TypeOf<P>]> | (IsThere<P> extends true ? never : undefined);

/** The values that a run gets: of a parameter that is neither required nor has a default perhaps undefined. */
export type Values<Params extends Parameters> = { readonly [Name in keyof Params]: ValueOf<Params[Name]> };
