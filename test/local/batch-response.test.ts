import { describe, expect, test } from 'vitest'
import { readFailedItems } from '../../infra/local/lambda/batch-response.ts'

const ids = ['a', 'b', 'c']
const failures = (...identifiers: unknown[]) => ({
  batchItemFailures: identifiers.map(itemIdentifier => ({ itemIdentifier })),
})

describe('a batch is done with', () => {
  test.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty answer', {}],
    ['an answer about something else', { statusCode: 200 }],
    ['no list of failures', { batchItemFailures: null }],
    ['an empty list of failures', { batchItemFailures: [] }],
  ])('when the function answers %s', (_, payload) => {
    expect([...readFailedItems(payload, ids)]).toEqual([])
  })
})

describe('a batch has failed as a whole', () => {
  test.each([
    ['a text', 'ok'],
    ['a number', 3],
    ['a list', []],
    ['failures that are no list', { batchItemFailures: 'a' }],
    ['an empty id', failures('')],
    ['a null for an id', failures(null)],
    ['an item without an id', { batchItemFailures: [{ itemIdentifer: 'a' }] }],
    ['a null for an item', { batchItemFailures: [null] }],
    ['the id of no message of the batch', failures('a', 'd')],
  ])('when the function answers %s', (_, payload) => {
    expect([...readFailedItems(payload, ids)]).toEqual(ids)
  })
})

test('only the messages that the function names have failed, however often it names them', () => {
  expect([...readFailedItems(failures('c', 'a', 'c'), ids)]).toEqual(['c', 'a'])
})
