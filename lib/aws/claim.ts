import type { Tally } from '../attempts.ts'
import type { InputFacts, SessionFacts } from '../result.ts'
import type { Hold } from './budgets.ts'

/** The clocks of AWS's machines agree to well below this; Lambda's kill comes before a lease that ends this much later. */
export const LEASE_MARGIN_MS = 10_000

/** What an owner knows of the job it claimed: all that earlier claims left behind. */
export type Claim = Tally & {
  id: string
  number: number
  firstSeenAt: number
  /** What it waited for last, as a code. */
  waitReason: string | undefined
  /** The job as it runs, from the first call on: a recipe that changes later changes nothing. */
  job: string | undefined
  inputs: InputFacts[] | undefined
  /** When this job may call that model: it keeps its slot while it waits for it. */
  slot: { model: string; at: number } | undefined
  /** Money that the last call set aside, as far as the row knows: settling it again does no harm. */
  hold: Hold | undefined
  /** How the last call continued its session. */
  session: SessionFacts | undefined
  /** Inputs that lie with Google for this job. */
  files: SentFile[]
  /** Batches that it was parked for so far. */
  batches: number
  /** `now` once no further batch may have it. */
  lane: 'now' | undefined
}

/** An input that was uploaded to Google: a retry uses it until it expires (epoch milliseconds). */
export type SentFile = { uri: string; etag: string; sha256: string; name: string; fileUri: string; expiresAt: number }

/** The claim's number is no longer the ledger's: the lease ended, and somebody else took the job over. Nobody may go on. */
export class LostClaim extends Error {
  override readonly name = 'LostClaim'
  constructor(claim: Claim) {
    super(`job ${claim.id}: claim ${claim.number} is no longer the current one`)
  }
}
