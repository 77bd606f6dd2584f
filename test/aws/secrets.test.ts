import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, test } from 'vitest'
import { createPatientSecret, createSecret } from '../../lib/aws/secrets.ts'
import { awsError } from '../helpers/aws.ts'
import { caught } from '../helpers/caught.ts'

const ssm = new SSMClient({ region: 'us-east-1' })
const mock = mockClient(ssm)
beforeEach(() => mock.reset())
const calls = () => mock.commandCalls(GetParameterCommand).length

test('a secret that was given is never asked for', async () => {
  const secret = createSecret(ssm, { value: 'given', parameter: '/darkroom/key' })
  expect(await secret.read()).toBe('given')
  secret.forget()
  expect(await secret.read()).toBe('given')
  expect(calls()).toBe(0)
})

describe('a secret in a parameter', () => {
  const secretOf = () => createSecret(ssm, { parameter: '/darkroom/key' })

  test('is read when it is first needed, decrypted, and once for all who ask', async () => {
    mock.on(GetParameterCommand).resolves({ Parameter: { Value: 'one' } })
    const secret = secretOf()
    expect(calls()).toBe(0)
    expect(await Promise.all([secret.read(), secret.read(), secret.read()])).toEqual(['one', 'one', 'one'])
    expect(calls()).toBe(1)
    expect(mock.commandCalls(GetParameterCommand)[0]?.args[0].input).toEqual({
      Name: '/darkroom/key',
      WithDecryption: true,
    })
  })

  test('is read again after somebody found it wrong: a rotated key mends itself', async () => {
    mock
      .on(GetParameterCommand)
      .resolvesOnce({ Parameter: { Value: 'old' } })
      .resolves({ Parameter: { Value: 'new' } })
    const secret = secretOf()
    expect(await secret.read()).toBe('old')
    secret.forget()
    expect(await secret.read()).toBe('new')
  })

  test('that could not be read is tried again by the next who asks', async () => {
    mock
      .on(GetParameterCommand)
      .rejectsOnce(awsError('ThrottlingException', 400))
      .resolves({ Parameter: { Value: 'one' } })
    const secret = secretOf()
    expect(await caught(() => secret.read())).toMatchObject({ code: 'ERR_AWS_UNAVAILABLE' })
    expect(await secret.read()).toBe('one')
  })

  test.each([
    ['is not there', awsError('ParameterNotFound', 400), 'ssm:GetParameter on /darkroom/key'],
    ['may not be read', awsError('AccessDeniedException', 400), 'ssm:GetParameter on /darkroom/key'],
    ['is empty', undefined, 'SSM parameter /darkroom/key is empty'],
  ])('that %s is the operator’s to mend', async (_, error, message) => {
    if (error) mock.on(GetParameterCommand).rejects(error)
    else mock.on(GetParameterCommand).resolves({ Parameter: { Value: '' } })
    expect(await caught(() => secretOf().read())).toMatchObject({
      code: 'ERR_AWS_FORBIDDEN',
      message: expect.stringContaining(message),
    })
  })
})

describe('a secret that strangers can make us ask for', () => {
  let time = 0
  const patient = () => createPatientSecret(createSecret(ssm, { parameter: '/darkroom/webhook' }), () => time)
  beforeEach(() => {
    time = 1_000_000
  })

  test('that is missing is looked for once a minute, however often it is wanted', async () => {
    mock.on(GetParameterCommand).rejects(awsError('ParameterNotFound', 400))
    const secret = patient()
    for (let call = 0; call < 5; call += 1) expect(await caught(() => secret.read())).toBeInstanceOf(Error)
    expect(calls()).toBe(1)
    time += 60_000
    mock.on(GetParameterCommand).resolves({ Parameter: { Value: 'there' } })
    expect(await secret.read()).toBe('there')
  })

  test('that somebody found wrong is read again, once a minute', async () => {
    mock.on(GetParameterCommand).resolves({ Parameter: { Value: 'old' } })
    const secret = patient()
    for (let call = 0; call < 5; call += 1) {
      await secret.read()
      secret.forget()
    }
    expect(calls()).toBe(1)
    time += 60_000
    mock.on(GetParameterCommand).resolves({ Parameter: { Value: 'new' } })
    expect([await secret.read(), await secret.read()]).toEqual(['new', 'new'])
    expect(calls()).toBe(2)
  })
})
