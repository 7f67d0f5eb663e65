import { type Close, ConnectError } from '@eitherway/core'

/** Whoever asks something of a client that is done. @param outcome - what became of it. @internal */
export function closedError({ code, reason }: Close, outcome = ''): ConnectError {
  return new ConnectError(`the client is closed (${code}${reason && ` ${reason}`})${outcome}`, {
    retryable: false,
    closeCode: code,
  })
}

/** Whoever kept the function from before a change of transport. @internal */
export function oneWayError(name: string): ConnectError {
  return new ConnectError(`the client is on ${name}, which is one-way; the message was not sent`, {
    retryable: false,
  })
}
