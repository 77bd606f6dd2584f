import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import { EditError } from '../errors.ts'
import { callAws } from './faults.ts'

/** A secret that is read when it is first needed, and again after somebody found it wrong. */
export type Secret = { read: () => Promise<string>; forget: () => void }

/** The secret in a value, or in an SSM SecureString. A read that fails is not remembered. */
export function createSecret(ssm: SSMClient, source: { value?: string; parameter?: string }): Secret {
  let known: Promise<string> | undefined
  return {
    read() {
      if (source.value !== undefined) return Promise.resolve(source.value)
      known ??= readParameter(ssm, source.parameter ?? '').catch((error: unknown) => {
        known = undefined
        throw error
      })
      return known
    },
    forget() {
      known = undefined
    },
  }
}

const PATIENCE_MS = 60_000

/**
 * A secret that strangers can make us ask for: what became of a read is remembered, a failure too, and it is read again when
 * somebody found it wrong, once a minute at most.
 */
export function createPatientSecret(secret: Secret, now: () => number): Secret {
  let known: Promise<string> | undefined
  let readAt = 0
  let isDoubted = false
  return {
    read() {
      if (known && !(isDoubted && now() - readAt >= PATIENCE_MS)) return known
      secret.forget()
      known = secret.read()
      readAt = now()
      isDoubted = false
      known.catch(() => {
        isDoubted = true
      })
      return known
    },
    forget() {
      isDoubted = true
    },
  }
}

async function readParameter(ssm: SSMClient, name: string): Promise<string> {
  const command = new GetParameterCommand({ Name: name, WithDecryption: true })
  const { Parameter } = await callAws(`ssm:GetParameter on ${name}`, () => ssm.send(command))
  if (Parameter?.Value) return Parameter.Value
  throw new EditError('ERR_AWS_FORBIDDEN', `SSM parameter ${name} is empty`)
}
