/**
 * The lab: Server-Sent Events and WebSocket side by side, fed with live readings of this host and measured on your own
 * network.
 *
 * @packageDocumentation
 */
export { type Lab, type LabOptions, startLab } from './lab.ts'
