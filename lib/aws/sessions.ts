import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EditError } from '../errors.ts'
import { type Item, writeIf } from './table.ts'

/** A job's place in a line; `seenAt` is when it last came to ask for its turn. */
export type Place = { job: string; turn: number; seenAt: number }

/** The last turn that ended well: the next one continues from it. */
export type LastTurn = { job: string; turn: number; resultUri: string }

/** A session as it is now: the jobs that are not over, in the order of their turns. */
export type Line = { places: Place[]; last: LastTurn | undefined }

export type Sessions = ReturnType<typeof createSessions>

/** Sessions are forgotten after 90 days without a turn, as jobs are. */
const REMEMBERED_MS = 90 * 24 * 3600 * 1000
/** A row has 400 KB, and a place takes 250 bytes at most. */
const PLACES_LIMIT = 1000

/**
 * Every session's row: a counter, and the line of jobs that are not over. All of it is one item, so that taking a number and
 * standing in the line are one write, and a job that asks again finds itself there with the number that it has.
 *
 *            check in: number n+1            it is the first        the job is over
 *   (none) ─────────────────────▶ in line ─────────────────▶ turn ───────────────────▶ (none), and if done: last = this
 *                                  │  ▲ ↺ check in: same number
 *                                  │  └──────────────────┐
 *                                  └─ nobody has seen it │ check in: number m+1
 *                                     for hours: dropped ▼
 *                                                      (none)
 *
 * Only the first of the line works, and the line has one first. It leaves after its job is closed: a function that dies in
 * between leaves a first that is over, and whoever comes next leads it out.
 */
export function createSessions(dynamodb: DynamoDBClient, table: string, now: () => number = Date.now) {
  /** One conditional write; `undefined` when the condition does not hold. */
  async function update(session: string, change: Change): Promise<Line | undefined> {
    const { set, remove, condition, job, values } = change
    const item = await writeIf(dynamodb, {
      TableName: table,
      Key: { pk: { S: `session#${session}` }, sk: { S: 'session' } },
      UpdateExpression: `SET #kind = :kind, updatedAt = :updatedAt, expiresAt = :expiresAt, ${set}${remove ? ` REMOVE ${remove}` : ''}`,
      ConditionExpression: condition,
      ExpressionAttributeNames: {
        '#kind': 'kind',
        ...(job && { '#turns': 'turns', '#seen': 'seen', '#job': job }),
      },
      ExpressionAttributeValues: {
        ':kind': { S: 'session' },
        ':updatedAt': { S: new Date(now()).toISOString() },
        ':expiresAt': { N: String(Math.floor((now() + REMEMBERED_MS) / 1000)) },
        ...values,
      },
    })
    return item && toLine(item)
  }

  const stay = (session: string, job: string) =>
    update(session, {
      set: '#seen.#job = :now',
      condition: 'attribute_exists(#turns.#job)',
      job,
      values: { ':now': { N: String(now()) } },
    })

  const join = (session: string, job: string) =>
    update(session, {
      set: 'turnCount = turnCount + :one, #turns.#job = turnCount + :one, #seen.#job = :now',
      condition: 'attribute_exists(pk) AND attribute_not_exists(#turns.#job) AND size(#turns) < :most',
      job,
      values: { ':one': { N: '1' }, ':now': { N: String(now()) }, ':most': { N: String(PLACES_LIMIT) } },
    })

  const open = (session: string) =>
    update(session, {
      set: 'turnCount = :zero, turns = :empty, seen = :empty',
      condition: 'attribute_not_exists(pk)',
      values: { ':zero': { N: '0' }, ':empty': { M: {} } },
    })

  return {
    /** The line with `job` in it: at its end when it comes for the first time, else where it stood. */
    async checkIn(session: string, job: string): Promise<Line> {
      // The last look is for a join whose answer was lost, or a line that was opened by two at once.
      for (const enter of [stay, join, open, join, stay]) {
        const line = await enter(session, job)
        if (line?.places.some(place => place.job === job)) return line
      }
      throw new EditError('ERR_SESSION_FULL', `${PLACES_LIMIT} turns of session ${session} wait already`)
    },

    /** Takes a job that is over out of the line; `resultUri` of one that is done is where the next turn continues. */
    leave(session: string, job: string, resultUri?: string): Promise<Line | undefined> {
      const done = resultUri !== undefined
      return update(session, {
        set: `leftAt = :now${done ? ', lastJob = :job, lastTurn = #turns.#job, lastUri = :uri' : ''}`,
        remove: '#turns.#job, #seen.#job',
        condition: 'attribute_exists(#turns.#job)',
        job,
        values: {
          ':now': { N: String(now()) },
          ...(done && { ':job': { S: job }, ':uri': { S: resultUri } }),
        },
      })
    },

    /** Takes a job out of the line that has not come since `seenAt`; if it comes after all, it stands at the end. */
    drop(session: string, { job, seenAt }: Place): Promise<Line | undefined> {
      return update(session, {
        set: 'droppedAt = :now',
        remove: '#turns.#job, #seen.#job',
        condition: '#seen.#job = :seen',
        job,
        values: { ':now': { N: String(now()) }, ':seen': { N: String(seenAt) } },
      })
    },
  }
}

type Change = {
  set: string
  remove?: string
  condition: string
  job?: string
  values: Record<string, AttributeValue>
}

function toLine({ turns, seen, lastJob, lastTurn, lastUri }: Item): Line {
  const places = Object.entries(turns?.M ?? {}).map(([job, turn]) => ({
    job,
    turn: Number(turn.N),
    seenAt: Number(seen?.M?.[job]?.N ?? 0),
  }))
  const last =
    lastJob?.S && lastUri?.S ? { job: lastJob.S, turn: Number(lastTurn?.N), resultUri: lastUri.S } : undefined
  return { places: places.toSorted((a, b) => a.turn - b.turn), last }
}
