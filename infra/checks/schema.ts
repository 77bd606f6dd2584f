import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec'
import type { Packaged, Value } from './template.ts'

type Spec = ReturnType<typeof loadAwsServiceSpecSync>

/** AWS's types as its schemas tell them, as far as they are looked at here. */
type PropertyKind =
  | { type: 'ref'; reference: { $ref: string } }
  | { type: 'array' | 'map'; element: PropertyKind }
  | { type: 'union'; types: PropertyKind[] }
  | { type: 'string' | 'integer'; allowedValues?: (string | number)[] }
  | { type: 'number' | 'boolean' | 'json' | 'date-time' | 'null' | 'tag' }
type Schema = Record<string, { required?: boolean; type: PropertyKind }>

// Half a second to unpack.
let known: Spec | undefined

/** Each resource type and property that AWS's schemas do not know, each that they require, and each value of another kind. */
export function checkSchemas({ Resources }: Packaged): string[] {
  known ??= loadAwsServiceSpecSync()
  const spec = known
  return Object.entries(Resources).flatMap(([id, { Type, Properties = {} }]) => {
    const [resource] = spec.lookup('resource', 'cloudFormationType', 'equals', Type)
    if (!resource) return [`${id}: AWS has no resource type ${Type}`]
    return checkObject(spec, resource.properties as Schema, Properties, id)
  })
}

function checkObject(spec: Spec, schema: Schema, value: { [name: string]: Value }, path: string): string[] {
  const unknown = Object.keys(value).filter(name => !schema[name])
  const missing = Object.keys(schema).filter(name => schema[name]?.required && value[name] === undefined)
  return [
    ...unknown.map(name => `${path}.${name}: AWS has no such property`),
    ...missing.map(name => `${path}.${name} is required`),
    ...Object.entries(value).flatMap(([name, inner]) => {
      const kind = schema[name]?.type
      return kind ? checkValue(spec, kind, inner, `${path}.${name}`) : []
    }),
  ]
}

function checkValue(spec: Spec, kind: PropertyKind, value: Value, path: string): string[] {
  // What CloudFormation computes has no kind before it runs.
  if (isComputed(value) || kind.type === 'json') return []
  if (kind.type === 'union') {
    const faults = kind.types.map(type => checkValue(spec, type, value, path))
    return faults.find(found => found.length === 0) ?? faults.toSorted((a, b) => a.length - b.length)[0] ?? []
  }
  if (kind.type === 'array') {
    if (!Array.isArray(value)) return [`${path} wants a list`]
    return value.flatMap((item, index) => checkValue(spec, kind.element, item, `${path}[${index}]`))
  }
  if (kind.type !== 'map' && kind.type !== 'ref' && kind.type !== 'tag') return checkPlain(kind, value, path)
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [`${path} wants an object`]
  if (kind.type === 'ref')
    return checkObject(spec, spec.get('typeDefinition', kind.reference.$ref).properties as Schema, value, path)
  const { element } = kind as { element?: PropertyKind }
  if (!element) return []
  return Object.entries(value).flatMap(([name, item]) => checkValue(spec, element, item, `${path}.${name}`))
}

/** CloudFormation takes numbers and booleans as text too. */
const PLAIN: Record<string, (value: Value) => boolean> = {
  string: value => typeof value !== 'object',
  'date-time': value => typeof value === 'string',
  integer: value => Number.isInteger(Number(value)) && typeof value !== 'boolean',
  number: value => !Number.isNaN(Number(value)) && typeof value !== 'boolean',
  boolean: value => ['true', 'false'].includes(String(value)),
  null: value => value === null,
}

function checkPlain(kind: PropertyKind, value: Value, path: string): string[] {
  if (!PLAIN[kind.type]?.(value)) return [`${path} wants a ${kind.type}, got ${JSON.stringify(value)}`]
  const allowed = 'allowedValues' in kind ? kind.allowedValues : undefined
  if (!allowed || allowed.includes(value as string | number)) return []
  return [`${path} is ${JSON.stringify(value)}; AWS knows ${allowed.join(', ')}`]
}

function isComputed(value: Value): boolean {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
  const [name = '', ...more] = Object.keys(value)
  return more.length === 0 && (name === 'Ref' || name.startsWith('Fn::'))
}
