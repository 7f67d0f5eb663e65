/**
 * A line of items between one writer and one reader. It counts what waits in it, in bytes; whoever owns the limit reads
 * the count and acts.
 */
export interface Queue<T> extends AsyncIterable<T> {
  /** Bytes that wait to be read. */
  readonly bytes: number
  /** Adds an item and returns the bytes that wait now. After the end it does nothing. */
  push(item: T, bytes: number): number
  /** Takes the first item that waits; `undefined` where none does. For who is told of items, and does not iterate. */
  shift(): T | undefined
  /** No more items will come; what waits can still be read. With an error, the reader meets it after the last item. */
  end(error?: Error): void
  /** Ends, and drops what waits. */
  drop(): void
  /** Fulfils when less than `bytes` wait, or the queue is no longer read. */
  below(bytes: number): Promise<void>
}

/**
 * Makes an empty queue. Iterate it once; leaving the iteration drops what waits and all that would follow.
 *
 * @param onLeave - runs when the iteration is left early.
 */
export function createQueue<T>(onLeave?: () => void): Queue<T> {
  return new Line(onLeave)
}

interface Waiter {
  readonly bytes: number
  resolve(): void
}

interface Entry<T> {
  readonly item: T
  readonly bytes: number
}

/** Whoever waits for an item. It waits only where no item does. */
type Reader<T> = (result: IteratorResult<T, undefined> | Promise<IteratorResult<T, undefined>>) => void

/** A class, and nothing made before it is needed: a server has one for each peer, most of which never say a word. */
class Line<T> implements Queue<T> {
  bytes = 0
  readonly #onLeave: (() => void) | undefined
  /** In order. Those before `#head` are taken; `undefined` where all are. */
  #items: (Entry<T> | undefined)[] | undefined
  #head = 0
  #ended = false
  #failure: Error | undefined
  #readers: Reader<T>[] | undefined
  #waiting: Waiter[] | undefined

  constructor(onLeave: (() => void) | undefined) {
    this.#onLeave = onLeave
  }

  push(item: T, bytes: number): number {
    if (this.#ended) return this.bytes
    const reader = this.#readers?.shift()
    if (reader !== undefined) {
      reader({ done: false, value: item })
      return this.bytes
    }
    this.#items ??= []
    this.#items.push({ item, bytes })
    this.bytes += bytes
    return this.bytes
  }

  shift(): T | undefined {
    return this.#items === undefined ? undefined : this.#take(this.#items)
  }

  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = error
    for (const reader of this.#readers ?? []) reader(this.#last())
    this.#readers = undefined
    this.#release()
  }

  drop(): void {
    this.#items = undefined
    this.#head = 0
    this.bytes = 0
    this.end()
    this.#failure = undefined
    this.#release()
  }

  below(bytes: number): Promise<void> {
    if (this.#ended || this.bytes < bytes) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting ??= []
      this.#waiting.push({ bytes, resolve })
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return new LineIterator(this)
  }

  next(): Promise<IteratorResult<T, undefined>> {
    // What is there already costs its reader one turn of the microtask queue and one promise.
    if (this.#items !== undefined) return Promise.resolve({ done: false, value: this.#take(this.#items) })
    if (this.#ended) return this.#last()
    return new Promise((resolve) => {
      this.#readers ??= []
      this.#readers.push(resolve)
    })
  }

  leave(): void {
    this.drop()
    this.#onLeave?.()
  }

  async #last(): Promise<IteratorResult<T, undefined>> {
    const failure = this.#failure
    // It is met once; after it the iteration is over.
    this.#failure = undefined
    if (failure !== undefined) throw failure
    return { done: true, value: undefined }
  }

  #take(items: (Entry<T> | undefined)[]): T {
    const { item, bytes } = items[this.#head] as Entry<T>
    this.bytes -= bytes
    items[this.#head] = undefined
    this.#head += 1
    if (this.#head === items.length) {
      this.#items = undefined
      this.#head = 0
    } else if (this.#head > 64 && this.#head * 2 > items.length) {
      // Shifting one by one is quadratic; cutting off a read half at a time is linear over all.
      this.#items = items.slice(this.#head)
      this.#head = 0
    }
    this.#release()
    return item
  }

  #release(): void {
    if (this.#waiting === undefined) return
    const isFree = ({ bytes }: Waiter) => this.#ended || this.bytes < bytes
    const free = this.#waiting.filter(isFree)
    const left = this.#waiting.filter((waiter) => !isFree(waiter))
    this.#waiting = left.length > 0 ? left : undefined
    for (const waiter of free) waiter.resolve()
  }
}

class LineIterator<T> implements AsyncIterator<T, undefined> {
  readonly #line: Line<T>

  constructor(line: Line<T>) {
    this.#line = line
  }
  next(): Promise<IteratorResult<T, undefined>> {
    return this.#line.next()
  }
  // By hand, because a generator would not return while its `next` is waiting.
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#line.leave()
    return { done: true, value: undefined }
  }
}
