// What Node's `net` says of addresses, for runtimes without it.

/** Whether this is an IPv4 address as it is written. */
export const isIPv4 = (text: string): boolean =>
  /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text)

/** Whether this is an IPv6 address, without a zone. The URL standard knows them all. */
export const isIPv6 = (text: string): boolean =>
  /^[0-9a-f:.]+$/i.test(text) && text.includes(':') && URL.canParse(`http://[${text}]`)
