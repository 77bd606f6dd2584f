import type { IncomingMessage } from 'node:http'
import { ZodError, z } from 'zod'
import type { Desk } from './generate.ts'
import { invalid, noSuchPath } from './google-error.ts'
import { jsonReply, parseJson, type Reply, readBody } from './wire.ts'

type Route = (desk: Desk, request: IncomingMessage) => Reply | Promise<Reply>

const ROUTES: Readonly<Record<string, Route>> = {
  'POST /control/faults': async (desk, request) => {
    const given = parseJson(await readBody(request))
    for (const order of Array.isArray(given) ? given : [given]) desk.control.order(order)
    return jsonReply({ standing: desk.control.standing() })
  },
  'GET /control/faults': desk => jsonReply({ standing: desk.control.standing() }),
  'GET /control/calls': ({ log }) =>
    jsonReply({ calls: log.calls, inFlight: log.inFlight(), mostInFlight: log.mostInFlight() }),
  'POST /control/reset': desk => {
    desk.control.clear()
    desk.limiter.clear()
    desk.log.clear()
    return jsonReply({})
  },
}

/** The address by which another process orders faults and reads what was called; it needs no key, as only this machine reaches it. */
export async function answerControl(desk: Desk, request: IncomingMessage, url: URL): Promise<Reply> {
  const route = ROUTES[`${request.method} ${url.pathname}`]
  if (!route) throw noSuchPath()
  try {
    return await route(desk, request)
  } catch (error) {
    throw error instanceof ZodError ? invalid(z.prettifyError(error)) : error
  }
}
