/** Tells the test one record: a line of JSON, on the console of whatever runs this. */
export function print(record: unknown): void {
  console.log(JSON.stringify(record))
}

/** Bytes as JSON has them. */
export function shown(data: unknown): unknown {
  if (data instanceof ArrayBuffer) return { bytes: [...new Uint8Array(data)] }
  return data instanceof Uint8Array ? { bytes: [...data] } : data
}
