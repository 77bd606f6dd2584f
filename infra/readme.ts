/** Writes the README's tables from the code's: `npm run readme`. A test holds the one against the other. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { estimateCost } from '../lib/cost.ts'
import { ERRORS } from '../lib/errors.ts'
import { OPERATIONS } from '../lib/job.ts'
import { MODELS, type Model } from '../lib/models.ts'
import { PROMPTS, type PromptRow } from '../lib/prompts.ts'

export const README = join(import.meta.dirname, '../README.md')

/** The README's text with each `<!-- name -->` … `<!-- /name -->` filled from the code. */
export function renderReadme(text: string): string {
  return Object.entries(SECTIONS).reduce((filled, [name, render]) => {
    const section = new RegExp(`(<!-- ${name} -->\n).*?(<!-- /${name} -->)`, 's')
    if (!section.test(filled)) throw new Error(`README.md has no section ${name}`)
    return filled.replace(section, (_, open: string, close: string) => `${open}${render()}\n${close}`)
  }, text)
}

const SECTIONS = {
  operations: () =>
    toTable(
      ['operation', 'what comes of it', 'inputs', 'slots (**needed**, or not)'],
      OPERATIONS.map(name => {
        const { about, inputs, slots }: PromptRow = PROMPTS[name]
        const names = Object.entries(slots).map(([slot, { required }]) => (required ? `**${slot}**` : slot))
        return [`\`${name}\``, about, `${inputs.least}–${inputs.most}`, names.join(', ') || 'none: `prompt`']
      }),
    ),
  models: () =>
    toTable(
      ['model', 'sizes', 'ratios', 'thinking levels', 'grounding', 'about, per image'],
      Object.entries(MODELS).map(([id, model]) => {
        if (model.shutdown && model.shutdown < '2026-11-21') {
          return [`\`${id}\``, `shut down ${model.shutdown}: \`${model.successor}\` runs instead`, '', '', '', '']
        }
        const sizes = model.sizes.join(' ') || 'not settable'
        const levels = model.thinkingLevels.join(' ') || 'not settable'
        return [
          nameModel(id, model),
          sizes,
          String(model.ratios.length),
          levels,
          model.grounding.join(' ') || 'none',
          pricesOf(model),
        ]
      }),
    ),
  errors: () =>
    toTable(
      ['code', 'whose move', 'what it means', 'what to do'],
      Object.entries(ERRORS).map(([code, { remedy, means, todo }]) => [`\`${code}\``, remedy, means, todo]),
    ),
}

function nameModel(id: string, { alias, deprecated, shutdown }: Model): string {
  const notes = [alias && `\`${alias}\``, deprecated && 'deprecated', shutdown && `until ${shutdown}`].filter(Boolean)
  return `\`${id}\` (${notes.join(', ')})`
}

function pricesOf(model: Model): string {
  const sizes = model.sizes.length > 0 ? model.sizes : (['1K'] as const)
  return sizes
    .map(imageSize => `$${estimateCost(model, { inputs: 1, promptBytes: 600, imageSize, lane: 'now' }).toFixed(3)}`)
    .join(' ')
}

function toTable(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

if (import.meta.main) writeFileSync(README, renderReadme(readFileSync(README, 'utf8')))
