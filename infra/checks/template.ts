import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A value of a CloudFormation template. */
export type Value = string | number | boolean | null | Value[] | { [name: string]: Value }
export type Properties = { [name: string]: Value }
export type Resource = {
  Type: string
  Properties?: Properties
  DependsOn?: string | string[]
  Condition?: string
  DeletionPolicy?: string
  UpdateReplacePolicy?: string
}

/** The template as it was packaged. */
export type Packaged = {
  Parameters?: Record<string, Value>
  Resources: Record<string, Resource>
  Outputs?: Record<string, Value>
}

export function readPackaged(folder: string): Packaged {
  return JSON.parse(readFileSync(join(folder, 'cloudformation-template-update-stack.json'), 'utf8')) as Packaged
}

/** Resources of a type, by their logical ids. */
export function ofType({ Resources }: Packaged, type: string): [string, Properties][] {
  return Object.entries(Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, { Properties = {} }]) => [id, Properties])
}

/** The logical ids that a value refers to, wherever in it. */
export function findReferences(value: Value | undefined): string[] {
  if (Array.isArray(value)) return value.flatMap(findReferences)
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, inner]) => {
    if (name === 'Ref' && typeof inner === 'string') return [inner]
    if (name === 'Fn::GetAtt') return [String(Array.isArray(inner) ? inner[0] : inner).split('.')[0] ?? '']
    if (name === 'Fn::Sub') return findSubstitutions(inner)
    return findReferences(inner)
  })
}

function findSubstitutions(value: Value): string[] {
  const [text, names = {}] = Array.isArray(value) ? value : [value]
  const ids = [...String(text).matchAll(/\$\{([^!}.]+)[^}]*\}/g)].map(match => match[1] ?? '')
  return [...ids.filter(id => !(names && typeof names === 'object' && id in names)), ...findReferences(names)]
}

/** The value at a path of names, or undefined where the path ends early. */
export function at(value: Value | undefined, ...path: (string | number)[]): Value | undefined {
  return path.reduce<Value | undefined>(
    (inner, name) => (inner && typeof inner === 'object' ? (inner as Properties)[name] : undefined),
    value,
  )
}

export function toList(value: Value | undefined): Value[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

/** A permission, with the resource of the template that holds it. */
export type Statement = { id: string; effect: string; actions: string[]; resources: Value[]; statement: Properties }

/** Every statement of every policy in the template; `types` of resources to look at, else all. */
export function findStatements(template: Packaged, types?: readonly string[]): Statement[] {
  return Object.entries(template.Resources)
    .filter(([, { Type }]) => types?.includes(Type) ?? true)
    .flatMap(([id, { Properties = {} }]) =>
      findDocuments(Properties).flatMap(document =>
        toList(at(document, 'Statement')).map(statement => ({
          id,
          effect: String(at(statement, 'Effect')),
          actions: toList(at(statement, 'Action')).map(String),
          resources: toList(at(statement, 'Resource')),
          statement: statement as Properties,
        })),
      ),
    )
}

function findDocuments(value: Value): Value[] {
  if (Array.isArray(value)) return value.flatMap(findDocuments)
  if (value === null || typeof value !== 'object') return []
  return 'Statement' in value ? [value] : Object.values(value).flatMap(findDocuments)
}
