/**
 * One definition of what a server and its clients say to each other, by any library of Standard Schema, or in types only.
 *
 * @packageDocumentation
 */
import type { Contract, Part, Payload } from './agreement.ts'
import { checkRequestName } from './call.ts'
import { checkName, kind, show } from './message.ts'

export type { Agreement, Contract, Part, Payload, ReceivedOf } from './agreement.ts'

/**
 * What every schema has that follows Standard Schema: those of Zod, Valibot, ArkType and others.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema says of a value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** One thing that is wrong with a value. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The schemas of a contract. A direction that is left out has no events. */
export interface Schemas {
  /** From the server to its clients, by event. */
  readonly down?: { readonly [event: string]: StandardSchema }
  /** From the client to the server, by event. */
  readonly up?: { readonly [event: string]: StandardSchema }
  /** What the client asks, by name. */
  readonly requests?: {
    readonly [name: string]: { readonly input: StandardSchema; readonly output: StandardSchema }
  }
}

/** The types of a schema. */
export type PayloadOf<S> = S extends StandardSchema
  ? Payload<NonNullable<S['~standard']['types']>['input'], NonNullable<S['~standard']['types']>['output']>
  : never
type Nothing = Readonly<Record<never, never>>

/** The types of a contract's schemas. */
export interface AgreementOf<S extends Schemas> {
  readonly down: S extends { readonly down: infer D } ? { readonly [E in keyof D]: PayloadOf<D[E]> } : Nothing
  readonly up: S extends { readonly up: infer U } ? { readonly [E in keyof U]: PayloadOf<U[E]> } : Nothing
  readonly requests: S extends { readonly requests: infer R }
    ? {
        readonly [N in keyof R]: R[N] extends { readonly input: infer I; readonly output: infer O }
          ? { readonly input: PayloadOf<I>; readonly output: PayloadOf<O> }
          : never
      }
    : Nothing
}

/** A contract in types only. A direction that is left out has no events. */
export interface Shapes {
  readonly down?: object
  readonly up?: object
  readonly requests?: object
}

/** The types of {@link Shapes}, as both sides have them. */
export interface AgreementIn<S extends Shapes> {
  readonly down: S extends { readonly down: infer D } ? { readonly [E in keyof D]: Payload<D[E]> } : Nothing
  readonly up: S extends { readonly up: infer U } ? { readonly [E in keyof U]: Payload<U[E]> } : Nothing
  readonly requests: S extends { readonly requests: infer R }
    ? {
        readonly [N in keyof R]: R[N] extends { readonly input: infer I; readonly output: infer O }
          ? { readonly input: Payload<I>; readonly output: Payload<O> }
          : never
      }
    : Nothing
}

/** One thing that is wrong with what came. */
export interface Issue {
  /** As the library of the schema says it. It may show a piece of the value. */
  readonly message: string
  /** Where, from the outside in; empty for the whole. */
  readonly path: readonly (string | number)[]
}

/** What came is not what the contract says. The message says where; `issues`, which logs do not show, say what is wrong. */
export class ContractError extends Error {
  override readonly name = 'ContractError'
  readonly part: Part
  /** The event, or the name of the request. */
  readonly of: string
  readonly #issues: readonly Issue[]
  constructor(part: Part, of: string, issues: readonly Issue[]) {
    const [first] = issues
    const where = first === undefined || first.path.length === 0 ? '' : ` at ${show(first.path.join('.'))}`
    const more = issues.length > 1 ? `, and in ${issues.length - 1} more` : ''
    super(`${whole[part]} ${show(of)} is not what the contract says${where}${more}`)
    this.part = part
    this.of = of
    this.#issues = issues
  }
  /** What is wrong, and where. */
  get issues(): readonly Issue[] {
    return this.#issues
  }
}

const whole: Readonly<Record<Part, string>> = {
  down: 'a message of event',
  up: 'a message of event',
  input: 'the data of request',
  output: 'the reply to request',
}

/**
 * Makes a contract of schemas: what `connect` and `createHub` are both given.
 *
 * Each side checks what it receives, and hears what the schema makes of it; what it sends is checked by the compiler.
 *
 * @throws TypeError for a name that is none, or what is no schema.
 *
 * @example
 * ```ts
 * export const contract = defineContract({
 *   down: { prices: z.object({ EURUSD: z.number() }) },
 *   up: { chat: z.object({ text: z.string() }) },
 *   requests: { sum: { input: z.array(z.number()), output: z.number() } },
 * })
 * ```
 */
export function defineContract<const S extends Schemas>(schemas: S): Contract<AgreementOf<S>> {
  const { down = {}, up = {}, requests = {} } = schemas
  const parts: Record<Part, Map<string, StandardSchema>> = {
    down: new Map(Object.entries(down)),
    up: new Map(Object.entries(up)),
    input: new Map(Object.entries(requests).map(([name, { input }]) => [name, input])),
    output: new Map(Object.entries(requests).map(([name, { output }]) => [name, output])),
  }
  for (const [part, named] of Object.entries(parts)) {
    for (const [name, schema] of named) {
      if (part === 'input' || part === 'output') checkRequestName(name)
      else checkName('event', name)
      if (typeof schema?.['~standard']?.validate === 'function') continue
      throw new TypeError(
        `${part} ${show(name)} of the contract must be a Standard Schema, got ${kind(schema)}`,
      )
    }
  }
  return {
    check(part, name, data) {
      const schema = parts[part].get(name)
      if (schema === undefined) {
        throw new ContractError(part, name, [{ message: 'the contract has no such name', path: [] }])
      }
      const result = schema['~standard'].validate(data)
      return 'then' in result
        ? Promise.resolve(result).then((settled) => heardOf(part, name, settled))
        : heardOf(part, name, result)
    },
  }
}

/**
 * A contract in types alone: nothing is checked when it runs.
 *
 * @example
 * ```ts
 * const contract = types<{ down: { prices: { EURUSD: number } }; requests: { sum: { input: number[]; output: number } } }>()
 * ```
 */
export function types<S extends Shapes>(): Contract<AgreementIn<S>> {
  return {}
}

function heardOf(part: Part, name: string, result: StandardResult<unknown>): unknown {
  if (result.issues === undefined) return result.value
  throw new ContractError(part, name, Array.from(result.issues, issueOf))
}

/** Lists of a library may be of a class of its own, whose `map` makes another of it. */
function issueOf({ message, path = [] }: StandardIssue): Issue {
  return {
    message,
    path: Array.from(path, (step) => {
      const key = typeof step === 'object' ? step.key : step
      return typeof key === 'symbol' ? String(key) : key
    }),
  }
}
