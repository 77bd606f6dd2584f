/**
 * The log lines that CloudWatch also reads as metrics (its Embedded Metric Format): a row a line, by the line's constant
 * message. A metric is a field of the line, so the number on the dashboard and the one in the log are the same one.
 *
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
const LINES = {
  'job over': {
    metrics: {
      jobs: 'Count',
      calls: 'Count',
      replies: 'Count',
      images: 'Count',
      usd: 'None',
      waitedMs: 'Milliseconds',
      modelMs: 'Milliseconds',
      overheadMs: 'Milliseconds',
    },
    dimensions: [[], ['status'], ['operation', 'status']],
    count: 'jobs',
  },
  'job waits': { metrics: { waits: 'Count' }, dimensions: [[], ['code']], count: 'waits' },
  'budget near its end': { metrics: { budgetsNear: 'Count' }, dimensions: [[]], count: 'budgetsNear' },
  'batch under way': { metrics: { batchHours: 'None' }, dimensions: [[]], count: 'batches' },
} as const satisfies Record<string, Line>

/** Any other line that a person should look at. */
const ERROR_LINE: Line = { metrics: { errorLines: 'Count' }, dimensions: [[]], count: 'errorLines' }

type Line = {
  metrics: Readonly<Record<string, 'Count' | 'Milliseconds' | 'None'>>
  /** Each set is a series of its own; the empty one is the sum of all. */
  dimensions: readonly (readonly string[])[]
  /** The field that is 1 in each line. */
  count: string
}

/** Whether some line counts in the series of a metric by these dimensions: CloudWatch shows any other as empty, for ever. */
export function isPublished(metric: string, dimensions: readonly string[]): boolean {
  const series = dimensions.toSorted().join()
  return [...Object.values<Line>(LINES), ERROR_LINE].some(
    line => Object.hasOwn(line.metrics, metric) && line.dimensions.some(set => set.toSorted().join() === series),
  )
}

/** The fields that make a log line a metric too, or none. Metrics that a line has no number for are left out. */
export function toMetricFields(
  namespace: string,
  { level, message, fields, now }: { level: string; message: string; fields: Record<string, unknown>; now: number },
): Record<string, unknown> {
  const lines: Readonly<Record<string, Line>> = LINES
  const line = Object.hasOwn(lines, message) ? lines[message] : level === 'error' ? ERROR_LINE : undefined
  if (!line) return {}
  const counts = { [line.count]: 1, ...(level === 'error' ? { errorLines: 1 } : {}) }
  const numbers: Record<string, unknown> = { ...fields, ...counts }
  // A line that lacks a field of a dimension would be dropped whole.
  const names = [...new Set(line.dimensions.flat())]
  const missing = names.filter(name => typeof fields[name] !== 'string').map(name => [name, 'none'])
  const Metrics = Object.entries(line.metrics)
    .filter(([Name]) => typeof numbers[Name] === 'number')
    .map(([Name, Unit]) => ({ Name, Unit }))
  const directive = { Namespace: namespace, Dimensions: line.dimensions, Metrics }
  return { ...counts, ...Object.fromEntries(missing), _aws: { Timestamp: now, CloudWatchMetrics: [directive] } }
}
