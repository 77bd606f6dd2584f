import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

/** A value of `serverless.yml` with its `${…}` filled in and CloudFormation's functions in their long form. */
export type Value = string | number | boolean | null | Value[] | { [name: string]: Value }

const cloudFormationFunctions =
  'And Base64 Cidr Condition Equals FindInMap GetAtt If ImportValue Join Not Or Ref Select Split Sub'.split(' ')

const unprefixed = new Set(['Ref', 'Condition'])

// One tag may stand before a scalar, a list or a map, and the parser wants each combination named.
const customTags = cloudFormationFunctions.flatMap(name => {
  const key = unprefixed.has(name) ? name : `Fn::${name}`
  const toLongForm = (value: unknown) => ({
    [key]: name === 'GetAtt' && typeof value === 'string' ? splitOnce(value, '.') : value,
  })
  return [
    { tag: `!${name}`, resolve: toLongForm },
    {
      tag: `!${name}`,
      collection: 'seq' as const,
      resolve: (list: { toJSON(): unknown }) => toLongForm(list.toJSON()),
    },
    { tag: `!${name}`, collection: 'map' as const, resolve: (map: { toJSON(): unknown }) => toLongForm(map.toJSON()) },
  ]
})

/**
 * Reads `serverless.yml` of the folder as osls does, as far as this project uses it: `${self:…}`, `${param:…}`,
 * `${sls:stage}`, `${file(…)}` and a quoted default. Any other variable is refused by name.
 */
export function readServerlessFile(root: string, stage: string): Value {
  const read = (path: string): Value => parse(readFileSync(join(root, path), 'utf8'), { customTags }) as Value
  const file = read('serverless.yml')

  const lookUp = (expression: string): Value | undefined => {
    const [, source = '', address = ''] = /^(\w+)(?:[:(])?(.*?)\)?$/s.exec(expression) ?? []
    if (source === 'self') return at(file, address.split('.'))
    if (source === 'param') return at(file, ['params', stage, address]) ?? at(file, ['params', 'default', address])
    if (source === 'sls' && address === 'stage') return stage
    if (source === 'file') return read(address)
    throw new Error(`serverless.yml uses \${${expression}}, which the local stack does not know how to fill in`)
  }

  const fillOne = (expression: string): Value => {
    const [wanted = '', fallback] = splitOnce(expression, ',').map(part => part.trim())
    const value = lookUp(wanted) ?? fallback?.replace(/^'(.*)'$/, '$1')
    if (value === undefined) throw new Error(`serverless.yml uses \${${expression}}, which is nowhere defined`)
    return fill(value)
  }

  // CloudFormation's own `${Name}` has no colon or bracket (but `AWS::Region` has two), so the two never mix.
  const variable = /\$\{(\w+(?::(?!:)|\()[^{}]*)\}/g
  const fill = (value: Value): Value => {
    if (Array.isArray(value)) return value.map(fill)
    if (value && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fill(inner)]))
    }
    if (typeof value !== 'string') return value
    const whole = /^\$\{(\w+(?::(?!:)|\()[^{}]*)\}$/.exec(value)?.[1]
    return whole ? fillOne(whole) : value.replace(variable, (_, expression: string) => String(fillOne(expression)))
  }

  return fill(file)
}

/** The value at a path of names, or undefined where the path ends early. */
export function at(value: Value | undefined, path: string[]): Value | undefined {
  return path.reduce<Value | undefined>(
    (inner, name) => (inner && typeof inner === 'object' && !Array.isArray(inner) ? inner[name] : undefined),
    value,
  )
}

function splitOnce(text: string, separator: string): string[] {
  const index = text.indexOf(separator)
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + separator.length)]
}
