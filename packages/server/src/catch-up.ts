import { closeCode } from '@eitherway/core'
import type { Greetings } from './greetings.ts'
import type { Page, Past } from './past.ts'
import type { HubPeer } from './peer.ts'

/**
 * The greeting of a peer that follows channels, what it missed, and then what came meanwhile: from here on every message
 * reaches it, once. It is held, and follows its channels, already.
 *
 * @returns `undefined` where that is done at once, as for all who come for the first time to a hub that knows its position.
 */
export function catchUp<Context>(
  peer: HubPeer<Context>,
  past: Past,
  greetings: Greetings,
): Promise<void> | undefined {
  if (peer.lastEventId !== '') return replay(peer, past, greetings)
  const position = past.position()
  if (typeof position !== 'string') {
    return sayingSo(peer, greetings, position).then((known) => begin(peer, past, greetings, known))
  }
  return begin(peer, past, greetings, position)
}

function begin<Context>(
  peer: HubPeer<Context>,
  past: Past,
  greetings: Greetings,
  position: string,
): Promise<void> | undefined {
  for (const chunk of greetings.for(peer.encoder, position)) peer.write(chunk)
  return releaseAt(peer, past, position)
}

/** Of what was heard while it was held, that which comes up to a position is old to it. */
function releaseAt<Context>(peer: HubPeer<Context>, past: Past, position: string): Promise<void> | undefined {
  return peer.release((id) => !past.isAfter(id, position))
}

/** A broker that takes its time must not make its hub look like one that never speaks: `auto` would go elsewhere. */
const patienceMs = 1000

/** What a broker answers. Where that takes long, the peer hears something meanwhile. */
async function sayingSo<Context, T>(
  peer: HubPeer<Context>,
  greetings: Greetings,
  answer: Promise<T>,
): Promise<T> {
  const timer = setTimeout(() => peer.write(greetings.early(peer.encoder)), patienceMs)
  try {
    return await answer
  } finally {
    clearTimeout(timer)
  }
}

/** Reads what was missed a page at a time, each when there is room for it: a reader that stands still keeps one page alive. */
async function replay<Context>(peer: HubPeer<Context>, past: Past, greetings: Greetings): Promise<void> {
  const page = await sayingSo(peer, greetings, past.page(peer.names, peer.lastEventId))
  const from = page.gap === undefined ? peer.lastEventId : ''
  for (const chunk of greetings.for(peer.encoder, from)) peer.write(chunk)
  await giveFrom(peer, past, page)
}

/**
 * What a peer missed though its link lives: what came after a position was never heard here. It is given before anything newer.
 *
 * @returns `undefined` where there is nothing to be given, or not to this link.
 */
export function makeUp<Context>(
  peer: HubPeer<Context>,
  past: Past,
  after: string,
): Promise<void> | undefined {
  if (peer.hasEnded || peer.names.length === 0) return undefined
  if (peer.isHeld) {
    // Where it stands by now only its client knows.
    peer.close({ code: closeCode.serverError, reason: 'what was missed is to be read anew' })
    return undefined
  }
  peer.hold()
  return past.page(peer.names, after).then((page) => giveFrom(peer, past, page))
}

/** From the first page on. */
async function giveFrom<Context>(peer: HubPeer<Context>, past: Past, first: Page): Promise<void> {
  let channels = peer.names
  let page = first
  const { position } = page
  let isBehind = false
  for (;;) {
    const { messages, gap, next } = page
    if (gap !== undefined) {
      // Before any new id, so that no cut can part the news of the loss from the position behind it.
      const isAll = messages.length === 0 && !isBehind
      peer.tellGap(isAll ? position : '', gap)
      if (!isAll) isBehind = true
      const lost = new Set(gap.channels)
      channels = channels.filter((channel) => !lost.has(channel))
    }
    for (const chunk of page.chunksFor(peer.encoder)) {
      await peer.paceChunk(chunk)
      // To one that is gone nothing waits for room, and all of history would be read in one go.
      if (peer.hasEnded) return
    }
    if (next === undefined || channels.length === 0) break
    page = await past.page(channels, next, position)
  }
  // What was left out of a channel with a gap lies before this, and must not come up again from the last id of another.
  if (isBehind) peer.writeFrame({ type: 'position', id: position })
  await releaseAt(peer, past, position)
}
