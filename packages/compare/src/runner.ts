import type { Progress } from './bench.ts'
import type { Result } from './report.ts'
import type { Access } from './stage/ask.ts'

/** What a runner is to run. */
export interface Run {
  /** Their names. */
  readonly scenarios: readonly string[]
  readonly quick: boolean
  readonly rounds?: number
}

/** What a runner must know. It travels in the fragment, which no server and no log sees. */
export interface Orders {
  readonly access: Access
  /** The origin of the page that holds it in a frame: it speaks with nobody else. */
  readonly parent?: string
  /** What it runs at once, without being asked. */
  readonly run?: Run
}

/** From the page to the runner in its frame. */
export type ToRunner = ({ readonly type: 'run' } & Run) | { readonly type: 'stop' }

/** From the runner. After `ready`, each run ends with `done` or `failed`; one that was stopped ends with `failed`. */
export type FromRunner =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string }

/** Where the runner is to be opened. @param origin - of the stage: its clients connect to this one alone. */
export function runnerUrl(origin: string, orders: Orders): string {
  return `${origin}/runner#${encodeURIComponent(JSON.stringify(orders))}`
}

/** @returns `undefined` where the fragment holds none. */
export function ordersOf(hash: string): Orders | undefined {
  if (hash.length < 2) return undefined
  return JSON.parse(decodeURIComponent(hash.slice(1))) as Orders
}
