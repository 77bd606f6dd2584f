/** What an operator asked for can't be done, or not without saying so; the message says why and what to do. */
export class Refusal extends Error {
  override readonly name = 'Refused'
}
