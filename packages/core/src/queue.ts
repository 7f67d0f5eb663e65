/**
 * A line of items between one writer and one reader. It counts what waits in it, in bytes; whoever owns the limit reads
 * the count and acts.
 */
export interface Queue<T> extends AsyncIterable<T> {
  /** Bytes that wait to be read. */
  readonly bytes: number
  /** Adds an item and returns the bytes that wait now. After the end it does nothing. */
  push(item: T, bytes: number): number
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
export function createQueue<T>(onLeave: () => void = () => undefined): Queue<T> {
  let items: { item: T; bytes: number }[] = []
  let head = 0
  let bytes = 0
  let ended = false
  let failure: Error | undefined
  /** Reads that wait, each of which says whether it could be served. */
  const readers: (() => boolean)[] = []
  let waiting: { bytes: number; resolve: () => void }[] = []

  function release(): void {
    if (waiting.length === 0) return
    const free = waiting.filter((waiter) => ended || bytes < waiter.bytes)
    waiting = waiting.filter((waiter) => !free.includes(waiter))
    for (const waiter of free) waiter.resolve()
  }

  function take(): T | undefined {
    const entry = items[head]
    if (entry === undefined) return undefined
    head += 1
    bytes -= entry.bytes
    // Shifting one by one is quadratic; cutting off a read half at a time is linear over all.
    if (head > 64 && head * 2 > items.length) {
      items = items.slice(head)
      head = 0
    } else {
      items[head - 1] = spent
    }
    release()
    return entry.item
  }
  const spent = { item: undefined as T, bytes: 0 }

  function serveReaders(): void {
    while (readers[0]?.()) readers.shift()
  }

  /** An error is met once; after it the iteration is over. */
  function takeFailure(): Error | undefined {
    const error = failure
    failure = undefined
    return error
  }

  const queue: Queue<T> = {
    get bytes() {
      return bytes
    },
    push(item, size) {
      if (ended) return bytes
      items.push({ item, bytes: size })
      bytes += size
      serveReaders()
      return bytes
    },
    end(error) {
      if (ended) return
      ended = true
      failure = error
      serveReaders()
      release()
    },
    drop() {
      items = []
      head = 0
      bytes = 0
      queue.end()
      failure = undefined
      release()
    },
    below(limit) {
      if (ended || bytes < limit) return Promise.resolve()
      return new Promise((resolve) => waiting.push({ bytes: limit, resolve }))
    },
    [Symbol.asyncIterator]() {
      return {
        next() {
          return new Promise((resolve, reject) => {
            const serve = () => {
              if (head < items.length) resolve({ done: false, value: take() as T })
              else if (!ended) return false
              else if (failure === undefined) resolve({ done: true, value: undefined })
              else reject(takeFailure())
              return true
            }
            if (readers.length > 0 || !serve()) readers.push(serve)
          })
        },
        // By hand, because a generator would not return while its `next` is waiting.
        async return() {
          queue.drop()
          onLeave()
          return { done: true, value: undefined }
        },
      }
    },
  }
  return queue
}
