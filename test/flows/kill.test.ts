import { expect, test } from 'vitest'
import { openDarkroom, until } from '../helpers/darkroom.ts'

test('a job whose function is killed in the middle of a call ends done, once its lease is over', async () => {
  // A killed function's message comes back after half an hour, so the hour is made short: 15 seconds.
  await using darkroom = await openDarkroom({ clockFactor: 120 })
  const calls = darkroom.gemini.calls
  darkroom.gemini.control.fail({ fault: 'hang', times: 1 })
  await darkroom.send({ id: 'killed', operation: 'generate', prompt: 'killed in the middle' })
  await until('the call hangs', () => calls.length === 1)
  const lease = (await darkroom.row('killed'))?.leaseUntil as number
  expect(darkroom.stack.lambda.kill('job')).toHaveLength(1)

  const result = await darkroom.result('jobs/killed/')
  expect(result.status).toBe('done')
  expect(calls).toHaveLength(2)
  expect(calls[1]?.at).toBeGreaterThan(lease)
  expect(darkroom.gemini.mostInFlight('killed in the middle')).toBe(1)
  expect(await darkroom.row('killed')).toMatchObject({ status: 'done', calls: 2 })
})
