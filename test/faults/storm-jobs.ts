/** What a job of the storm is called in its prompt, by which the stand-in's calls are told apart. */
export const nameOf = (n: number) => `<job-${n}>`

/** One in five is an upload. */
export const isUpload = (n: number) => n % 5 === 0

/** One in ten hears only words at first. */
export const hearsWordsFirst = (n: number) => n % 10 === 3

/** The number of the job that a prompt, an id or a key of the storm is of; -1 for another's. */
export function jobOf(text: string): number {
  const [, job, photo] = /job-(\d+)|storm\/(\d+)/.exec(text) ?? []
  return Number(job ?? photo ?? -1)
}

/** The numbers of all jobs in an event of SQS; a clock's tick has none. */
export function jobsOf(event: unknown): Set<number> {
  const { Records = [] } = event as { Records?: { body: string }[] }
  return new Set(Records.map(({ body }) => jobOf(body)))
}
