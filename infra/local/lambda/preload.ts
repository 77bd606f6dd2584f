import { registerHooks } from 'node:module'
import { Socket } from 'node:net'
import { createClock } from '../clock.ts'
import { installVirtualDate, installVirtualTimers } from '../virtual-time.ts'

/** The file descriptor that closes when the host is gone. */
const hostPipe = 3

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier.endsWith('rapid-client.node')
      ? { url: new URL('./rapid-client.ts', import.meta.url).href, shortCircuit: true }
      : nextResolve(specifier, context),
})

new Socket({ fd: hostPipe, readable: true, writable: false })
  .on('close', () => process.kill(process.pid, 'SIGKILL'))
  .resume()
  .unref()

const { LOCAL_CLOCK } = process.env
if (LOCAL_CLOCK) {
  const { factor, start } = JSON.parse(LOCAL_CLOCK)
  const clock = createClock(factor, start)
  installVirtualDate(clock)
  installVirtualTimers(clock)
  delete process.env.LOCAL_CLOCK
}
