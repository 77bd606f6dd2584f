/** One call of the model, as it went. */
export type Call = {
  id: number
  method: string
  model: string
  /** Milliseconds by the stand-in's clock. */
  at: number
  endedAt?: number
  /** The last user turn's words. */
  prompt: string
  images: number
  /** How it went: `answered`, `refused` (an error of Google's), a fault's or a forced reply's name; `running` until it is over. */
  outcome: string
  status?: number
  /** The client went before the reply was whole. */
  clientWent: boolean
  /** All of the reply went out. */
  delivered: boolean
}

export type CallLog = ReturnType<typeof createCallLog>

/** Remembers every call, and how many ran side by side for the same prompt. */
export function createCallLog(now: () => number) {
  const calls: Call[] = []
  const entered = new Set<Call>()
  const running = new Map<string, number>()
  const most = new Map<string, number>()

  return {
    calls,
    start(method: string, model: string): Call {
      const begun = { id: calls.length + 1, method, model, at: now(), prompt: '', images: 0 }
      const call = { ...begun, outcome: 'running', clientWent: false, delivered: false }
      calls.push(call)
      return call
    },
    /** From here on the call counts as in flight for its prompt. */
    enter(call: Call, prompt: string): void {
      call.prompt = prompt
      entered.add(call)
      const count = (running.get(prompt) ?? 0) + 1
      running.set(prompt, count)
      most.set(prompt, Math.max(count, most.get(prompt) ?? 0))
    },
    end(call: Call): void {
      call.endedAt = now()
      if (entered.delete(call)) running.set(call.prompt, (running.get(call.prompt) ?? 1) - 1)
    },
    inFlight: () => calls.filter(call => call.endedAt === undefined).length,
    /** The most calls that ever ran at once for one prompt; without a prompt, the highest of all prompts. */
    mostInFlight: (prompt?: string) => (prompt === undefined ? Math.max(0, ...most.values()) : (most.get(prompt) ?? 0)),
    clear(): void {
      calls.length = 0
      most.clear()
    },
  }
}
