/**
 * One hub on many nodes: {@link redisBroker} for `createHub`, and {@link createPublisher} for processes without a hub.
 *
 * @packageDocumentation
 */
export { type RedisBroker, redisBroker } from './broker.ts'
export type { Argument, IoredisClient, NodeRedisClient, NodeRedisCluster, RedisClient } from './client.ts'
export { PublishError } from './errors.ts'
export type { HistoryLimits, RedisOptions } from './options.ts'
export { createPublisher, type Publisher, type PublisherOptions } from './publisher.ts'
