import { createResolver, type Resource as LocalResource, toName } from '../local/template.ts'
import { at, findReferences, findStatements, type Packaged, toList } from './template.ts'

/** An action that a function's role allows on a resource, under the name that the local stack gives it. */
export type Grant = { action: string; resource: string }

/** Everything that the role of a function allows, its managed policies included. Policies of parameters that are off are left out. */
export function findGrants(template: Packaged, functionId: string): Grant[] {
  const role = findReferences(template.Resources[functionId]?.Properties?.Role)[0] ?? ''
  const managed = toList(at(template.Resources[role]?.Properties, 'ManagedPolicyArns')).flatMap(findReferences)
  const resolve = createResolver(toLocalResources(template))
  return findStatements(template)
    .filter(({ id, resources }) => [role, ...managed].includes(id) && resources.length > 0)
    .flatMap(({ actions, resources }) =>
      actions.flatMap(action => resources.map(resource => ({ action, resource: String(resolve(resource)) }))),
    )
}

function toLocalResources({ Resources }: Packaged): Map<string, LocalResource> {
  return new Map(
    Object.entries(Resources).map(([id, { Type, Properties = {} }]) => [
      id,
      { id, type: Type, name: toName(id), properties: Properties },
    ]),
  )
}
