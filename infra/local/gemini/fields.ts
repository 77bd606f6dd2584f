import { type ErrorDetail, invalid, rpc } from './google-error.ts'

type Message = { readonly fields: Readonly<Record<string, Field>> }
export type Field =
  | 'string'
  | 'bytes'
  | 'number'
  | 'boolean'
  | 'any'
  | readonly string[]
  | { readonly list: Field }
  | Message

/** What a field table makes of JSON: camelCase names, every field optional. */
export type Read<F> = F extends 'string' | 'bytes'
  ? string
  : F extends 'number'
    ? number
    : F extends 'boolean'
      ? boolean
      : F extends readonly (infer Name)[]
        ? Name
        : F extends { list: infer Item }
          ? Read<Item>[]
          : F extends { fields: infer Known }
            ? { -readonly [K in keyof Known]?: Read<Known[K]> }
            : unknown

type Violation = { field: string; description: string }

const PROTO_TYPES = { string: 'TYPE_STRING', number: 'TYPE_DOUBLE', boolean: 'TYPE_BOOL', bytes: 'TYPE_BYTES' } as const

/**
 * Reads JSON as Google's gateway does: camelCase and snake_case alike, enum names in any case, every unknown name and every
 * wrong value refused in one answer.
 */
export function readMessage<M extends Message>(message: M, json: unknown): Read<M> {
  const violations: Violation[] = []
  const read = readField(message, json, '', violations)
  if (violations.length) throw refusal(violations)
  return read as Read<M>
}

function refusal(violations: Violation[]) {
  const text = violations.map(violation => violation.description).join('\n')
  const details: ErrorDetail[] = [rpc('BadRequest', { fieldViolations: violations })]
  return invalid(text, details)
}

function readField(field: Field, value: unknown, path: string, violations: Violation[]): unknown {
  if (field === 'any') return value
  if (value === null) return undefined
  if (typeof field === 'string') return readScalar(field, value, path, violations)
  if ('fields' in field) return readObject(field, value, path, violations)
  if ('list' in field) return readList(field.list, value, path, violations)
  return readName(field, value, path, violations)
}

function readScalar(type: keyof typeof PROTO_TYPES, value: unknown, path: string, violations: Violation[]): unknown {
  const expected = type === 'bytes' ? 'string' : type
  if (typeof value !== expected) return wrongValue(PROTO_TYPES[type], value, path, violations)
  if (type === 'bytes' && !isBase64(value as string)) {
    const start = JSON.stringify((value as string).slice(0, 40))
    const description = `Invalid value at '${path}' (TYPE_BYTES), Base64 decoding failed for ${start}`
    violations.push({ field: path, description })
  }
  return value
}

function isBase64(text: string): boolean {
  const digits = text.replace(/=+$/, '').length
  return digits % 4 !== 1 && Buffer.from(text, 'base64').length === Math.floor((digits * 3) / 4)
}

function readObject(message: Message, value: unknown, path: string, violations: Violation[]): unknown {
  if (typeof value !== 'object' || Array.isArray(value)) return wrongValue('message', value, path, violations)
  const read: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value as object)) {
    const name = camel(key)
    const field = Object.hasOwn(message.fields, name) ? message.fields[name] : undefined
    if (!field) {
      const where = path ? ` at '${path}'` : ''
      const description = `Invalid JSON payload received. Unknown name "${key}"${where}: Cannot find field.`
      violations.push({ field: path, description })
      continue
    }
    read[name] = readField(field, item, path ? `${path}.${snake(key)}` : snake(key), violations)
  }
  return read
}

function readList(item: Field, value: unknown, path: string, violations: Violation[]): unknown {
  // The gateway takes one thing for a list of one.
  const items = Array.isArray(value) ? value : [value]
  return items.map((each, index) => readField(item, each, `${path}[${index}]`, violations))
}

function readName(names: readonly string[], value: unknown, path: string, violations: Violation[]): unknown {
  const name = typeof value === 'string' && names.find(known => known === value.toUpperCase())
  return name || wrongValue('TYPE_ENUM', value, path, violations)
}

function wrongValue(type: string, value: unknown, path: string, violations: Violation[]): undefined {
  const shown = JSON.stringify(value)?.slice(0, 80)
  violations.push({ field: path, description: `Invalid value at '${path}' (${type}), ${shown}` })
}

const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
const snake = (name: string) => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
