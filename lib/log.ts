import { Logger } from '@aws-lambda-powertools/logger'

/** One JSON line an event: the message a short constant, the rest fields. Never bytes, keys or anybody's prompt. */
export type Log = {
  /** It is over. */
  info: (message: string, fields: Record<string, unknown>) => void
  /** Time mends it. */
  warn: (message: string, fields: Record<string, unknown>) => void
  /** A person should look. */
  error: (message: string, fields: Record<string, unknown>) => void
}

export function createLog(): Log {
  const logger = new Logger({ serviceName: 'darkroom' })
  return {
    info: (message, fields) => logger.info(message, fields),
    warn: (message, fields) => logger.warn(message, fields),
    error: (message, fields) => logger.error(message, fields),
  }
}
