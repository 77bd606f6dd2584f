import { expect, test } from 'vitest'
import { toMetricFields } from '../lib/metrics.ts'

const now = Date.UTC(2026, 10, 21)

function read(message: string, fields: Record<string, unknown>, level = 'info') {
  const line: Record<string, unknown> = {
    ...fields,
    ...toMetricFields('darkroom-test', { level, message, fields, now }),
  }
  const { Timestamp, CloudWatchMetrics } = line._aws as {
    Timestamp: number
    CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[]
  }
  const [directive] = CloudWatchMetrics
  return { line, Timestamp, ...(directive as NonNullable<typeof directive>) }
}

const over = {
  operation: 'edit',
  status: 'done',
  usd: 0.04,
  calls: 2,
  replies: 1,
  images: 1,
  modelMs: 900,
  waitedMs: 5,
}

test('the line of a job that is over counts it by status and by operation', () => {
  const { line, Timestamp, Namespace, Dimensions, Metrics } = read('job over', over)
  expect(line).toMatchObject({ ...over, jobs: 1 })
  expect([Timestamp, Namespace]).toEqual([now, 'darkroom-test'])
  expect(Dimensions).toEqual([[], ['status'], ['operation', 'status']])
  expect(Metrics).toContainEqual({ Name: 'usd', Unit: 'None' })
  expect(Metrics).toContainEqual({ Name: 'modelMs', Unit: 'Milliseconds' })
})

test('every metric and dimension of a line is a field of it, or CloudWatch drops the whole line', () => {
  const { line, Dimensions, Metrics } = read('job over', { status: 'failed', usd: 0 })
  for (const { Name } of Metrics) expect(line[Name], Name).toBeTypeOf('number')
  for (const name of Dimensions.flat()) expect(line[name], name).toBeTypeOf('string')
  expect(line.operation).toBe('none')
})

test('a job that waits counts by its code', () => {
  expect(read('job waits', { code: 'ERR_GEMINI_RATE' }, 'warn').line).toMatchObject({ waits: 1 })
})

test('a budget that is near its end counts once', () => {
  expect(read('budget near its end', { budget: 'all' }, 'warn').line).toMatchObject({ budgetsNear: 1, budget: 'all' })
})

test('any line that a person should look at is counted, and keeps its own fields', () => {
  expect(read('job met a bug', { errors: 3 }, 'error').line).toMatchObject({ errors: 3, errorLines: 1 })
})

test('any other line is left as it is', () => {
  expect(toMetricFields('darkroom-test', { level: 'info', message: 'constructor', fields: {}, now })).toEqual({})
})
