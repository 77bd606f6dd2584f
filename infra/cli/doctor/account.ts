import { CloudFormationClient, GetTemplateCommand } from '@aws-sdk/client-cloudformation'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { checkTemplate } from '../../checks/rules.ts'
import type { Packaged } from '../../checks/template.ts'
import { readStack, type Target, toStackName } from '../../deploy/stack.ts'
import { type Findings, toFinding } from './source.ts'

export type Account = {
  findings: Findings
  recipes: Map<string, string>
  settings: string | undefined
  apiKey: string | undefined
}

/** What a deployed stage says of itself: its template against the rules, its recipes, its settings and its key. */
export async function checkAccount(target: Target): Promise<Account> {
  const { region, stage } = target
  const { RecipesBucket } = await readStack(target)
  const { TemplateBody = '{}' } = await new CloudFormationClient({ region }).send(
    new GetTemplateCommand({ StackName: toStackName(target) }),
  )
  const faults = checkTemplate(JSON.parse(TemplateBody) as Packaged)
  const { settings, recipes } = await readRecipes(new S3Client({ region }), RecipesBucket)
  const name = `/darkroom/${stage}/gemini-api-key`
  const apiKey = await readKey(new SSMClient({ region }), name)
  const findings = [
    ...faults.map(fault => toFinding(false, `deployed: ${fault}`, `run npm run deploy -- --stage ${stage}`)),
    toFinding(true, `stage ${stage} is deployed in ${region}`),
    toFinding(
      apiKey !== undefined,
      `the key is ${apiKey ? '' : 'not '}in the SecureString ${name}`,
      `aws ssm put-parameter --type SecureString --name ${name} --value …`,
    ),
  ]
  return { findings, recipes, settings, apiKey }
}

async function readRecipes(s3: S3Client, Bucket: string) {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }))
  const keys = Contents.flatMap(({ Key }) => (Key?.endsWith('.json') ? [Key] : []))
  const read = async (Key: string) =>
    [Key, (await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString()) ?? ''] as const
  const recipes = new Map(await Promise.all(keys.map(read)))
  const settings = recipes.get('settings.json')
  recipes.delete('settings.json')
  return { settings, recipes }
}

async function readKey(ssm: SSMClient, Name: string): Promise<string | undefined> {
  const command = new GetParameterCommand({ Name, WithDecryption: true })
  const { Parameter } = await ssm.send(command).catch((error: Error) => {
    if (error.name !== 'ParameterNotFound') throw error
    return { Parameter: undefined }
  })
  return Parameter?.Value
}
