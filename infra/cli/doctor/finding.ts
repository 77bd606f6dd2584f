/** One thing that was looked at: what was found, and where it is not simply well, what that means and what to do. */
export type Finding = { verdict: 'ok' | 'note' | 'FAIL'; what: string; means?: string; todo?: string }
export type Findings = Finding[]

export function well(what: string): Finding {
  return { verdict: 'ok', what }
}

/** Nothing is broken, and somebody should know. */
export function note(what: string, means: string, todo: string): Finding {
  return { verdict: 'note', what, means, todo }
}

export function fault(what: string, means: string, todo: string): Finding {
  return { verdict: 'FAIL', what, means, todo }
}

/** As a person reads it: the finding, then its meaning and its remedy each on a line of its own. */
export function toText({ verdict, what, means, todo }: Finding): string {
  return [
    `${verdict.padEnd(4)}  ${what}`,
    ...(means ? [`      ${means}`] : []),
    ...(todo ? [`      → ${todo}`] : []),
  ].join('\n')
}
