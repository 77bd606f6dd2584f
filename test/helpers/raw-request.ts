import { connect } from 'node:net'
import { text } from 'node:stream/consumers'

/** What a server answers to a GET of an address, or with a host, that no client would send. */
export function askRaw(url: string, address: string, host = new URL(url).host): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`GET ${address} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
  return text(socket)
}
