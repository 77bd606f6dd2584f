import { setTimeout as wait } from 'node:timers/promises'

// Kept before anything may put virtual ones in the place of the machine's.
const realNow = Date.now
const realWait = wait

/** A moment as the machine's clock and the stack's clock tell it. */
export type ClockStart = { realMs: number; virtualMs: number }

/** The one clock of a local stack: `factor` virtual milliseconds pass in each real one. */
export type Clock = {
  readonly factor: number
  readonly start: ClockStart
  /** Whether it is the machine's own. */
  readonly isReal: boolean
  /** Virtual milliseconds since 1970. */
  now(): number
  /** How long a virtual duration really takes. */
  toRealMs(virtualMs: number): number
  /** Resolves after `virtualMs`; rejects with the signal's reason when that comes first. */
  sleep(virtualMs: number, signal?: AbortSignal): Promise<void>
}

/** Starts a clock that runs `factor` times as fast as the machine's, from now or from a moment that was kept. */
export function createClock(factor = 1, start: ClockStart = startNow()): Clock {
  if (!(factor > 0)) throw new Error(`clockFactor is ${factor}, expected a number above 0`)
  return {
    factor,
    start,
    isReal: factor === 1 && start.virtualMs === start.realMs,
    now: () => Math.round(start.virtualMs + (realNow() - start.realMs) * factor),
    toRealMs: virtualMs => virtualMs / factor,
    sleep: (virtualMs, signal) => realWait(virtualMs / factor, undefined, { signal }),
  }
}

function startNow(): ClockStart {
  const now = realNow()
  return { realMs: now, virtualMs: now }
}
