import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { readModelTurn } from '../../lib/gemini/turns.ts'

const picture = Buffer.from('a picture')
const sha256 = createHash('sha256').update(picture).digest('hex')
const data = picture.toString('base64')
const inlineData = { mimeType: 'image/png', data }

test('the model’s turn comes back as it was, with thoughts, signatures and names of tomorrow', () => {
  const parts = [
    { text: 'A draft first.', thought: true },
    { text: 'Here.', thoughtSignature: 'c2lnbg==' },
    { inlineData, thoughtSignature: 'bG9uZw==', nameOfTomorrow: [1] },
  ]
  const reply = { candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP' }] }
  expect(readModelTurn(reply, sha256)).toEqual({ role: 'model', parts })
})

test('of several candidates the one with the picture speaks', () => {
  const candidates = [
    { finishReason: 'OTHER' },
    { content: { parts: [{ text: 'no' }] } },
    { content: { parts: [{ inlineData }] } },
  ]
  expect(readModelTurn({ candidates }, sha256)).toEqual({ role: 'model', parts: [{ inlineData }] })
})

test('a recording that spells names in snake_case is left as it is', () => {
  const parts = [{ inline_data: { mime_type: 'image/png', data }, thought_signature: 'c2lnbg==' }]
  expect(readModelTurn({ candidates: [{ content: { role: 'model', parts } }] }, sha256)).toEqual({
    role: 'model',
    parts,
  })
})

test.each<[string, unknown]>([
  ['another picture', { candidates: [{ content: { parts: [{ inlineData: { data: 'AAAA' } }] } }] }],
  ['no picture', { candidates: [{ content: { parts: [{ text: 'no' }] } }] }],
  ['no candidates', { promptFeedback: { blockReason: 'SAFETY' } }],
  ['parts that are no list', { candidates: [{ content: { parts: null } }] }],
  ['nothing', null],
])('a reply with %s has no such turn', (_, reply) => {
  expect(readModelTurn(reply, sha256)).toBeUndefined()
})
