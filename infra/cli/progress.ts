/** Lines that change in place on a terminal, and are written once per change everywhere else. */
export type Progress = { set: (name: string, state: string) => void; close: () => void }

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'
const ENDED = /^(?:done|refused|failed)/

type Row = { state: string; since: number }

export function startProgress(out: NodeJS.WriteStream, names: readonly string[]): Progress {
  return out.isTTY ? startLive(out, names) : startPlain(out)
}

function startPlain(out: NodeJS.WriteStream): Progress {
  return { set: (name, state) => out.write(`${name}: ${state}\n`), close() {} }
}

function startLive(out: NodeJS.WriteStream, names: readonly string[]): Progress {
  const rows = new Map<string, Row>(names.map(name => [name, { state: 'queued', since: Date.now() }]))
  const width = Math.max(...names.map(name => name.length))
  let drawn = 0
  let frame = 0
  const draw = () => {
    frame += 1
    const lines = Array.from(rows, ([name, row]) => drawRow(name.padEnd(width), row, frame))
    out.write(
      `${drawn > 0 ? `\u001b[${drawn}A` : ''}${lines.map(line => `\u001b[2K${line.slice(0, (out.columns ?? 80) - 1)}\n`).join('')}`,
    )
    drawn = lines.length
  }
  const timer = setInterval(draw, 100)
  return {
    set: (name, state) => rows.set(name, { state, since: Date.now() }),
    close() {
      clearInterval(timer)
      draw()
    },
  }
}

function drawRow(name: string, { state, since }: Row, frame: number): string {
  if (ENDED.test(state)) return `${state.startsWith('done') ? '✔' : '✖'} ${name}  ${state}`
  return `${FRAMES[frame % FRAMES.length]} ${name}  ${state} ${((Date.now() - since) / 1000).toFixed(1)} s`
}
