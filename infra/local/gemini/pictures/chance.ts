import { createHash } from 'node:crypto'

/** A source of numbers in [0, 1) that always gives the same row for the same words. */
export type Chance = () => number

export function createChance(words: string): Chance {
  let block = createHash('sha256').update(words).digest()
  let at = 0
  return () => {
    if (at === block.length) {
      block = createHash('sha256').update(block).digest()
      at = 0
    }
    at += 4
    return block.readUInt32LE(at - 4) / 2 ** 32
  }
}

/** One of the items. */
export function pick<T>(chance: Chance, items: readonly [T, ...T[]]): T {
  return items[Math.floor(chance() * items.length)] ?? items[0]
}
