import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { inflateRawSync } from 'node:zlib'

const DIRECTORY_ENTRY = 0x02014b50
const DEFLATED = 8

/** Unpacks a zip file as Lambda does: its files, found by the directory at its end. */
export async function unzip(file: string, folder: string): Promise<void> {
  const zip = await readFile(file)
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  let at = zip.readUInt32LE(end + 16)
  while (zip.readUInt32LE(at) === DIRECTORY_ENTRY) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map(offset => zip.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ]
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength)
    const local = zip.readUInt32LE(at + 42)
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20))
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), zip.readUInt16LE(at + 10) === DEFLATED ? inflateRawSync(packed) : packed)
    at += 46 + nameLength + extraLength + commentLength
  }
}
