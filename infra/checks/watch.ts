import { isPublished } from '../../lib/metrics.ts'
import { at, findReferences, ofType, type Packaged, type Properties, toList, type Value } from './template.ts'

/** Functions and dead-letter queues that no alarm looks at. */
export function checkWatched(template: Packaged): string[] {
  const watched = new Set(ofType(template, 'AWS::CloudWatch::Alarm').flatMap(([, it]) => findReferences(it)))
  const deadLetters = ofType(template, 'AWS::SQS::Queue').filter(([, it]) => !it.RedrivePolicy)
  return [...ofType(template, 'AWS::Lambda::Function'), ...deadLetters]
    .filter(([id]) => !watched.has(id))
    .map(([id]) => `no alarm looks at ${id}`)
}

/** Alarms that ring where nobody hears them. */
export function checkActions(template: Packaged): string[] {
  return ofType(template, 'AWS::CloudWatch::Alarm')
    .filter(([, it]) => it.ActionsEnabled === false || !findReferences(it.AlarmActions).includes('OperatorsTopic'))
    .map(([id]) => `${id} does not tell the operators`)
}

/** A line of a log that nobody ends is paid for every month; one without a log group is nowhere. */
export function checkLogGroups(template: Packaged): string[] {
  const groups = ofType(template, 'AWS::Logs::LogGroup')
  const names = new Set(groups.map(([, it]) => it.LogGroupName))
  return [
    ...groups.filter(([, it]) => !it.RetentionInDays).map(([id]) => `${id} keeps its lines for ever`),
    ...ofType(template, 'AWS::Lambda::Function')
      .filter(([, it]) => !names.has(`/aws/lambda/${it.FunctionName}`))
      .map(([id]) => `${id} has no log group`),
  ]
}

type Series = { id: string; namespace: Value | undefined; metric: string; dimensions: string[] }

/** Series of the functions' own namespace that no line of theirs counts in: an alarm on one never rings. */
export function checkMetrics(template: Packaged): string[] {
  const own = new Set(
    ofType(template, 'AWS::Lambda::Function').map(([, it]) => at(it, 'Environment', 'Variables', 'METRICS_NAMESPACE')),
  )
  const alarmed = ofType(template, 'AWS::CloudWatch::Alarm').flatMap(([id, it]) => findSeries(id, it))
  const shown = ofType(template, 'AWS::CloudWatch::Dashboard').flatMap(([id, it]) => readDashboard(id, it))
  return [...alarmed, ...shown]
    .filter(({ namespace, metric, dimensions }) => own.has(namespace) && !isPublished(metric, dimensions))
    .map(({ id, metric, dimensions }) => `${id}: no log line counts ${[metric, ...dimensions].join(' by ')}`)
}

function findSeries(id: string, alarm: Properties): Series[] {
  const metrics = toList(alarm.Metrics).flatMap(it => toList(at(it, 'MetricStat', 'Metric')))
  return [alarm, ...metrics].flatMap(it => {
    const metric = at(it, 'MetricName')
    if (metric === undefined) return []
    const dimensions = toList(at(it, 'Dimensions')).map(dimension => String(at(dimension, 'Name')))
    return [{ id, namespace: at(it, 'Namespace'), metric: String(metric), dimensions }]
  })
}

/** A dashboard is JSON in a text: `["namespace", "metric", "dimension", "value", …]` a series. */
function readDashboard(id: string, { DashboardBody }: Properties): Series[] {
  const text = typeof DashboardBody === 'string' ? DashboardBody : String(at(DashboardBody, 'Fn::Sub'))
  const { widgets } = JSON.parse(text) as { widgets: { properties: { metrics?: string[][] } }[] }
  return widgets
    .flatMap(({ properties }) => properties.metrics ?? [])
    .map(([namespace, metric = '', ...pairs]) => ({
      id,
      namespace,
      metric,
      dimensions: pairs.filter((_, index) => index % 2 === 0),
    }))
}
