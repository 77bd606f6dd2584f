import { EditError } from './errors.ts'
import type { Job, Operation, Role } from './job.ts'

type Slot = { required: boolean; describes: string; most?: number }

/** One operation: what it takes, and the sentences that ask for it. A sentence with a `{slot}` that was left open is left out. */
export type PromptRow = {
  /** `make` draws from words, `edit` changes the first input. */
  does: 'make' | 'edit'
  about: string
  inputs: { least: number; most: number }
  slots: Readonly<Record<string, Slot>>
  /** A slot that is looked up on the web where the job leaves it open. */
  looksUp?: { slot: string; says: string }
  sentences: readonly string[]
}

const needs = (describes: string): Slot => ({ required: true, describes })
const may = (describes: string): Slot => ({ required: false, describes })

/** A week's forecast for one place as JSON, with room. */
const FACTS_LIMIT = 8000

/** The model's own limit on images is narrower; see the catalogue. */
const MANY = 14

/** Free prompts take no slots: the words are the sender's. */
const FREE = { slots: {}, sentences: [] } as const

/** The operations of Google's image guide (2026-11), in our own words. */
export const PROMPTS = {
  generate: { does: 'make', about: 'a picture from your words', inputs: { least: 0, most: MANY }, ...FREE },
  edit: { does: 'edit', about: 'the inputs, changed by your words', inputs: { least: 1, most: MANY }, ...FREE },
  photo: {
    does: 'make',
    about: 'a photorealistic scene',
    inputs: { least: 0, most: MANY },
    slots: {
      subject: needs('who or what is in the picture'),
      shot: may('kind of shot: close-up, wide, aerial'),
      action: may('what the subject does'),
      environment: may('where it is'),
      lighting: may('the light'),
      mood: may('the mood'),
      camera: may('camera and lens'),
      details: may('textures and details to bring out'),
    },
    sentences: [
      'A photorealistic photograph of {subject}.',
      'The shot is {shot}.',
      'The subject is {action}.',
      'The scene is set in {environment}.',
      'It is lit by {lighting}.',
      'The mood is {mood}.',
      'Taken with {camera}.',
      'It brings out {details}.',
    ],
  },
  sticker: {
    does: 'make',
    about: 'a sticker or icon on white',
    inputs: { least: 0, most: MANY },
    slots: {
      subject: needs('what the sticker shows'),
      style: may('kawaii, flat, retro, …'),
      characteristics: may('what marks the subject'),
      palette: may('the colours'),
      line_style: may('the outlines'),
      shading: may('the shading'),
    },
    sentences: [
      'A sticker of {subject}.',
      'It is drawn in the style {style}.',
      'The subject shows {characteristics}.',
      'The colours are {palette}.',
      'The outlines are {line_style}.',
      'The shading is {shading}.',
      'The background is plain white, and nothing else is in the picture.',
    ],
  },
  logo: {
    does: 'make',
    about: 'a picture with exact lettering',
    inputs: { least: 0, most: MANY },
    slots: {
      brand: needs('brand or purpose'),
      text: needs('the words to render, to the letter'),
      image_type: may('logo, poster, label, …'),
      font: may('the lettering'),
      design: may('the design around it'),
      colours: may('the colours'),
    },
    sentences: [
      'Design a picture for {brand}.',
      'It is {image_type}.',
      'It bears exactly this text, letter for letter: “{text}”.',
      'The lettering is {font}.',
      'The design is {design}.',
      'The colours are {colours}.',
    ],
  },
  'product-shot': {
    does: 'make',
    about: 'a studio photograph of a product',
    inputs: { least: 0, most: MANY },
    slots: {
      product: needs('the product'),
      surface: may('what it stands on'),
      lighting: may('the set of lights'),
      purpose: may('what the light is for'),
      angle: may("the camera's angle"),
      feature: may('what to show of it'),
      detail: may('what is in sharp focus'),
    },
    sentences: [
      'A high-resolution studio photograph of {product}.',
      'It is presented on {surface}.',
      'The lighting is {lighting}.',
      'The light is there to {purpose}.',
      'The camera looks from {angle}, so that the product is seen as it is.',
      'The picture shows {feature}.',
      'In sharp focus: {detail}.',
    ],
  },
  'negative-space': {
    does: 'make',
    about: 'a subject with room for text',
    inputs: { least: 0, most: MANY },
    slots: {
      subject: needs('the one subject'),
      position: may('where in the frame, for example bottom right'),
      background_colour: may('the empty background'),
    },
    sentences: [
      'A minimalist composition with a single subject: {subject}.',
      'It sits in the {position} of the frame.',
      'The background is a wide, empty canvas of {background_colour}.',
      'Most of the picture stays empty, as room for text.',
    ],
  },
  comic: {
    does: 'make',
    about: 'a strip; takes character images',
    inputs: { least: 0, most: MANY },
    slots: {
      scene: needs('what happens'),
      panels: may('how many panels'),
      style: may('the style of drawing'),
    },
    sentences: [
      'Draw a comic strip.',
      'It has {panels} panels.',
      'The style is {style}.',
      'This is what happens: {scene}.',
      'A character keeps face, hair and clothes from panel to panel.',
    ],
  },
  weather: {
    does: 'make',
    about: 'a weather graphic of current data',
    inputs: { least: 0, most: MANY },
    slots: {
      place: needs('the place'),
      date: may('the first day, for a graphic that is made ahead or late'),
      days: may('how many days, today first'),
      units: may('metric or imperial'),
      style: may('the look of the graphic'),
      language: may('the language of its text'),
      facts: { ...may('the forecast to show, where it is known already'), most: FACTS_LIMIT },
    },
    looksUp: { slot: 'facts', says: 'Look up the current forecast, and show what it says and nothing else.' },
    sentences: [
      'Make a weather graphic for {place}.',
      'The first day is {date}.',
      'It covers {days} days, one column a day, with the date, a symbol, and the highest and lowest temperature.',
      'The units are {units}.',
      'The style is {style}.',
      'All text in it is in {language}.',
      'Show exactly this forecast, and nothing that is not in it: {facts}.',
    ],
  },
  'add-remove': {
    does: 'edit',
    about: 'one thing added, removed or changed',
    inputs: { least: 1, most: MANY },
    slots: {
      change: needs('add, remove or modify'),
      element: needs('what'),
      subject: may('what the picture shows'),
      blend: may('how it fits into the scene'),
    },
    sentences: [
      'The provided picture shows {subject}.',
      'In this picture, {change} {element}.',
      'The change fits the scene: {blend}.',
      'Light, perspective and grain match the original, and everything else stays as it is.',
    ],
  },
  inpaint: {
    does: 'edit',
    about: 'one element replaced, by words; the rest stays',
    inputs: { least: 1, most: MANY },
    slots: {
      element: needs('the one element to change'),
      becomes: needs('what it becomes'),
      keep: may('what must stay, in detail'),
    },
    sentences: [
      'In the provided picture, change only {element}: it becomes {becomes}.',
      'Keep {keep} as in the original.',
      'Keep everything else in the picture exactly the same: style, light, composition and every other detail.',
    ],
  },
  'style-transfer': {
    does: 'edit',
    about: 'the same scene in another style',
    inputs: { least: 1, most: MANY },
    slots: {
      style: needs('the artist, school or style'),
      subject: may('what the photo shows'),
      elements: may('brushwork, palette, line: what makes the style'),
    },
    sentences: [
      'Redraw the provided photograph in the style of {style}.',
      'The photograph shows {subject}.',
      'Make the style visible in {elements}.',
      'Preserve the original composition: every object stays in its place, at its size, only the rendering changes.',
    ],
  },
  compose: {
    does: 'edit',
    about: 'one picture out of several',
    inputs: { least: 2, most: MANY },
    slots: {
      first: needs('the element taken from image 1'),
      second: needs('the element taken from image 2'),
      scene: may('the final scene'),
    },
    sentences: [
      'Create one new picture out of the provided images.',
      'Take {first} from image 1 and {second} from image 2.',
      'The final picture shows {scene}.',
      'All parts share one light, one perspective and one scale.',
    ],
  },
  'preserve-detail': {
    does: 'edit',
    about: 'an element put onto another picture, details unchanged',
    inputs: { least: 2, most: MANY },
    slots: {
      element: needs('the element of image 2'),
      onto: needs('where it goes in image 1'),
      sits: may('how it should sit'),
    },
    sentences: [
      'Put {element} from image 2 onto {onto} in image 1.',
      'It sits like this: {sits}.',
      'The features of what is in image 1 stay completely unchanged, and so do the details of what comes from image 2.',
    ],
  },
  'sketch-to-photo': {
    does: 'edit',
    about: 'a rough sketch made real',
    inputs: { least: 1, most: MANY },
    slots: {
      subject: needs('what the sketch shows'),
      medium: may('pencil, marker, …'),
      style: may('photo or another finish'),
      keep: may('features of the sketch to keep'),
      materials: may('materials and colours to add'),
    },
    sentences: [
      'Turn the provided sketch of {subject} into a finished picture.',
      'The sketch is done in {medium}.',
      'The finish is {style}.',
      'Keep these features of the sketch: {keep}.',
      'Add {materials}.',
    ],
  },
  turnaround: {
    does: 'edit',
    about: 'the same person from another side',
    inputs: { least: 1, most: MANY },
    slots: {
      person: needs('who it is'),
      view: needs('the view: in profile looking right, from behind, …'),
      background: may('the background'),
    },
    sentences: [
      'A studio portrait of {person}, the same person as in the provided images, {view}.',
      'The background is {background}.',
      'Face, hair, clothes and proportions stay the same as in the provided images.',
    ],
  },
} as const satisfies Record<Operation, PromptRow>

