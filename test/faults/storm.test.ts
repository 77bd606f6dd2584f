import { beforeAll, describe, expect, it } from 'vitest'
import { runStorm, type Storm } from './storm.ts'
import { type Tally, tally, toTable } from './tally.ts'

const { FAULTS_SEED = String(Date.now() % 1_000_000), FAULTS_JOBS = '200' } = process.env
const jobs = Number(FAULTS_JOBS)

describe(`${jobs} jobs in a storm, seed ${FAULTS_SEED}`, () => {
  let storm: Storm
  let sums: Tally
  beforeAll(
    async () => {
      storm = await runStorm({ seed: FAULTS_SEED, jobs })
      sums = tally(storm)
      console.log(`\n${toTable(storm, sums)}\n`)
    },
    240_000 + jobs * 2000,
  )

  it('end done, each of them, each once', () => {
    expect(sums).toMatchObject({ results: jobs, done: jobs, pictures: jobs })
    expect(storm.rows).toHaveLength(jobs)
  })

  it('leave no dead letter', () => {
    expect(storm.deadLetters).toBe(0)
  })

  it('never have two calls in flight for one job', () => {
    expect(storm.mostInFlight).toBe(1)
  })

  it('pay one picture each, and never again for a reply that was kept', () => {
    expect(sums.keptPictures).toBe(jobs)
  })

  it('start no more calls than jobs, failed calls and calls in flight at deaths', () => {
    const failed = sums.struck + sums.keptWords + sums.givenUp
    expect(sums.started).toBeLessThanOrEqual(jobs + failed + sums.inFlightAtDeaths + sums.unkept.length)
    expect(sums.unexplained).toEqual([])
  })

  it('lose a reply that came only to a death in that moment', () => {
    const died = new Set(storm.deaths.flatMap(({ jobs }) => [...jobs]))
    expect(sums.unkept.filter(n => !died.has(n))).toEqual([])
  })
})
