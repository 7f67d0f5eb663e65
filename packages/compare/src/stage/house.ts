import type { Server } from 'node:http'
import type { Kind } from '../parcel.ts'
import type { Plant } from './stage.ts'

/** One of the stage's two servers: everything that a contender needs on the other side. */
export interface HouseServer {
  /** Answers at this server from now on. @returns what ends that. */
  serve(server: Server): () => void
  publish(channel: string, data: string | Uint8Array, kind: Kind, seq: number): Promise<void> | void
  /** Brings text back to one client. */
  echo(client: string, text: string): void
  /** Those connected now, by the name that they gave. */
  readonly clients: ReadonlySet<string>
  readonly connected: number
  /** Runs whenever somebody comes or goes. */
  onChange(handler: () => void): () => void
  /** Ends the sockets of a client, or of all, without a word. @returns how many. */
  cut(client?: string): number
  /** Says goodbye to all, as far as the protocol has a word for it. */
  goodbye(): Promise<void>
  /** Starts over. */
  reset(history: 'kept' | 'lost'): void
  plant(plant: Plant): void
}
