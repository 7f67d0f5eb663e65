import { show } from './message.ts'
import { checkOptions, checkWhole } from './setting.ts'

/** How a server compresses what it sends: once for all peers, never for one alone. */
export interface CompressionOptions {
  /**
   * What is smaller goes as it is, in bytes: of a message on WebSocket, of all that one turn sends to a peer on SSE.
   *
   * @defaultValue 256, where JSON begins to lose a third of its size
   */
  readonly thresholdBytes?: number
}

/** Whether a server compresses what it sends, and from what size on. */
export type Compression = boolean | CompressionOptions

const defaultThresholdBytes = 256

/**
 * From what size on a server is to compress, in bytes; `undefined` where it is not to.
 *
 * @throws TypeError when it is neither that nor a size.
 * @internal
 */
export function thresholdOf(compression: Compression | undefined): number | undefined {
  if (compression === undefined || compression === false) return undefined
  if (compression === true) return defaultThresholdBytes
  if (typeof compression !== 'object' || compression === null) {
    throw new TypeError(
      `\`compression\` must be true, false or \`{ thresholdBytes }\`, got ${show(compression)}`,
    )
  }
  checkOptions('compression', compression, { thresholdBytes: true })
  const { thresholdBytes = defaultThresholdBytes } = compression
  checkWhole('compression.thresholdBytes', thresholdBytes, 0)
  return thresholdBytes
}
