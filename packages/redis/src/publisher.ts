import { byteLength, checkOptions, type FormatOption, formatOf, maxMessageBytesOf } from '@eitherway/core'
import { newName } from './broker.ts'
import { createKnowledge } from './knowledge.ts'
import { createLink } from './link.ts'
import { type RedisOptions, redisNames, settingsOf } from './options.ts'
import { nowhere } from './position.ts'
import { createPublishing } from './publishing.ts'

/** Settings of {@link createPublisher}. */
export interface PublisherOptions extends RedisOptions {
  /** How the application's values become text or bytes: the hub's. @defaultValue `'json'` */
  readonly format?: FormatOption
  /** Largest message that may be published, in bytes: the hub's, or less. @defaultValue 1 MiB */
  readonly maxMessageBytes?: number
}

/** Publishes to the peers of all hubs, without a hub: for workers, scripts and cron. */
export interface Publisher {
  /**
   * Publishes to every peer that follows the channel, on whatever node.
   *
   * @returns the message's id, once it is stored.
   * @throws (by rejection) TypeError when a name or the data cannot cross; PublishError when it was not stored, or nobody can tell.
   */
  publish(channel: string, data: unknown, options?: { readonly event?: string }): Promise<string>
  /** Ends its connection. What waits fails. */
  close(): void
}

/**
 * Makes a publisher.
 *
 * @throws TypeError for a setting that is none.
 */
export function createPublisher(options: PublisherOptions): Publisher {
  checkOptions('createPublisher', options, { ...redisNames, format: true, maxMessageBytes: true })
  const settings = settingsOf(options)
  const format = formatOf(options.format)
  const maxMessageBytes = maxMessageBytesOf(options)
  const link = createLink(settings.client, settings.keys.meta)
  let hasEnded = false
  const publishing = createPublishing({
    settings,
    link,
    writer: newName(),
    ready: async () => undefined,
    knowledge: createKnowledge(() => nowhere),
    hasEnded: () => hasEnded,
  })
  return {
    async publish(channel, data, { event = channel } = {}) {
      const encoded = format.encode(data)
      const size = byteLength(encoded)
      if (size > maxMessageBytes) {
        throw new TypeError(
          `a message of ${size} bytes is over the publisher's \`maxMessageBytes\` of ${maxMessageBytes}`,
        )
      }
      return await publishing.publish(channel, event, encoded)
    },
    close() {
      hasEnded = true
      publishing.end()
      link.end()
    },
  }
}
