import { setTimeout as sleep } from 'node:timers/promises'
import type { Call } from '../../infra/local/gemini/calls.ts'
import { createChance } from '../../infra/local/gemini/pictures/chance.ts'
import type { Outcome } from '../../infra/local/lambda/environment.ts'
import type { RunningInvocation } from '../../infra/local/lambda/host.ts'
import { jobOf, jobsOf } from './storm-jobs.ts'
import type { Stormy } from './stormy.ts'

/** The end of a function in the middle of its work: by our hand, or by Lambda's when its time was up. Times are the stack's. */
export type Death = { by: 'kill' | 'timeout'; jobs: ReadonlySet<number>; since: number; at: number }

/** A lease outlives its function by this much, so that no other's call can have begun sooner. */
const MARGIN_MS = 10_000
/** A busy stand-in may begin to read a request when its sender is long dead: two real seconds. */
const READ_LATE_MS = 60_000

/** Whether a call was in flight, or on its way to the stand-in, when its function died: half a request names no job. */
export function wasInFlight({ jobs, since, at }: Death, call: Call): boolean {
  const isTheirs = call.prompt === '' || jobs.has(jobOf(call.prompt))
  const until = at + (call.clientWent ? READ_LATE_MS : MARGIN_MS)
  return isTheirs && call.at <= until && (call.endedAt ?? at) >= since
}

/** A function whose time is short gives its call up this long before its end, with some to spare; what came of it may die with it. */
const GIVES_UP_MS = 30_000
/** Functions at work below which nobody is killed: the last jobs would else die more often than they may. */
const FEWEST_AT_WORK = 2

/** Kills a function every second or so, and keeps a record of each that died. */
export function startKiller({ stack }: Stormy, seed: string) {
  const { lambda } = stack
  const chance = createChance(`${seed} kills`)
  const deaths: Death[] = []
  const killedAt = new Map<string, number>()
  const stopping = new AbortController()

  const onEnd = ({ requestId, event }: RunningInvocation, outcome: Outcome) => {
    if (outcome.ok || outcome.cause === 'error') return
    const at = stack.clock.now()
    const by = outcome.cause === 'timeout' ? 'timeout' : 'kill'
    deaths.push({ by, jobs: jobsOf(event), since: killedAt.get(requestId) ?? at - GIVES_UP_MS, at })
  }
  lambda.events.on('end', onEnd)

  const killing = (async () => {
    while (!stopping.signal.aborted) {
      await sleep(700 + chance() * 600, undefined, { signal: stopping.signal }).catch(() => {})
      const running = lambda.running()
      const victim = running[Math.floor(chance() * running.length)]
      if (!victim || running.length < FEWEST_AT_WORK) continue
      killedAt.set(victim.requestId, stack.clock.now())
      lambda.kill(victim.requestId)
    }
  })()

  const stop = async () => {
    stopping.abort()
    await killing
  }
  return {
    deaths: deaths as readonly Death[],
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      lambda.events.off('end', onEnd)
    },
  }
}
