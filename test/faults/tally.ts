import type { Call } from '../../infra/local/gemini/calls.ts'
import { FAULTS } from '../../infra/local/gemini/faults.ts'
import { wasInFlight } from './killer.ts'
import type { Storm } from './storm.ts'
import { jobOf } from './storm-jobs.ts'

/** Where every call of the model went, and every job. */
export function tally({ calls, keys, kept, notices, rows, jobs, deaths }: Storm) {
  const keptOf = Map.groupBy(kept, ({ job }) => job)
  const deliveredOf = Map.groupBy(calls.filter(isDelivered), ({ prompt }) => jobOf(prompt))
  const unkept = Array.from({ length: jobs }, (_, n) => n).flatMap(n => {
    const missing = (deliveredOf.get(n)?.length ?? 0) - (keptOf.get(n)?.length ?? 0)
    return Array.from({ length: missing }, () => n)
  })
  const goneOf = Map.groupBy(
    calls.filter(call => !isStruck(call) && !isDelivered(call)),
    ({ prompt }) => jobOf(prompt),
  )
  return {
    results: new Set(notices.map(({ id }) => id)).size,
    done: rows.filter(({ status }) => status === 'done').length,
    pictures: new Set(keys.filter(key => key.endsWith('/image-1.jpg')).map(jobOf)).size,
    started: calls.length,
    struck: calls.filter(isStruck).length,
    keptPictures: kept.filter(({ hasPicture }) => hasPicture).length,
    keptWords: kept.filter(({ hasPicture }) => !hasPicture).length,
    gone: [...goneOf.values()].flat().length,
    /** Calls that nobody's death cut off, and that no function says it gave up, with what is known: there should be none. */
    unexplained: [...goneOf.values()]
      .flat()
      .filter(call => !deaths.some(death => wasInFlight(death, call)))
      .map(call => ({ call, row: rows.find(row => jobOf(promptOf(row)) === jobOf(call.prompt)) }))
      .filter(({ row }) => !row || timeoutsOf(row) === 0)
      .map(({ call, row }) => {
        const theirs = deaths.filter(death => death.jobs.has(jobOf(call.prompt)))
        return { call, attempts: row?.attempts, deaths: theirs.map(({ by, since, at }) => ({ by, since, at })) }
      }),
    /** Of those gone, calls that a function gave up itself because its time was short, and lived. */
    givenUp: rows.reduce(
      (sum, row) => sum + Math.min(timeoutsOf(row), goneOf.get(jobOf(promptOf(row)))?.length ?? 0),
      0,
    ),
    /** The job of each reply that was delivered whole and that nobody had the time to keep. */
    unkept,
    inFlightAtDeaths: calls.filter(call => deaths.some(death => wasInFlight(death, call))).length,
  }
}

export type Tally = ReturnType<typeof tally>

type Row = Storm['rows'][number]

function timeoutsOf({ attempts }: Row): number {
  const outcomes = JSON.parse(String(attempts ?? '[]')) as { outcome: string }[]
  return outcomes.filter(({ outcome }) => outcome === 'ERR_GEMINI_TIMEOUT').length
}

const promptOf = ({ job }: Row) => (JSON.parse(String(job)) as { prompt: string }).prompt

function isStruck({ outcome }: Call): boolean {
  return Object.hasOwn(FAULTS, outcome)
}

function isDelivered(call: Call): boolean {
  return !isStruck(call) && call.delivered && !call.clientWent
}

/** The table that a run prints. */
export function toTable(storm: Storm, it: Tally): string {
  const kills = storm.deaths.filter(({ by }) => by === 'kill').length
  const rows: [string, unknown][] = [
    ['seed', storm.seed],
    ['seconds', storm.seconds],
    ['jobs', storm.jobs],
    ['deliveries', storm.deliveries],
    ['functions killed', kills],
    ['functions out of time', storm.deaths.length - kills],
    ...Object.entries(storm.awsFaults).map(([name, count]): [string, number] => [`AWS: ${name}`, count]),
    ['', ''],
    ['results', it.results],
    ['… done', it.done],
    ['lost', storm.jobs - it.results],
    ['dead letters', storm.deadLetters],
    ['most calls in flight for a job', storm.mostInFlight],
    ['', ''],
    ['calls started', it.started],
    ['… replies kept: pictures', it.keptPictures],
    ['… replies kept: only words', it.keptWords],
    ['… failed by Gemini', it.struck],
    ['… cut off by a death', it.gone - it.givenUp],
    ['… given up for lack of time', it.givenUp],
    ['… delivered whole, not kept', it.unkept.length],
    ...it.unkept.map((n): [string, string] => ['    of job', String(n)]),
    ['calls in flight at deaths', it.inFlightAtDeaths],
  ]
  return rows.map(([name, value]) => `${name.padEnd(34)}${String(value).padStart(10)}`.trimEnd()).join('\n')
}
