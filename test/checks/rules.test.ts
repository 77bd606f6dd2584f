import { describe, expect, test } from 'vitest'
import { checkBundles, checkPackage, RULES } from '../../infra/checks/rules.ts'
import { type Packaged, type Properties, readPackaged, toList } from '../../infra/checks/template.ts'
import { PACKAGE_FOLDER } from '../../infra/deploy/package.ts'

const packaged = readPackaged(PACKAGE_FOLDER)

test('the template that is shipped keeps every rule', () => {
  expect(checkPackage(PACKAGE_FOLDER)).toEqual([])
})

type Mistake = (resource: (id: string) => Properties, template: Packaged) => void

const asserted = (value: unknown) => value as Properties
const firstStatement = (policy: Properties) =>
  asserted(asserted(policy.PolicyDocument).Statement)[0] as unknown as Properties

/** A mistake each, the rule that names it, and the resource that it names. */
const MISTAKES: Record<string, [keyof typeof RULES, string, Mistake]> = {
  'a wildcard action': [
    'no-wildcard',
    'EditPolicy',
    get => {
      firstStatement(get('EditPolicy')).Action = 's3:*'
    },
  ],
  'a wildcard resource': [
    'no-wildcard',
    'EditPolicy',
    get => {
      firstStatement(get('EditPolicy')).Resource = '*'
    },
  ],
  'a public bucket': [
    'no-public-bucket',
    'ResultsBucket',
    get => {
      asserted(get('ResultsBucket').PublicAccessBlockConfiguration).BlockPublicPolicy = false
    },
  ],
  'a bucket policy for everybody': [
    'no-public-bucket',
    'RecipesBucketPolicy',
    get => {
      firstStatement(get('RecipesBucketPolicy')).Effect = 'Allow'
    },
  ],
  'plain HTTP to a queue': ['tls-only', 'JobsQueue', (_, { Resources }) => void delete Resources.JobsQueuePolicy],
  'a queue that is not encrypted': ['encrypted', 'JobsQueue', get => void delete get('JobsQueue').SqsManagedSseEnabled],
  'visibility that is too short': [
    'visibility-six-times-timeout',
    'UploadsQueue',
    get => {
      get('UploadsQueue').VisibilityTimeout = 1799
    },
  ],
  'a missing dead-letter queue': [
    'dead-letter-queue-each',
    'BatchesQueue',
    get => void delete get('BatchesQueue').RedrivePolicy,
  ],
  'two queues with one dead-letter queue': [
    'dead-letter-queue-each',
    'JobsQueue',
    get => {
      get('JobsQueue').RedrivePolicy = get('UploadsQueue').RedrivePolicy as Properties
    },
  ],
  'a typo in a property': [
    'known-to-aws',
    'JobsQueue.VisibilityTimeOut',
    get => {
      get('JobsQueue').VisibilityTimeOut = 1800
    },
  ],
  'a value that AWS does not know': [
    'known-to-aws',
    'JobLambdaFunction.TracingConfig.Mode',
    get => {
      asserted(get('JobLambdaFunction').TracingConfig).Mode = 'On'
    },
  ],
  'a required property left out': [
    'known-to-aws',
    'LedgerTable.KeySchema',
    get => void delete get('LedgerTable').KeySchema,
  ],
  "a scheduler with the function's role": [
    'scheduler-has-own-role',
    'ScheduleRole',
    get => {
      asserted(get('ScheduleSchedulerSchedule1').Target).RoleArn = { 'Fn::GetAtt': ['ScheduleRole', 'Arn'] }
    },
  ],
  'two functions with one role': [
    'role-per-function',
    'UploadRole',
    get => {
      get('JobLambdaFunction').Role = { 'Fn::GetAtt': ['UploadRole', 'Arn'] }
    },
  ],
  'one bucket for uploads and results': [
    'buckets-distinct',
    'RESULTS_BUCKET',
    get => {
      const environment = asserted(asserted(get('UploadLambdaFunction').Environment).Variables)
      environment.RESULTS_BUCKET = environment.UPLOADS_BUCKET as Properties
    },
  ],
  'a cycle': [
    'no-cycle',
    'UploadsQueue → UploadsBucket',
    (_, { Resources }) => {
      if (Resources.UploadsQueue) Resources.UploadsQueue.DependsOn = 'UploadsBucket'
    },
  ],
  'a reference to nothing': [
    'no-dangling-reference',
    'UploadsQueu',
    get => {
      get('UploadsAgeAlarm').Threshold = { Ref: 'UploadsQueu' }
    },
  ],
  'a key in the environment': [
    'no-secret-in-environment',
    'GEMINI_API_KEY',
    get => {
      asserted(asserted(get('JobLambdaFunction').Environment).Variables).GEMINI_API_KEY = 'AIza'
    },
  ],
  'batches that fail as one': [
    'partial-batches',
    'JobEventSourceMapping',
    get => void delete get('JobEventSourceMappingSQSJobsQueue').FunctionResponseTypes,
  ],
  'a function that nobody watches': [
    'every-function-watched',
    'JobLambdaFunction',
    (_, { Resources }) => void delete Resources.FunctionErrorsAlarm,
  ],
  'an alarm on a metric that nothing logs': [
    'metrics-are-logged',
    'ErrorsAlarm: no log line counts errors',
    get => {
      get('ErrorsAlarm').MetricName = 'errors'
    },
  ],
  'a graph of a series that nothing logs': [
    'metrics-are-logged',
    'Dashboard: no log line counts jobs by model',
    get => {
      const body = asserted(get('Dashboard').DashboardBody)
      body['Fn::Sub'] = String(body['Fn::Sub']).replace('"status", "done"', '"model", "done"') as never
    },
  ],
  'an alarm that nobody hears': [
    'alarms-tell-operators',
    'JobsAgeAlarm',
    get => void delete get('JobsAgeAlarm').AlarmActions,
  ],
  'a function without a log': [
    'logs-end',
    'JobLambdaFunction',
    (_, { Resources }) => void delete Resources.JobLogGroup,
  ],
  'logs that are kept for ever': ['logs-end', 'JobLogGroup', get => void delete get('JobLogGroup').RetentionInDays],
  "a function's role that another service may use": [
    'lambda-alone-assumes-functions-roles',
    'JobRole',
    get => {
      get('JobRole').AssumeRolePolicyDocument = get('SchedulerRole').AssumeRolePolicyDocument as Properties
    },
  ],
  'all actions but one': [
    'no-wildcard',
    'EditPolicy allows all but a NotAction',
    get => {
      firstStatement(get('EditPolicy')).NotAction = 's3:DeleteBucket'
    },
  ],
  'a wildcard in a name that is joined': [
    'no-wildcard',
    'EditPolicy',
    get => {
      firstStatement(get('EditPolicy')).Resource = { 'Fn::Join': ['', ['arn:aws:s3:::', '*']] }
    },
  ],
  'a wildcard in a substitution of two parts': [
    'no-wildcard',
    'EditPolicy',
    get => {
      firstStatement(get('EditPolicy')).Resource = { 'Fn::Sub': ['arn:aws:s3:::darkroom-*', {}] }
    },
  ],
  "a policy of AWS's own": [
    'no-wildcard',
    'AmazonS3FullAccess',
    get => {
      get('JobRole').ManagedPolicyArns = ['arn:aws:iam::aws:policy/AmazonS3FullAccess']
    },
  ],
  'a wildcard that a parameter brings along': [
    'no-wildcard',
    'parameter InputBuckets',
    (_, { Parameters }) => {
      if (Parameters) Parameters.InputBuckets = { Type: 'String', Default: 'photos,*' }
    },
  ],
  "a queue that anybody's bucket may write to": [
    'services-of-this-account',
    'UploadsQueuePolicy',
    get => void delete firstStatement(get('UploadsQueuePolicy')).Condition,
  ],
  'a second function that anybody may call': [
    'one-public-url',
    'JobLambdaFunction',
    get => {
      get('WebhookLambdaFunctionUrl').TargetFunctionArn = { Ref: 'JobLambdaFunction' }
    },
  ],
  "a function's role that another account may use": [
    'lambda-alone-assumes-functions-roles',
    '111122223333',
    get => {
      const policy = asserted(get('JobRole').AssumeRolePolicyDocument)
      const Principal = { AWS: 'arn:aws:iam::111122223333:root' }
      policy.Statement = [...toList(policy.Statement), { Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }]
    },
  ],
  'an order that fails and is forgotten': [
    'lost-ticks-kept',
    'ScheduleLambdaFunction forgets',
    (_, { Resources }) => void delete Resources.ScheduleLambdaEvConf,
  ],
  'a tick that never reaches its function': [
    'lost-ticks-kept',
    'BatchDashsubmitSchedulerSchedule1 forgets',
    get => void delete asserted(get('BatchDashsubmitSchedulerSchedule1').Target).DeadLetterConfig,
  ],
  'a dead-letter queue that the function may not write to': [
    'lost-ticks-kept',
    'ScheduleRole may not write',
    get => {
      get('ScheduleRole').Policies = []
    },
  ],
  'TLS asked of a bucket and not of its objects': [
    'tls-only',
    'ResultsBucket',
    get => {
      firstStatement(get('ResultsBucketPolicy')).Resource = { 'Fn::GetAtt': ['ResultsBucket', 'Arn'] }
    },
  ],
  'TLS asked of one reader only': [
    'tls-only',
    'ResultsBucket',
    get => {
      firstStatement(get('ResultsBucketPolicy')).Principal = { AWS: 'arn:aws:iam::111122223333:root' }
    },
  ],
  'results that start jobs': [
    'only-uploads-start-jobs',
    'ResultsBucket',
    get => {
      get('ResultsBucket').NotificationConfiguration = get('UploadsBucket').NotificationConfiguration as Properties
    },
  ],
  'a ledger that goes with the stack': [
    'data-outlives-stack',
    'LedgerTable',
    (_, { Resources }) => void delete Resources.LedgerTable?.DeletionPolicy,
  ],
  'photos that are overwritten for good': [
    'data-can-be-restored',
    'UploadsBucket',
    get => {
      get('UploadsBucket').VersioningConfiguration = { Status: 'Suspended' }
    },
  ],
  'a ledger that no one can bring back': [
    'data-can-be-restored',
    'LedgerTable has no point-in-time',
    get => void delete get('LedgerTable').PointInTimeRecoverySpecification,
  ],
  'a ledger that only grows': [
    'data-can-be-restored',
    'LedgerTable forgets nothing',
    get => void delete get('LedgerTable').TimeToLiveSpecification,
  ],
  'unfinished uploads that are paid for': [
    'life-cycles',
    'ResultsBucket keeps unfinished',
    get => void delete get('ResultsBucket').LifecycleConfiguration,
  ],
  'a message that is buried after one kill': [
    'dead-letter-queue-each',
    'JobsQueue buries a message after 1',
    get => {
      asserted(get('JobsQueue').RedrivePolicy).maxReceiveCount = 1
    },
  ],
  'dead letters that are gone before they are seen': [
    'dead-letter-queue-each',
    'JobsDeadLetterQueue forgets',
    get => void delete get('JobsDeadLetterQueue').MessageRetentionPeriod,
  ],
  'a queue without a bound': [
    'bounded-concurrency',
    'JobEventSourceMapping',
    get => void delete get('JobEventSourceMappingSQSJobsQueue').ScalingConfig,
  ],
  'a key under another name': [
    'no-secret-in-environment',
    'GOOGLE',
    get => {
      asserted(asserted(get('JobLambdaFunction').Environment).Variables).GOOGLE = 'AIza-somebody'
    },
  ],
  'a function on another Node': [
    'runtime-as-tested',
    'nodejs22.x on arm64',
    get => {
      get('JobLambdaFunction').Runtime = 'nodejs22.x'
    },
  ],
}

describe('a seeded mistake is caught by the name of its rule', () => {
  test.each(Object.entries(MISTAKES))('%s', (_, [rule, named, seed]) => {
    const template = structuredClone(packaged)
    seed(id => template.Resources[id]?.Properties as Properties, template)
    expect(RULES[rule](template).join('\n')).toContain(named)
  })

  test('a bundle that swallowed too much', () => {
    expect(checkBundles(packaged, PACKAGE_FOLDER, 1000).join('\n')).toContain('JobLambdaFunction')
    expect(checkBundles(packaged, '/nowhere').join('\n')).toContain('job.zip is missing')
  })

  test('every rule has a mistake that it catches', () => {
    const caught = new Set(Object.values(MISTAKES).map(([rule]) => rule))
    expect(Object.keys(RULES).filter(rule => !caught.has(rule as keyof typeof RULES))).toEqual([])
  })
})
