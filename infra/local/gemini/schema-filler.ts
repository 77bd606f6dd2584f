import { type Chance, createChance } from './pictures/chance.ts'

/** The part of JSON Schema, and of Google's OpenAPI dialect with its upper-case types, that is walked. */
type Schema = {
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
  example?: unknown
  format?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  prefixItems?: Schema[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  $ref?: string
  minimum?: number | string
  maximum?: number | string
  minItems?: number | string
  maxItems?: number | string
  minLength?: number | string
  maxLength?: number | string
  description?: string
}
type Walk = { root: Schema; words: string[]; chance: Chance; depth: number }
type Filler = (schema: Schema, name: string, walk: Walk) => unknown

const FILLERS: Readonly<Record<string, Filler>> = {
  object: (schema, _, walk) => fillObject(schema, walk),
  array: (schema, name, walk) => fillArray(schema, name, walk),
  string: (schema, name, walk) => fillString(schema, name, walk),
  integer: (schema, _, walk) => Math.floor(fillNumber(schema, walk)),
  number: (schema, _, walk) => Math.round(fillNumber(schema, walk) * 10) / 10,
  boolean: (_, __, { chance }) => chance() < 0.5,
  null: () => null,
}

const FORMATS: Readonly<Record<string, string>> = {
  date: '2026-11-21',
  'date-time': '2026-11-21T12:00:00Z',
  time: '12:00:00Z',
  uri: 'https://stand-in.example/',
  email: 'stand-in@darkroom.example',
  uuid: '00000000-0000-4000-8000-000000000000',
}

/** JSON that satisfies the schema, made of the prompt's words; the same prompt gives the same JSON. */
export function fillSchema(schema: unknown, prompt: string): unknown {
  const root = schema as Schema
  const words = prompt.match(/[\p{L}\p{N}’'-]{3,}/gu) ?? ['picture']
  return fill(root, 'answer', { root, words, chance: createChance(prompt), depth: 0 })
}

function fill(schema: Schema, name: string, walk: Walk): unknown {
  const deeper = { ...walk, depth: walk.depth + 1 }
  if (schema.$ref) return fill(follow(schema.$ref, walk.root), name, deeper)
  if ('const' in schema) return schema.const
  if (schema.enum?.length) return schema.enum[Math.floor(walk.chance() * schema.enum.length)]
  if (schema.default !== undefined) return schema.default
  if (schema.example !== undefined) return schema.example
  if (schema.allOf) return fill(Object.assign({}, schema, { allOf: undefined }, ...schema.allOf), name, deeper)
  const choice = (schema.anyOf ?? schema.oneOf)?.find(each => each.type !== 'null')
  if (choice) return fill(choice, name, deeper)
  return FILLERS[typeOf(schema)]?.(schema, name, deeper) ?? null
}

function typeOf({ type, properties, items }: Schema): string {
  const named = Array.isArray(type) ? type.find(each => each !== 'null') : type
  return named?.toLowerCase() ?? (properties ? 'object' : items ? 'array' : 'string')
}

function fillObject({ properties = {}, required = [] }: Schema, walk: Walk): Record<string, unknown> {
  // A schema that holds itself ends where only what is required is filled.
  const names = Object.keys(properties).filter(name => walk.depth < 8 || required.includes(name))
  return Object.fromEntries(names.map(name => [name, fill(properties[name] ?? {}, name, walk)]))
}

function fillArray(schema: Schema, name: string, walk: Walk): unknown[] {
  if (schema.prefixItems) return schema.prefixItems.map((item, at) => fill(item, `${name} ${at + 1}`, walk))
  const least = Number(schema.minItems ?? 0)
  const count = Math.max(least, Math.min(Number(schema.maxItems ?? 3), walk.depth < 8 ? 3 : least))
  return Array.from({ length: count }, () => fill(schema.items ?? {}, name, walk))
}

function fillString({ format = '', minLength, maxLength }: Schema, name: string, { words, chance }: Walk): string {
  const known = FORMATS[format]
  if (known) return known
  const start = Math.floor(chance() * words.length)
  const phrase = `${name.replaceAll('_', ' ')}: ${words.slice(start, start + 5).join(' ')}`
  return phrase.padEnd(Number(minLength ?? 0), '.').slice(0, Number(maxLength ?? 200))
}

function fillNumber({ minimum = 0, maximum }: Schema, { chance }: Walk): number {
  const low = Number(minimum)
  const high = maximum === undefined ? low + 30 : Number(maximum)
  return Math.min(high, Math.ceil(low) + chance() * (high - low))
}

function follow(ref: string, root: Schema): Schema {
  const steps = ref.replace(/^#\/?/, '').split('/').filter(Boolean)
  return (
    (steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], root) as Schema) ?? {}
  )
}
