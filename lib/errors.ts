/**
 * Whose move it is when something goes wrong:
 * `change` the sender's (another job), `wait` nobody's (time mends it), `repair` the operator's.
 * What each means for a message is decided in `aws/queue.ts`.
 */
export type Remedy = 'change' | 'wait' | 'repair'

type Row = {
  readonly remedy: Remedy
  /** How a job that meets this error ends, where it does: `refused` when the model would not, else `failed`. */
  readonly ends?: 'refused'
  /** What happened and what to do, for the README and `darkroom errors`. */
  readonly means: string
  readonly todo: string
}

/** Every code that Darkroom answers with. Codes are never renamed: others match on them. */
export const ERRORS = {
  ERR_JOB_UNREADABLE: {
    remedy: 'change',
    means: 'The message or `.job.json` is no JSON object.',
    todo: 'Send a job as a JSON object. A message goes to the dead-letter queue, with the reason.',
  },
  ERR_JOB_INVALID: {
    remedy: 'change',
    means: 'A field of the job is unknown, missing or has a wrong value; the message names each.',
    todo: 'Correct the fields named and send the job again.',
  },
  ERR_JOB_LANE: {
    remedy: 'change',
    means: 'The job cannot go by the batch lane: a text model has to write its words first.',
    todo: 'Send it with `lane: now`, or with its words.',
  },
  ERR_JOB_ID_REUSED: {
    remedy: 'change',
    means: 'The `id` belongs to another job with other content, which stays as it is.',
    todo: 'Send the new job under an id of its own.',
  },
  ERR_JOB_SLOTS: {
    remedy: 'change',
    means: "The slots do not fit the operation's template.",
    todo: 'Fill the slots that the message names, and no others.',
  },
  ERR_JOB_INPUTS: {
    remedy: 'change',
    means: 'The operation or the model takes another number of inputs, or other roles.',
    todo: 'Send as many inputs as the message says.',
  },
  ERR_JOB_SESSION_BATCH: {
    remedy: 'change',
    means: 'The job names a `session` and `lane: batch`. A turn needs the turn before it, and a batch has no order.',
    todo: 'Leave one of the two out.',
  },
  ERR_SESSION_BUSY: {
    remedy: 'wait',
    means: 'An earlier turn of the session is not over.',
    todo: 'Nothing: the job runs when the turns before it are over.',
  },
  ERR_SESSION_FULL: {
    remedy: 'change',
    means: 'A thousand turns of the session wait already.',
    todo: 'Send the job again when some of them are over, or use another session.',
  },
  ERR_JOB_WAITED_TOO_LONG: {
    remedy: 'change',
    means: 'The job waited longer than `maxWaitHours` allows; the message names the last reason.',
    todo: 'Mend the reason, then send the job again under a new id.',
  },
  ERR_UPLOAD_NO_RECIPE: {
    remedy: 'change',
    means: "The uploaded key has no folder, so it names no recipe, or the recipe isn't there.",
    todo: 'Upload to `<recipe>/<name>.<ext>`; the message lists the recipes that exist.',
  },
  ERR_UPLOAD_NOT_AN_IMAGE: {
    remedy: 'change',
    means: "The uploaded key's extension is none that Darkroom edits.",
    todo: 'Upload a .png, .jpg, .jpeg, .webp, .heic or .heif file.',
  },
  ERR_UPLOAD_JOBS_OFF: {
    remedy: 'change',
    means: 'A `*.job.json` was uploaded where the deployment does not run them.',
    todo: 'Send the job to the jobs queue, or set UPLOADED_JOBS=on.',
  },
  ERR_UPLOAD_METADATA: {
    remedy: 'change',
    means: "The upload's metadata sets what its recipe does not leave open.",
    todo: "Leave it out, or name it in the recipe's `allow`.",
  },
  ERR_UPLOAD_IS_A_RESULT: {
    remedy: 'change',
    means: 'The uploaded picture carries the mark of a Darkroom result, so editing it could go on for ever.',
    todo: "Keep results out of the uploads bucket, or upload the picture without Darkroom's metadata.",
  },
  ERR_UPLOAD_ECHO: {
    remedy: 'change',
    means:
      'A file of a result that is no picture came into the uploads bucket: something copies results back. It gets no answer, or that would be copied back too.',
    todo: 'Stop the replication, or whatever copies the results bucket into the uploads bucket.',
  },
  ERR_RECIPE_INVALID: {
    remedy: 'change',
    means: 'The recipe is no JSON, or a field in it is wrong; the message names each.',
    todo: 'Correct the recipe in the recipes bucket and upload the photo again.',
  },
  ERR_ORDER_INVALID: {
    remedy: 'change',
    means: "A schedule's order has an unknown, missing or wrong field; the message names each. It makes no jobs.",
    todo: "Correct the schedule's input.",
  },
  ERR_ORDER_FACTS: {
    remedy: 'change',
    means: 'Facts that an order brings along are missing or no JSON. The items that have theirs are made all the same.',
    todo: 'Bring the facts that the message names; the same tick may come again and makes no job twice.',
  },
  ERR_INPUT_NOT_FOUND: {
    remedy: 'change',
    means: 'An input does not exist.',
    todo: 'Check bucket and key, and upload the input before the job is sent.',
  },
  ERR_INPUT_FORBIDDEN: {
    remedy: 'change',
    means: 'S3 does not let Darkroom read an input.',
    todo: "Grant the functions s3:GetObject on it, or name another input. A key that doesn't exist looks the same without s3:ListBucket.",
  },
  ERR_INPUT_BUCKET: {
    remedy: 'change',
    means: 'An input lies in a bucket that Darkroom may not read from.',
    todo: 'Use the uploads bucket, or add the bucket to INPUT_BUCKETS.',
  },
  ERR_INPUT_EMPTY: {
    remedy: 'change',
    means: 'An input has no bytes.',
    todo: 'Upload it again: the first upload probably broke off.',
  },
  ERR_INPUT_TOO_LARGE: {
    remedy: 'change',
    means: 'An input has more bytes, or more pixels, than Darkroom or Gemini takes.',
    todo: 'Scale it down; the message names the limit.',
  },
  ERR_INPUT_NOT_AN_IMAGE: {
    remedy: 'change',
    means: "An input's bytes are no PNG, JPEG, WebP, HEIC or HEIF, whatever its name says.",
    todo: 'Convert it to one of these.',
  },
  ERR_INPUT_DAMAGED: {
    remedy: 'change',
    means: 'An input begins as an image and does not end as one, or its header makes no sense.',
    todo: 'Upload it again: it was probably cut off.',
  },
  ERR_INPUT_CHANGED: {
    remedy: 'change',
    means: 'An input was overwritten while its job was under way.',
    todo: 'Send the job again under a new id; it takes the input as it is now.',
  },
  ERR_MODEL_OPTION: {
    remedy: 'change',
    means: 'The model does not take that size, ratio, thinking level or grounding.',
    todo: 'Use what the message lists, or another model.',
  },
  ERR_MODEL_GONE: {
    remedy: 'change',
    means: 'Google does not serve the model, and the catalogue knows no successor.',
    todo: 'Name another model.',
  },
  ERR_GEMINI_REQUEST: {
    remedy: 'change',
    means: "Gemini refuses the request as invalid; the message is Google's.",
    todo: "Change the job as Google's message says.",
  },
  ERR_GEMINI_KEY: {
    remedy: 'repair',
    means: 'Gemini refuses the API key: it is missing, wrong, leaked or restricted.',
    todo: 'Set a valid key. Jobs wait for it and then run by themselves.',
  },
  ERR_GEMINI_ACCOUNT: {
    remedy: 'repair',
    means: "The key's project has no billing, or is in a country that is not served.",
    todo: "Mend it in Google's console. Jobs wait for it and then run by themselves.",
  },
  ERR_GEMINI_QUOTA_NONE: {
    remedy: 'repair',
    means: "The key's project has no quota for the model: it was never granted.",
    todo: "Ask for it in Google's console, or name another model. Jobs of this model wait for it.",
  },
  ERR_GEMINI_QUOTA_DAY: {
    remedy: 'wait',
    means: "The project's quota for today is spent.",
    todo: 'Nothing: jobs wait until midnight Pacific time. Or raise the quota.',
  },
  ERR_GEMINI_RATE: {
    remedy: 'wait',
    means: 'Gemini asks to slow down (429).',
    todo: 'Nothing: the job waits as long as Google asks.',
  },
  ERR_GEMINI_PACE: {
    remedy: 'wait',
    means: "The model's `requestsPerMinute` are taken: the job has a slot of its own, later.",
    todo: 'Nothing: the job runs at its slot. Or raise `requestsPerMinute` in settings.json.',
  },
  ERR_GEMINI_UNAVAILABLE: {
    remedy: 'wait',
    means: "Gemini cannot be reached, or answers 408, 5xx or something that isn't JSON.",
    todo: 'Nothing: the job is tried again.',
  },
  ERR_GEMINI_BROKE_OFF: {
    remedy: 'wait',
    means: 'The connection to Gemini ended after the request had gone out and before the answer was whole.',
    todo: 'Nothing: the job is tried again. Google may bill the answer that was lost.',
  },
  ERR_GEMINI_TIMEOUT: {
    remedy: 'wait',
    means: 'Gemini did not answer in the time that was left.',
    todo: 'Nothing: the job is tried again. Google may bill the call that was given up.',
  },
  ERR_GEMINI_FILE_LOST: {
    remedy: 'wait',
    means: "Google no longer has a file that was uploaded for the job, or won't say.",
    todo: 'Nothing: the file is uploaded again.',
  },
  ERR_GEMINI_NO_ANSWER: {
    remedy: 'change',
    means: 'Several calls for this job ended without an answer; each may have been billed, so there are no more.',
    todo: 'Look at the attempts in result.json; ask for a smaller image, or send the job under a new id.',
  },
  ERR_REPLY_BLOCKED: {
    remedy: 'change',
    ends: 'refused',
    means: "Gemini blocks the prompt or its picture by policy; the message has Google's reason.",
    todo: 'Change the prompt or the inputs. The same job would be refused again.',
  },
  ERR_REPLY_RECITATION: {
    remedy: 'change',
    ends: 'refused',
    means: 'The picture came too close to existing work, twice.',
    todo: 'Ask for something less like a known picture.',
  },
  ERR_REPLY_LANGUAGE: {
    remedy: 'change',
    ends: 'refused',
    means: "The model does not take the prompt's language.",
    todo: 'Write the prompt in a language that the model takes.',
  },
  ERR_REPLY_NO_IMAGE: {
    remedy: 'change',
    ends: 'refused',
    means: "The model answered without a picture, several times; the result keeps the model's words.",
    todo: "Read the model's words in result.json and change the prompt.",
  },
  ERR_REPLY_CUT_OFF: {
    remedy: 'change',
    means: 'The reply ended at its token limit before a picture was whole.',
    todo: 'Shorten the prompt, or ask for a smaller or a single image.',
  },
  ERR_REPLY_UNREADABLE: {
    remedy: 'change',
    means: 'The model sent bytes that are no readable image, several times.',
    todo: 'Send the job again under a new id, or use another model.',
  },
  ERR_REPLY_UNGROUNDED: {
    remedy: 'change',
    means: 'The job wants its picture looked up on the web, and the model did not, twice.',
    todo: 'Send the job again under a new id, bring the facts along, or set `grounding.required` to false.',
  },
  ERR_REPLY_WORDS: {
    remedy: 'change',
    means: 'The text model did not write the words for the picture in the form that was asked for, twice.',
    todo: 'Bring the words in their slot, or set another `textModel` in settings.json: it has to answer JSON.',
  },
  ERR_BUDGET_SPENT: {
    remedy: 'wait',
    means: 'The daily budget, or that of the recipe, has no room for the call.',
    todo: 'Nothing: jobs wait until the day turns in California. Or raise `dailyBudgetUsd` in settings.json.',
  },
  ERR_BATCH_ROW_LOST: {
    remedy: 'wait',
    means: 'A batch ended without a readable answer for this job. Google may have billed one.',
    todo: 'Nothing: the job goes into the next batch, and after two by the `now` lane.',
  },
  ERR_BATCH_FAILED: {
    remedy: 'wait',
    means: 'Google gave a batch up, or did not take it at all.',
    todo: 'Nothing: its jobs go into the next batch, and after two by the `now` lane.',
  },
  ERR_BATCH_EXPIRED: {
    remedy: 'wait',
    means: 'A batch was not begun within 48 hours, or not ended within `stuckHours` and therefore cancelled.',
    todo: 'Nothing: its jobs go by the `now` lane.',
  },
  ERR_BATCH_CANCELLED: {
    remedy: 'change',
    means: 'Somebody cancelled the batch that the job was in, before it was answered.',
    todo: 'Send the job under a new id if it is still wanted.',
  },
  ERR_TIME_SHORT: {
    remedy: 'wait',
    means: 'Too little of the function’s time is left to begin a call that would be billed.',
    todo: 'Nothing: the job starts again with a full clock.',
  },
  ERR_AWS_UNAVAILABLE: {
    remedy: 'wait',
    means: 'S3, SQS, SNS, DynamoDB or SSM throttles, fails or cannot be reached.',
    todo: 'Nothing: the job is tried again.',
  },
  ERR_AWS_FORBIDDEN: {
    remedy: 'repair',
    means: 'AWS refuses an action of the function: a permission, bucket, queue or table is missing.',
    todo: 'Mend the role or the resource that the message names. Jobs wait for it.',
  },
  ERR_SETTINGS_INVALID: {
    remedy: 'repair',
    means:
      'The settings.json in the recipes bucket is faulty, and a function that has just started knows no good one: there would be no budget.',
    todo: 'Correct the fields that the message names. Jobs wait for it and then run by themselves.',
  },
  ERR_CONFIG_INVALID: {
    remedy: 'repair',
    means: "The function's environment is incomplete; every fault is named at once.",
    todo: 'Set the variables named in serverless.yml and deploy again.',
  },
} as const satisfies Record<string, Row>

