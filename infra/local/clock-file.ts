import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, createClock } from './clock.ts'

/**
 * Starts the clock of a state folder. Time there never goes back: deadlines that were written before a restart are
 * dates of the stack's clock, so a clock that ran ahead goes on from where it would be by now.
 * `startsAt` is in milliseconds since 1970.
 */
export function openClock(stateFolder: string, factor: number, startsAt?: number): Clock {
  const file = join(stateFolder, 'clock.json')
  const realMs = Date.now()
  const earlier = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  const firstMs = startsAt ?? realMs
  const resumedMs = earlier ? createClock(earlier.factor, earlier.start).now() : firstMs
  const clock = createClock(factor, { realMs, virtualMs: Math.max(firstMs, resumedMs) })
  writeFileSync(file, JSON.stringify({ factor, start: clock.start }))
  return clock
}