/** Slots are phrases, not documents: what comes from outside fills a blank and can't begin a paragraph of its own. */
const SLOT_LIMIT = 2000

/** The prompt of a job: its own, or the operation's sentences with the slots filled. Throws `ERR_JOB_SLOTS` naming every fault. */
export function buildPrompt(job: Pick<Job, 'operation' | 'prompt' | 'slots'>): string {
  const row: PromptRow = PROMPTS[job.operation]
  const slots = toPhrases(job.slots ?? {})
  const free = Object.keys(row.slots).length === 0
  if (job.prompt !== undefined && job.slots !== undefined) {
    throw new EditError('ERR_JOB_SLOTS', `${job.operation} takes a prompt or slots, got both`)
  }
  if (job.prompt !== undefined) return job.prompt
  const faults = free ? ['it needs a prompt'] : findSlotFaults(row, job.slots ?? {}, slots)
  if (faults.length > 0) throw new EditError('ERR_JOB_SLOTS', `${job.operation}: ${faults.join('; ')}`)
  const { looksUp } = row
  const lookUp = looksUp && !Object.hasOwn(slots, looksUp.slot) ? [looksUp.says] : []
  return fillSentences([...row.sentences, ...lookUp], slots)
}

/** The sentences whose blanks are all filled, with each slot as one phrase. */
export function fillSentences(sentences: readonly string[], slots: Readonly<Record<string, string>>): string {
  return sentences
    .filter(sentence => blanksOf(sentence).every(slot => Object.hasOwn(slots, slot)))
    .map(sentence => sentence.replace(/\{(\w+)\}/g, (_, slot: string) => slots[slot] ?? ''))
    .join(' ')
}

