import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Clock } from './clock.ts'

/** Makes `Date` of this thread tell the clock's time. The patch stays until the thread ends. */
export function installVirtualDate(clock: Clock): void {
  const RealDate = Date
  RealDate.now = clock.now
  const VirtualDate = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length > 0 ? args : [clock.now()], newTarget),
    apply: () => new RealDate(clock.now()).toString(),
  })
  RealDate.prototype.constructor = VirtualDate
  globalThis.Date = VirtualDate
}

/** Makes every timer that JavaScript can ask for wait in the clock's time. Sockets keep the machine's. */
export function installVirtualTimers(clock: Clock): void {
  const real = { ...timers }
  const realPromises = { ...timersPromises, wait: timersPromises.scheduler.wait.bind(timersPromises.scheduler) }
  const abortAfter = AbortSignal.timeout.bind(AbortSignal)
  const scaled = (delayMs: number | undefined) => clock.toRealMs(Number(delayMs ?? 0))

  const virtualPromises = {
    setTimeout: (delayMs?: number, ...rest: []) => realPromises.setTimeout(scaled(delayMs), ...rest),
    setInterval: (delayMs?: number, ...rest: []) => realPromises.setInterval(scaled(delayMs), ...rest),
  }
  const virtual = {
    setTimeout: (callback: () => void, delayMs?: number, ...rest: []) =>
      real.setTimeout(callback, scaled(delayMs), ...rest),
    setInterval: (callback: () => void, delayMs?: number, ...rest: []) =>
      real.setInterval(callback, scaled(delayMs), ...rest),
  }
  Object.defineProperty(virtual.setTimeout, promisify.custom, { value: virtualPromises.setTimeout })

  Object.assign(timers, virtual)
  Object.assign(timersPromises, virtualPromises)
  Object.assign(globalThis, virtual)
  timersPromises.scheduler.wait = (delayMs, options) => realPromises.wait(scaled(delayMs), options)
  // The real one takes whole milliseconds only.
  AbortSignal.timeout = delayMs => abortAfter(Math.ceil(scaled(delayMs)))
  syncBuiltinESMExports()
}
