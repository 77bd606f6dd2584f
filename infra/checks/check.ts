/** Holds what `npm run package` made against the rules: `node infra/checks/check.ts`. */
import { PACKAGE_FOLDER } from '../deploy/package.ts'
import { checkPackage, RULES } from './rules.ts'

const faults = checkPackage(PACKAGE_FOLDER)
for (const fault of faults) console.error(fault)
if (faults.length > 0) process.exitCode = 1
else console.log(`the template keeps all ${Object.keys(RULES).length + 1} rules`)