export type Code = keyof typeof ERRORS

/** The only error that Darkroom throws on purpose: what happened, with names and values, and whose move it is. */
export class EditError extends Error {
  override readonly name = 'EditError'
  readonly code: Code
  readonly remedy: Remedy
  /** How long to wait, in milliseconds, when somebody said so: Google, or our own clock. */
  readonly retryAfterMs: number | undefined
  /** The wait is this job's own already: no jitter is added to it. */
  readonly isSpread: boolean

  constructor(
    code: Code,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number; isSpread?: boolean } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.remedy = ERRORS[code].remedy
    this.retryAfterMs = options.retryAfterMs
    this.isSpread = options.isSpread ?? false
  }
}

/** How a job that ends with this code ends: the model would not (`refused`), or the job cannot (`failed`). */
export function endOf(code: Code): 'refused' | 'failed' {
  const row: Row = ERRORS[code]
  return row.ends ?? 'failed'
}

/** The job is another owner's until then (`lease`), or its time has not come (`waiting`): it has to be brought again then. */
export class Held extends Error {
  override readonly name = 'Held'
  readonly until: number
  readonly by: 'lease' | 'waiting'
  constructor(id: string, until: number, by: 'lease' | 'waiting') {
    super(`job ${id} is held by its ${by} until ${new Date(until).toISOString()}`)
    this.until = until
    this.by = by
  }
}
