import { describe, expect, test } from 'vitest'
import { type Code, EditError, ERRORS, endOf } from '../lib/errors.ts'

const rows = Object.entries(ERRORS)

describe('the table of codes', () => {
  test.each(rows)('%s says what happened and what to do, in sentences', (code, { means, todo }) => {
    expect(code).toMatch(/^ERR_[A-Z]+(_[A-Z]+)+$/)
    expect(means).toMatch(/^[A-Z].*[^.]\.$/)
    expect(todo).toMatch(/^[A-Z].*[^.]\.$/)
  })

  test('a code that others match on is not renamed', () => {
    expect(Object.keys(ERRORS)).toEqual(
      expect.arrayContaining([
        'ERR_JOB_UNREADABLE',
        'ERR_JOB_INVALID',
        'ERR_JOB_ID_REUSED',
        'ERR_JOB_WAITED_TOO_LONG',
        'ERR_UPLOAD_NO_RECIPE',
        'ERR_UPLOAD_NOT_AN_IMAGE',
        'ERR_INPUT_NOT_FOUND',
        'ERR_INPUT_NOT_AN_IMAGE',
        'ERR_GEMINI_KEY',
        'ERR_GEMINI_RATE',
        'ERR_REPLY_BLOCKED',
        'ERR_REPLY_NO_IMAGE',
        'ERR_CONFIG_INVALID',
      ]),
    )
  })
})

describe('whose move it is', () => {
  test.each<[Code, string]>([
    ['ERR_JOB_INVALID', 'change'],
    ['ERR_INPUT_DAMAGED', 'change'],
    ['ERR_GEMINI_REQUEST', 'change'],
    ['ERR_REPLY_BLOCKED', 'change'],
    ['ERR_JOB_WAITED_TOO_LONG', 'change'],
    ['ERR_GEMINI_RATE', 'wait'],
    ['ERR_GEMINI_QUOTA_DAY', 'wait'],
    ['ERR_GEMINI_UNAVAILABLE', 'wait'],
    ['ERR_GEMINI_TIMEOUT', 'wait'],
    ['ERR_TIME_SHORT', 'wait'],
    ['ERR_AWS_UNAVAILABLE', 'wait'],
    ['ERR_GEMINI_KEY', 'repair'],
    ['ERR_GEMINI_ACCOUNT', 'repair'],
    ['ERR_AWS_FORBIDDEN', 'repair'],
    ['ERR_CONFIG_INVALID', 'repair'],
  ])('%s: %s', (code, remedy) => {
    expect(new EditError(code, 'it happened').remedy).toBe(remedy)
  })
})

test('only what the model will not do ends as refused; what the job cannot ends as failed', () => {
  const refused = (Object.keys(ERRORS) as Code[]).filter(code => endOf(code) === 'refused')
  expect(refused.toSorted()).toEqual([
    'ERR_REPLY_BLOCKED',
    'ERR_REPLY_LANGUAGE',
    'ERR_REPLY_NO_IMAGE',
    'ERR_REPLY_RECITATION',
  ])
  expect(endOf('ERR_REPLY_CUT_OFF')).toBe('failed')
})

test('an error carries its code, its cause and the wait that somebody asked for', () => {
  const cause = new Error('socket hang up')
  const error = new EditError('ERR_GEMINI_RATE', 'slow down', { cause, retryAfterMs: 47_000 })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({
    name: 'EditError',
    code: 'ERR_GEMINI_RATE',
    message: 'slow down',
    retryAfterMs: 47_000,
    cause,
  })
  expect(new EditError('ERR_GEMINI_RATE', 'slow down').retryAfterMs).toBeUndefined()
})