/** Refuses a wrong number of inputs with `ERR_JOB_INPUTS`. */
export function checkInputs(operation: Operation, count: number): void {
  const { least, most } = PROMPTS[operation].inputs
  if (count >= least && count <= most) return
  const range = count < least ? `at least ${least}` : `at most ${most}`
  throw new EditError(
    'ERR_JOB_INPUTS',
    `${operation} takes ${range} input${(count < least ? least : most) === 1 ? '' : 's'}, got ${count}`,
  )
}

const ROLE_WORDS = {
  object: 'an object to be shown as it is',
  character: 'a person or character whose looks must be kept',
  style: 'only a reference for the style',
  mask: 'a mask: white marks the region to change',
  base: 'the picture to be edited',
} as const satisfies Record<Role, string>

/** How the model is told which input is which: nothing for a single picture without a role, else `Image 2 is …:`. */
export function labelInput(index: number, count: number, role: Role | undefined): string | undefined {
  if (role) return `Image ${index + 1} is ${ROLE_WORDS[role]}:`
  return count > 1 ? `Image ${index + 1}:` : undefined
}

function findSlotFaults(row: PromptRow, slots: Record<string, string>, filled: Record<string, string>): string[] {
  const known = Object.keys(row.slots)
  const missing = known.filter(slot => row.slots[slot]?.required && !Object.hasOwn(filled, slot))
  const unknown = Object.keys(slots).filter(slot => !known.includes(slot))
  const most = (slot: string) => row.slots[slot]?.most ?? SLOT_LIMIT
  const long = known.filter(slot => (slots[slot]?.length ?? 0) > most(slot))
  return [
    ...missing.map(slot => `slot ${slot} is missing (${row.slots[slot]?.describes})`),
    ...unknown.map(slot => `unknown slot ${JSON.stringify(slot.slice(0, 60))}; it takes ${known.join(', ')}`),
    ...long.map(slot => `slot ${slot} is longer than ${most(slot)} characters`),
  ]
}

function blanksOf(sentence: string): string[] {
  return Array.from(sentence.matchAll(/\{(\w+)\}/g), match => match[1] ?? '')
}

/** Slots as they go into a sentence; one of nothing but blanks is as one that was left open. */
function toPhrases(slots: Record<string, string>): Record<string, string> {
  const phrases = Object.entries(slots).map(([slot, value]) => [slot, value.replace(/[\s\p{Cc}]+/gu, ' ').trim()])
  return Object.fromEntries(phrases.filter(([, phrase]) => phrase !== ''))
}
