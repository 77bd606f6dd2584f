import { findGrants, type Grant } from '../../infra/checks/grants.ts'
import { ofType, type Packaged, readPackaged } from '../../infra/checks/template.ts'
import { PACKAGE_FOLDER } from '../../infra/deploy/package.ts'

export const toText = ({ action, resource }: Grant) => `${action} ${resource}`

/** The access key id that a function of the template calls with on the local stack. osls writes a dash in its name as a word. */
export const toKeyId = (id: string) => `local-${id.replace('LambdaFunction', '').replace('Dash', '-').toLowerCase()}`

/** What the role of each function allows, by the access key id that it calls with on the local stack. */
export function readRoles(template: Packaged = readPackaged(PACKAGE_FOLDER)): Map<string, Set<string>> {
  const ids = ofType(template, 'AWS::Lambda::Function').map(([id]) => id)
  return new Map(ids.map(id => [toKeyId(id), new Set(findGrants(template, id).map(toText))]))
}
